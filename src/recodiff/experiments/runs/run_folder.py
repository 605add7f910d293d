"""The folder of a training: held, checked before it is written to, and cleared of what only an unfinished run needs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from recodiff.config import Settings, with_added
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError
from recodiff.evaluation.protocol import ChooseOn
from recodiff.experiments.runs.identity import naming
from recodiff.models.base import Recommender
from recodiff.models.model_files import (
    COMPONENT_FOLDERS,
    CONFIG,
    REFIT,
    is_unfinished,
    model_files,
    places_of,
    refuse_existing,
    training_files,
)
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.models.saving import names_of, read_config
from recodiff.runtime import distributed
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG, is_checkpoint

Refit = bool | Literal["all"]
"""Whether there is a last training on more than train: on train and valid (True), or on all parts."""


def forget_run(out: Path, model_name: str, settings: Settings) -> None:
    """Remove a run: its own files by name, and its folders where nothing else is in them.

    Args:
        out: the run's folder; one that is not there stays so.
        model_name: one of MODELS or `module:Class`.
        settings: of the model, nested.
    """
    if not out.is_dir():
        return
    described = build(model_name, settings).config.model_dump()
    with held(out):
        _remove(out, model_files(out) | training_files(out, described))
        _remove_empty(out, (out / place for place in places_of(described)))
    with suppress(OSError):  # it holds something else
        out.rmdir()


@contextmanager
def held_run(out: Path | None) -> Iterator[None]:
    """The run's folder for this command alone; a new folder that nothing came of is removed.

    Args:
        out: the folder; None holds nothing.
    """
    if out is None or not distributed.leads():
        yield
        return
    with held(out):
        yield


def refuse_other_run(out: Path, model: Recommender, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that may not be written, or whose run may not be lost; what an unfinished one left there is removed.

    Args:
        out: the folder.
        model: as built, with its settings.
        resume: whether an unfinished run in it is to go on.
        overwrite: whether a run in it may be replaced.

    Raises:
        CheckpointError: the folder cannot be written, or holds another run.
    """
    if not os.access(out, os.W_OK):
        raise CheckpointError(f"'{out}' cannot be written; choose another folder, or change its permissions")
    left = training_files(out, model.config.model_dump())
    writes = {*names_of(model), *_written_by(model), *_written_by(model, f"{REFIT}/")}
    if resume:
        refuse_existing(out, writes, overwrite=True, ours=left)
        return
    if not overwrite and (is_unfinished(out) or left) and CONFIG not in model_files(out):
        raise CheckpointError(f"'{out}' holds an unfinished run; go on with --resume, or say --overwrite")
    refuse_existing(out, writes, overwrite=overwrite, ours=left)
    _remove(out, left)


def _written_by(model: Recommender, place: str = "") -> Iterator[str]:
    """Names of the files that training writes, below the run's folder."""
    if isinstance(model, TorchRecommender):
        yield from (f"{place}{name}" for name in (CHECKPOINT, GROWING_LOG, LOG))
    for name, part in model.components().items():
        yield from _written_by(part, f"{place}{COMPONENT_FOLDERS}/{name}/")


def _remove(out: Path, names: Collection[str]) -> None:
    """Removes files of ours, and the folders below `out` that are left empty; last the files by which the others are known."""
    for name in sorted(names, key=lambda name: (name == CONFIG, name.endswith(CHECKPOINT), name)):
        (out / name).unlink(missing_ok=True)
    _remove_empty(out, ((out / name).parent for name in names))


def _remove_empty(out: Path, places: Iterable[Path]) -> None:
    """Removes folders below `out`, and those above them, that nothing is in."""
    below = {above for place in places for above in (place, *place.parents) if out in above.parents}
    for place in sorted(below, key=lambda place: -len(place.parts)):
        with suppress(OSError):  # it holds something else
            place.rmdir()


def is_finished_run(out: Path, model: Recommender, data: Dataset, run: Run, how: tuple[Refit, ChooseOn], overwrite: bool) -> bool:
    """Tell whether `out` holds the finished run of this very command.

    Args:
        out: the folder.
        model: as built, with its settings.
        data: what it is trained on.
        run: its seed is compared.
        how: whether it is refitted, and what its epochs are chosen on.
        overwrite: whether another run in it may be replaced.

    Raises:
        CheckpointError: it holds another's, which may not be lost.
    """
    goes_on = overwrite and is_checkpoint(out / CHECKPOINT)  # with what is to replace the finished run
    if goes_on or not (out / CONFIG).exists():
        return False
    described = read_config(out)
    info = described["info"]
    settings = model.config.model_dump(mode="json")
    asked = with_added(info.get("asked") or {}, settings, naming(model.registered, settings))
    theirs = described["model"], asked, info.get("data", {}).get("fingerprint"), info.get("seed")
    ours = model.registered, settings, data.fingerprint(), run.seed
    if theirs == ours and (info.get("refit"), info.get("choose_on", "valid")) == how:
        return True
    if not overwrite:
        raise CheckpointError(
            f"'{out}' holds a run with other settings, data or seed; resume with the command that began it, or say --overwrite"
        )
    return False
