"""`recodiff info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recodiff.cli.output import print_json, print_line, print_table, say, warn
from recodiff.configs import description, presets, read_settings
from recodiff.data.dataset import Dataset
from recodiff.data.readers.reading import ROLES
from recodiff.data.saving import MANIFEST, load_dataset
from recodiff.errors import ConfigError, did_you_mean
from recodiff.models.registry import MODELS, build

WIDEST = 80
"""Columns of a description, which goes on below."""


def info(path: str | None = None, /, *, check: bool = False, json: bool = False) -> None:
    """Tell what a data folder, a model folder or a preset holds.

    Examples: recodiff info runs/t
              recodiff info presets

    Parameters
    ----------
    path
        A data folder, a model folder, a preset's or a model's name (its default settings), `presets`, or `models`.
    check
        Read all of a data folder and compare it with what was written; a large one is opened without being read.
    json
        Print JSON.

    Raises
    ------
    ConfigError
        There is no path, or it is no folder, preset or model.
    """
    if path is None:
        raise ConfigError(
            "say what of: a data folder, a model folder, a preset or a model; `recodiff info presets` and `recodiff info models` "
            "list the last two"
        )
    if check and not (Path(path) / MANIFEST).exists():
        raise ConfigError(f"--check is of data folders, and '{path}' is none; models are checked whenever they are loaded")
    if path in ("presets", "models") and not Path(path).exists():
        _list(path, json)
    elif path in presets():
        model, settings = read_settings(path)
        _show({"model": model, **settings}, json)
    elif path in MODELS and not Path(path).exists():
        _show({"model": path, **build(path).config.model_dump(mode="json")}, json)
    elif (Path(path) / MANIFEST).exists() or not _show_model(path, json):
        if not Path(path).exists() and (meant := did_you_mean(path, [*presets(), *MODELS, "presets", "models"])):
            raise ConfigError(f"'{path}' is no folder, preset or model; {meant}")
        dataset = load_dataset(path, check=check)
        print_json(dataset.info) if json else print_dataset(dataset)
        if check:
            say(f"'{path}' holds what was written")


def _show_model(path: str, json: bool) -> bool:
    """Shows a model folder; whether it is one."""
    from recodiff.models.model_files import CONFIG, is_unfinished, unfinished_beside  # bring torch, which data does without
    from recodiff.models.saving import read_config

    found = (Path(path) / CONFIG).exists() or is_unfinished(path)
    if found:
        _show(read_config(path), json)
        if sentence := unfinished_beside(Path(path)):
            warn(sentence)
    return found


def _list(what: str, json: bool) -> None:
    if what == "models":
        rows = [(name, entry.title, entry.about) for name, entry in MODELS.items()]
    else:
        rows = [(name, description(name)) for name in presets()]
    if json:
        print_json([row[0] for row in rows])
    else:
        print_table(("model", "title", "what it is") if what == "models" else ("preset", "what it is"), rows, widest=WIDEST)


def print_dataset(dataset: Dataset, *, reading: bool = True) -> None:
    """Print what a data folder holds: what each step left, then the rest in a line each.

    Args:
        dataset: the folder's.
        reading: whether to say which column was taken for what.
    """
    info = dataset.info
    if steps := info.get("steps"):
        sizes = ("interactions", "users", "items", "dropped")
        print_table(("step", *sizes), [(step["step"], *(step[size] for size in sizes)) for step in steps])
        print_line()
    rows = [(role, what) for role, what in info.get("reading", {}).items() if role in ROLES] if reading else []
    print_table(("what", "value"), [*_data_rows(info), *rows])


def _data_rows(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """One line for each thing that is known of a dataset."""
    yield from ((key, str(info[key]).partition("\n")[0]) for key in ("name", "source", "terms") if info.get(key))
    yield (
        "size",
        f"{info['interactions']} interactions of {info['users']} users and {info['items']} items, density {info['density']:.3g}",
    )
    yield "parts", ", ".join(f"{part} {count}" for part, count in info["parts"].items())
    split = {key: value for key, value in info.get("split", {}).items() if value is not None}
    settings = ", ".join(f"{key} {value}" for key, value in split.items() if key != "strategy")
    yield "split", f"{split.get('strategy', '-')}{f' ({settings})' if settings else ''}"
    time = info["time"]
    yield "time", f"{time['first']} .. {time['last']}" if "first" in time else {"order": "ranks"}.get(time["kind"], "none")
    if events := info.get("events"):
        yield "events", _events(events)
    if info.get("weights", "all 1") != "all 1":
        yield "weights", info["weights"]
    yield "titles", "yes" if info["titles"] else "no"
    yield from _flat({"noise": info["noise"]}) if info.get("noise") else ()
    yield "fingerprint", info["fingerprint"]


def _events(found: Mapping[str, Any]) -> str:
    said = f"{found['kind']}; {found.get('shared', 0):.0%} of interactions share one"
    if "times_per_user" in found:
        said += f", {found['times_per_user']:.1f} a user, {found['users_of_one']} users of one"
    if "test_seen" in found:
        said += f", {found['test_seen']:.0%} of test seen"
    return said


def _show(described: dict[str, Any], json: bool) -> None:
    if json:
        print_json(described)
    else:
        print_table(("what", "value"), _flat(described))


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [row for key, inner in value.items() for row in _flat(inner, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [row for number, inner in enumerate(value, 1) for row in _flat(inner, f"{path}.{number}")]
    return [(path, "-" if value is None else str(value))]
