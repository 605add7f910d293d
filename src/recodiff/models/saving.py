"""A model folder: config.json, weights.safetensors, items.parquet, and users.parquet where a model remembers its users.
It needs nothing else, and holds no pickle. README.md, the model card, stands in it for people, who may change or remove it.

config.json is written last and holds the hashes of the others: a folder is whole, or it is refused.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.config import contradictions_tolerated
from recodiff.data.interactions import IdMap
from recodiff.errors import CheckpointError, RecodiffError, RecodiffWarning
from recodiff.models.base import Recommender
from recodiff.models.model_files import (
    CARD,
    CONFIG,
    FORMAT,
    ITEMS,
    OWNED,
    USERS,
    VERSION,
    WEIGHTS,
    is_unfinished,
    model_files,
    refuse_existing,
    unfinished_beside,
)
from recodiff.models.registry import build
from recodiff.runtime import distributed, files
from recodiff.runtime.folders import STAGED, finish, held, replaced
from recodiff.runtime.run import Run

COUNTS = "train_interactions"
"""The column of items.parquet that says how often an item stands in what was learned from."""
AGAIN = "copy the folder again, or train anew"
"""What to do with a damaged folder."""


def save_model(
    model: Recommender,
    folder: str | Path,
    *,
    item_table: pl.DataFrame | None = None,
    info: dict[str, Any] | None = None,
    card: str | None = None,
    overwrite: bool = False,
    logs: Mapping[str, str] | None = None,
    replaces: Collection[str] = (),
) -> None:
    """Write a fitted model; one whose items are shared is written by all processes together, whole.

    Args:
        model: a fitted model.
        folder: made if it is not there; other files in it are left alone.
        item_table: one row per item in catalogue order, `title` among its columns, kept beside the ids.
        info: what else should be known of it (data, seed, figures), as JSON.
        card: Markdown for README.md; a README.md that is not ours stays, with a warning.
        overwrite: whether a model already there may be replaced, its logs included.
        logs: of its training and of those of its components, the name below the folder -> the content.
        replaces: files of its unfinished training, below the folder, that go when the model is there.

    Raises:
        CheckpointError: there is a model already, or another's file of a name that would be written; or the folder has no name,
            or cannot be written.
    """
    if not str(folder):
        raise CheckpointError("the model folder has no name; give one, such as 'runs/mine'")
    path = Path(folder).resolve()
    if not distributed.leads() and model.shard is not None:
        distributed.write_gathered(path / STAGED / WEIGHTS, model.state())
        return
    names = {*names_of(model), *(logs or {})}
    refuse_existing(path, names, overwrite=overwrite, ours=replaces)
    table = pl.DataFrame({"id": model.items.ids})
    if item_table is not None:
        table = table.hstack(item_table.select(pl.exclude("id", "item")))
    tables = {ITEMS: table} | ({USERS: pl.DataFrame({"id": model.users.ids})} if model.traits.remembers_users else {})
    try:
        with held(path), replaced(path, CONFIG, model_files(path).union(replaces)) as staged:
            distributed.write_gathered(staged / WEIGHTS, model.state())
            for name, rows in tables.items():
                files.replace_with(staged / name, rows.write_parquet, (pl.exceptions.PolarsError,))
            for name, text in (logs or {}).items():
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                files.write_text(staged / name, text)
            carded = _stage_card(card, path, staged)
            described = {
                "format": FORMAT,
                "version": VERSION,
                "recodiff": version("recodiff"),
                "model": model.registered,
                "config": model.config.model_dump(mode="json"),
                "hashes": {name: files.sha256(staged / name) for name in (WEIGHTS, *tables, *carded)},
                "info": info or {},
            }
            files.write_json(staged / CONFIG, described | {"seal": seal(described)})
    except OSError as error:
        raise CheckpointError(
            f"model folder '{folder}' cannot be written ({error.strerror or error}); free space or choose another"
        ) from None


def names_of(model: Recommender) -> frozenset[str]:
    """Names of the files that a model is written as; its card is another matter.

    Args:
        model: fitted or not.
    """
    return OWNED if model.traits.remembers_users else OWNED - {USERS}


def _stage_card(card: str | None, folder: Path, staged: Path) -> tuple[str, ...]:
    """Writes the card among the new files, unless another README.md stands in its place; the names written."""
    if card is None:
        return ()
    if (folder / CARD).exists() and CARD not in model_files(folder):
        warnings.warn(
            f"'{folder / CARD}' is not of this program and stays; no model card is written", RecodiffWarning, stacklevel=3
        )
        return ()
    files.write_text(staged / CARD, card)
    return (CARD,)


def seal(described: Mapping[str, Any]) -> str:
    """A hash of what config.json says beside it: whether a hand or a disk has changed it since.

    Args:
        described: the content without the seal.
    """
    unsealed = {key: value for key, value in described.items() if key != "seal"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The content of config.json of a model folder, checked for format and version.

    Args:
        folder: of a model, or of an unfinished training.

    Raises:
        CheckpointError: the folder is missing, foreign or of a later version.
    """
    path = Path(folder) / CONFIG
    finish(path.parent)
    if not path.exists():
        if is_unfinished(folder):
            raise CheckpointError(
                f"'{folder}' holds an unfinished run and no model yet; go on with the command that began it and --resume"
            )
        raise CheckpointError(f"'{folder}' holds no model ({CONFIG} is missing); give the folder that `recodiff train` wrote")
    with files.reading(path, CheckpointError, AGAIN):
        described = json.loads(path.read_text("utf-8"))
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not a recodiff model; give the folder that `recodiff train` wrote")
    if described.get("version") != VERSION:
        raise CheckpointError(
            f"'{folder}' has format version {described.get('version')}, this recodiff reads {VERSION}; update recodiff"
        )
    if lacking := {"model", "config", "hashes", "info"} - described.keys():
        raise CheckpointError(f"'{path}' lacks {', '.join(sorted(lacking))}; copy the folder again or train anew")
    if "seal" in described and described["seal"] != seal(described):  # folders of 0.1.0 have none
        raise CheckpointError(f"'{path}' is not what was saved; copy the folder again or train anew")
    for key in ("config", "hashes", "info"):
        if not isinstance(described[key], dict):
            raise CheckpointError(f"'{path}' is damaged ('{key}' is no table); copy the folder again or train anew")
    return described


def load_model(folder: str | Path, *, device: str = "cpu", trust_code: bool | Collection[str] = False) -> Recommender:
    """Rebuild a model from its folder alone.

    Args:
        folder: written by `save_model`.
        device: where to score, as `Run` takes it: `cpu`, `cuda`, `auto`...
        trust_code: whether a model class outside recodiff, named in the folder, may be imported; or the names of those that may,
            each `module:Class`.

    Raises:
        CheckpointError: the folder is missing, damaged, foreign, or names a class that is not trusted.
        ConfigError: there is no such device here.
    """
    place = str(Run(device=device).torch_device)
    path = Path(folder)

    def read(model: Recommender) -> Mapping[str, Any]:
        return files.read_tensors(path / WEIGHTS, mapped=model.copies_state)[0]

    return rebuilt(path, read, (WEIGHTS, ITEMS, USERS), place, trust_code)


def rebuilt(
    folder: Path,
    read: Callable[[Recommender], Mapping[str, Any]],
    hashed: Collection[str],
    place: str = "cpu",
    trust_code: bool | Collection[str] = False,
) -> Recommender:
    """Rebuild a model from its folder, with weights from wherever they are.

    Args:
        folder: written by `save_model`, or a copy of it.
        read: gives the weights by name, to a model that has none yet; called once the files are known to be whole.
        hashed: the files that are compared with what was saved.
        place: the device to score on.
        trust_code: as for `load_model`.

    Raises:
        CheckpointError: as `load_model` says.
    """
    described = read_config(folder)
    if sentence := unfinished_beside(folder):
        warnings.warn(sentence, RecodiffWarning, stacklevel=3)
    name, hashes = described["model"], described["hashes"]
    refuse_untrusted(folder, classes_outside(name, described["config"]), trust_code)
    for file in hashed:
        if file != USERS or USERS in hashes:
            _refuse_changed(folder / file, hashes.get(file))
    with _fitting(folder):
        model = build(name, described["config"], where=str(folder / CONFIG))
    tensors = read(model)
    with _fitting(folder):
        users = _ids(folder / USERS) if USERS in hashes else None
        return model.restore(tensors, _ids(folder / ITEMS), place, users=users)


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    try:
        with contradictions_tolerated():
            yield
    except (RecodiffError, KeyError, RuntimeError, TypeError, ValueError, IndexError, pl.exceptions.PolarsError) as error:
        raise CheckpointError(f"'{folder}' does not fit this recodiff ({error}); update recodiff or train anew") from None


def classes_outside(name: str, settings: Mapping[str, Any]) -> frozenset[str]:
    """The classes, as `module:Class`, that building a model imports beside those of the registry.

    Args:
        name: of the model.
        settings: of the model; those of its components are looked through, however deep.
    """
    return frozenset(_named_in({"model": name, "settings": settings}))


def _named_in(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _named_in(inner)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "model" and isinstance(inner, str) and ":" in inner:
                yield inner
            yield from _named_in(inner)


def refuse_untrusted(folder: str | Path, named: Collection[str], trusted: bool | Collection[str]) -> None:
    """The one gate before code that a folder names is imported.

    Args:
        folder: that names it.
        named: the classes, as `classes_outside` gives them.
        trusted: all of them, none, or those that may be imported.

    Raises:
        CheckpointError: one of them is not trusted.
    """
    allowed = named if trusted is True else () if trusted is False else trusted
    if foreign := ", ".join(sorted(set(named) - set(allowed))):
        raise CheckpointError(f"'{folder}' asks to import '{foreign}'; say --trust-code (trust_code=True) if you trust that code")


def _refuse_changed(path: Path, expected: object) -> None:
    with files.reading(path, CheckpointError, AGAIN):
        if files.sha256(path) != expected:
            raise CheckpointError(f"'{path}' is not what was saved; {AGAIN}")


def _ids(table: Path) -> IdMap:
    return IdMap(_table(table)["id"])


def _table(path: Path) -> pl.DataFrame:
    with files.reading(path, CheckpointError, AGAIN):
        return pl.read_parquet(path, glob=False)


def load_titles(folder: str | Path) -> list[str | None] | None:
    """Read the items' titles in catalogue order, where the folder has them.

    Args:
        folder: written by `save_model`.

    Raises:
        CheckpointError: the folder is missing, damaged or foreign.
    """
    table = load_item_table(folder)
    return table["title"].cast(pl.String).to_list() if "title" in table.columns else None


def load_item_table(folder: str | Path) -> pl.DataFrame:
    """Read what a model folder knows of its items: `id`, and as present `title`, `COUNTS` and the rest, one row per item.

    Args:
        folder: written by `save_model`.

    Raises:
        CheckpointError: the folder is missing, damaged or foreign.
    """
    path = Path(folder) / ITEMS
    _refuse_changed(path, read_config(folder)["hashes"].get(ITEMS))
    return _table(path)
