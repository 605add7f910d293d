"""`recodiff info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recodiff.cli.output import print_json, print_table
from recodiff.configs import description, presets, read_settings
from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.models.registry import MODELS, build
from recodiff.models.saving import CONFIG, is_unfinished, read_config


def info(path: str, /, *, json: bool = False) -> None:
    """Tell what a data folder, a model folder or a preset holds.

    Examples: recodiff info runs/t
              recodiff info presets

    Parameters
    ----------
    path
        A data folder, a model folder, a preset's or a model's name (its default settings), `presets`, or `models`.
    json
        Print JSON.
    """
    if path in ("presets", "models") and not Path(path).exists():
        _list(path, json)
    elif path in presets():
        model, settings = read_settings(path)
        _show({"model": model, **settings}, json)
    elif path in MODELS and not Path(path).exists():
        _show({"model": path, **build(path).config.model_dump(mode="json")}, json)
    elif (Path(path) / CONFIG).exists() or is_unfinished(path):
        _show(read_config(path), json)
    else:
        dataset = load_dataset(path)
        print_json(dataset.info) if json else print_dataset(dataset)


def _list(what: str, json: bool) -> None:
    if what == "models":
        rows = [(name, entry.title, entry.about) for name, entry in MODELS.items()]
    else:
        rows = [(name, description(name)) for name in presets()]
    if json:
        print_json([row[0] for row in rows])
    else:
        print_table(("model", "title", "what it is") if what == "models" else ("preset", "what it is"), rows)


def print_dataset(dataset: Dataset) -> None:
    """What a data folder holds."""
    _show(dataset.info, json=False)


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
