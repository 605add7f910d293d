"""A model folder: config.json, weights.safetensors, items.parquet, and users.parquet where a model remembers its users.
It needs nothing else, and holds no pickle.

config.json is written last and holds the hashes of the others: a folder is whole, or it is refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.dataset import MANIFEST
from recodiff.data.interactions import IdMap
from recodiff.errors import CheckpointError, RecodiffError
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.runtime import distributed, files
from recodiff.runtime.folders import take_place
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import CHECKPOINT

FORMAT, VERSION = "recodiff-model", 1
CONFIG, WEIGHTS, ITEMS, USERS = "config.json", "weights.safetensors", "items.parquet", "users.parquet"


def save_model(
    model: Recommender,
    folder: str | Path,
    *,
    item_table: pl.DataFrame | None = None,
    info: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a fitted model; one whose items are shared is written by all processes together, whole.

    Args:
        model: a fitted model.
        folder: made if it is not there; other files in it are left alone.
        item_table: one row per item in catalogue order, `title` among its columns, kept beside the ids.
        info: what else should be known of it (data, seed, figures), as JSON.
        overwrite: whether a model already there may be replaced.

    Raises:
        CheckpointError: there is a model already, or the folder has no name, or cannot be written.
    """
    if not str(folder):
        raise CheckpointError("the model folder has no name; give one, such as 'runs/mine'")
    path = Path(folder).resolve()
    new = path.with_name(f".{path.name}.partial")
    if not distributed.leads() and model.shard is not None:
        distributed.write_tensors(new / WEIGHTS, model.state())
        return
    refuse_existing(path, overwrite)
    table = pl.DataFrame({"id": model.items.ids})
    if item_table is not None:
        table = table.hstack(item_table.select(pl.exclude("id", "item")))
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        distributed.write_tensors(new / WEIGHTS, model.state())
        tables = {ITEMS: table} | ({USERS: pl.DataFrame({"id": model.users.ids})} if model.remembers_users else {})
        for name, rows in tables.items():
            files.replace_with(new / name, rows.write_parquet, (pl.exceptions.PolarsError,))
        described = {
            "format": FORMAT,
            "version": VERSION,
            "recodiff": version("recodiff"),
            "model": model.registered,
            "config": model.config.model_dump(mode="json"),
            "hashes": {name: files.sha256(new / name) for name in (WEIGHTS, *tables)},
            "info": info or {},
        }
        files.write_json(new / CONFIG, described)
        _settle(new, path)
    except OSError as error:
        raise CheckpointError(
            f"model folder '{folder}' cannot be written ({error.strerror or error}); free space or choose another"
        ) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _settle(new: Path, path: Path) -> None:
    """Puts the new files in place. The log and the checkpoint of a run that stand in `path` stay with it."""
    if not (path / CONFIG).exists():
        path.mkdir(parents=True, exist_ok=True)
        for file in sorted(new.iterdir(), key=lambda file: file.name == CONFIG):  # it makes the folder a model, so it comes last
            file.replace(path / file.name)
        return
    for other in path.iterdir():
        if other.name not in (WEIGHTS, ITEMS, USERS, CONFIG):
            other.rename(new / other.name)
    take_place(new, path)


def is_unfinished(folder: str | Path) -> bool:
    """Whether a training was begun there whose model was never written."""
    path = Path(folder)
    if (path / CONFIG).exists() or (path / MANIFEST).exists():
        return False
    return (path / CHECKPOINT).exists() or next((path / "parts").rglob(CHECKPOINT), None) is not None


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raises CheckpointError where `path` holds data, or a model that it may not lose."""
    if (path / MANIFEST).exists():
        raise CheckpointError(f"'{path}' is a data folder (it holds {MANIFEST}); give the model a folder of its own")
    if (path / CONFIG).exists() and not overwrite:
        raise CheckpointError(f"'{path}' already holds a model; choose another folder or say --overwrite (overwrite=True)")


def read_config(folder: str | Path) -> dict[str, Any]:
    """What config.json of a model folder holds, checked for format and version.

    Raises:
        CheckpointError: the folder is missing, foreign or of a later version.
    """
    path = Path(folder) / CONFIG
    try:
        described = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if is_unfinished(folder):
            raise CheckpointError(
                f"'{folder}' holds an unfinished run and no model yet; go on with the command that began it and --resume"
            ) from None
        raise CheckpointError(
            f"'{folder}' holds no model ({CONFIG} is missing); give the folder that `recodiff train` wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"'{path}' cannot be read ({error}); copy the folder again or train anew") from None
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not a recodiff model; give the folder that `recodiff train` wrote")
    if described.get("version") != VERSION:
        raise CheckpointError(
            f"'{folder}' has format version {described.get('version')}, this recodiff reads {VERSION}; update recodiff"
        )
    if lacking := {"model", "config", "hashes", "info"} - described.keys():
        raise CheckpointError(f"'{path}' lacks {', '.join(sorted(lacking))}; copy the folder again or train anew")
    return described


def load_model(folder: str | Path, *, device: str = "cpu", trust_code: bool = False) -> Recommender:
    """Rebuilds a model from its folder alone.

    Args:
        folder: written by `save_model`.
        device: where to score, as `Run` takes it: `cpu`, `cuda`, `auto`...
        trust_code: whether a model class outside recodiff, named in the folder, may be imported.

    Raises:
        CheckpointError: the folder is missing, damaged, foreign, or names a class that is not trusted.
        ConfigError: there is no such device here.
    """
    place = str(Run(device=device).torch_device)
    path, described = Path(folder), read_config(folder)
    name = described["model"]
    if (foreign := ", ".join(_foreign({key: described[key] for key in ("model", "config")}))) and not trust_code:
        raise CheckpointError(f"'{folder}' asks to import '{foreign}'; say --trust-code (trust_code=True) if you trust that code")
    hashes = described["hashes"] if isinstance(described["hashes"], dict) else {}
    for file in (WEIGHTS, ITEMS, *([USERS] if USERS in hashes else [])):
        if not (path / file).exists() or files.sha256(path / file) != hashes.get(file):
            raise CheckpointError(f"'{path / file}' is missing or not what was saved; copy the folder again or train anew")
    tensors, _ = files.read_tensors(path / WEIGHTS)
    try:
        model = build(name, described["config"], where=str(path / CONFIG))
        users = _ids(path / USERS) if USERS in hashes else None
        return model.restore(tensors, _ids(path / ITEMS), place, users=users)
    except (RecodiffError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"'{folder}' does not fit this recodiff ({error}); update recodiff or train anew") from None


def _foreign(described: Mapping[str, Any]) -> Iterator[str]:
    """Classes outside recodiff that a model, or a part of one, however deep, is of."""
    for key, value in described.items():
        if isinstance(value, Mapping):
            yield from _foreign(value)
        elif key == "model" and ":" in str(value):
            yield str(value)


def _ids(table: Path) -> IdMap:
    return IdMap(pl.read_parquet(table)["id"])


def load_titles(folder: str | Path) -> list[str | None] | None:
    """The items' titles in catalogue order, where the folder has them."""
    table = pl.read_parquet(Path(folder) / ITEMS)
    return table["title"].cast(pl.String).to_list() if "title" in table.columns else None
