"""Which files of a folder are a model's or its training's, and so may be replaced or removed; every other stays."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from recodiff.data.saving import MANIFEST
from recodiff.errors import CheckpointError
from recodiff.runtime import files
from recodiff.runtime.folders import link_above, refuse_files_of_others
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG, is_checkpoint, is_log

FORMAT, VERSION = "recodiff-model", 1
CONFIG, WEIGHTS, ITEMS, USERS = "config.json", "weights.safetensors", "items.parquet", "users.parquet"
CARD = "README.md"
"""The model card; the folder's as long as it is what config.json has the hash of."""
OWNED = frozenset({CONFIG, WEIGHTS, ITEMS, USERS})
"""Names of a model's files; those that config.json has a hash of are the model's."""
REFIT, COMPONENT_FOLDERS = "refit", "parts"
"""The folders, inside a run's, of the training that follows the choice of epochs, and of the components of a mixture."""


def model_files(folder: Path) -> frozenset[str]:
    """Names of files that are a model's in a folder, its logs among them; none where config.json is not there, or another's.

    Args:
        folder: of a model. README.md is the model's only while it is as it was written.
    """
    described = files.described(folder / CONFIG, FORMAT)
    if described is None:
        return frozenset()
    hashes = described.get("hashes")
    hashes = hashes if isinstance(hashes, dict) else {}
    card = {CARD} if CARD in hashes and files.is_unchanged(folder / CARD, hashes[CARD]) else set[str]()
    return frozenset({CONFIG} | (OWNED & hashes.keys()) | card) | training_files(folder, described.get("config"), finished=True)


def training_files(folder: Path, settings: object, *, finished: bool = False) -> frozenset[str]:
    """Names of files of ours that a training has left in a folder.

    Args:
        folder: of the run.
        settings: of the model.
        finished: whether a model of ours stands there, so that logs are ours where there is no checkpoint too.
    """
    found = set[str]()
    for place in places_of(settings):
        if link_above(folder, f"{place}{CHECKPOINT}"):
            continue
        begun = is_checkpoint(folder / place / CHECKPOINT)
        found |= {f"{place}{CHECKPOINT}"} if begun else set()
        found |= {f"{place}{name}" for name in (GROWING_LOG, LOG) if (begun or finished) and is_log(folder / place / name)}
    return frozenset(found)


def places_of(settings: object) -> Iterator[str]:
    """The places, below a run's folder, that a training and those of its components write to: `""`, `refit/`, `parts/rows/`...

    Args:
        settings: of the model, whoever wrote them.
    """
    for place in ("", f"{REFIT}/"):
        yield place
        parts = settings.get("parts") if isinstance(settings, Mapping) else None
        for name, part in parts.items() if isinstance(parts, Mapping) else ():
            inner = part.get("settings") if isinstance(part, Mapping) else None
            if files.is_plain_name(name):
                yield from (f"{place}{COMPONENT_FOLDERS}/{name}/{deeper}" for deeper in places_of(inner))


def logs_of(summary: Mapping[str, Any], place: str = "") -> dict[str, str]:
    """The logs of a training and of its components as files, name -> content.

    Args:
        summary: of a fitted model.
        place: where, below the run's folder, it was trained; one of `places_of`.
    """
    found = {f"{place}{LOG}": "".join(json.dumps(entry) + "\n" for entry in summary["log"])} if "log" in summary else {}
    for name, inner in summary.items():
        if isinstance(inner, Mapping):
            found |= logs_of(inner, f"{place}{COMPONENT_FOLDERS}/{name}/")
    return found


def is_unfinished(folder: str | Path) -> bool:
    """Tell whether a training was begun there whose model was never written.

    Args:
        folder: of a run.
    """
    path = Path(folder)
    if (path / CONFIG).exists() or (path / MANIFEST).exists():
        return False
    return (path / CHECKPOINT).exists() or next((path / COMPONENT_FOLDERS).rglob(CHECKPOINT), None) is not None


def unfinished_beside(folder: Path) -> str | None:
    """The sentence about a model beside which a training stands that was to replace it and was never finished.

    Args:
        folder: of the model.
    """
    if not is_checkpoint(folder / CHECKPOINT):
        return None
    return (
        f"beside the model in '{folder}' stands an unfinished training that was to replace it; "
        f"go on with the command that began it and --resume, or remove {CHECKPOINT}"
    )


def refuse_existing(path: Path, names: Collection[str], *, overwrite: bool, ours: Collection[str] = ()) -> None:
    """Refuse a folder that holds data, a model that it may not lose, or files of such names that are not ours.

    Args:
        path: the folder.
        names: of the files to write.
        overwrite: whether a model there may be replaced.
        ours: further files that may be.

    Raises:
        CheckpointError: for `path`.
    """
    if (path / MANIFEST).exists():
        raise CheckpointError(f"'{path}' is a data folder (it holds {MANIFEST}); give the model a folder of its own")
    theirs = model_files(path)
    if CONFIG in theirs and not overwrite:
        beside = " and, beside it, an unfinished training; go on with --resume," if is_checkpoint(path / CHECKPOINT) else ";"
        raise CheckpointError(f"'{path}' already holds a model{beside} choose another folder or say --overwrite (overwrite=True)")
    refuse_files_of_others(path, names, {*theirs, *ours})
