"""The folder of a training: held, checked before it is written to, and cleared of what only an unfinished run needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from recodiff.config import Settings, with_added
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError
from recodiff.evaluation.protocol import ChooseOn
from recodiff.experiments.runs.identity import naming
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.models.saving import CONFIG, is_unfinished, owned_by, read_config, refuse_existing
from recodiff.runtime import distributed
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import CHECKPOINT, LOG

Refit = bool | Literal["all"]
"""Whether there is a last training on more than train: on train and valid (True), or on all parts."""
REFIT = "refit"
"""The folder, inside a run's, of the training that follows the choice of epochs."""


def forget_run(out: Path, model_name: str, settings: Settings) -> None:
    """Remove a run: its own files by name, and its folders where nothing else is in them.

    Args:
        out: the run's folder; one that is not there stays so.
        model_name: one of MODELS or `module:Class`.
        settings: of the model, nested.
    """
    checkpoints = list(_checkpoints(out, build(model_name, settings).config.model_dump()))
    places = {out, *(path.parent for path in checkpoints)}
    for path in (*checkpoints, *(place / LOG for place in places), *(out / name for name in sorted(owned_by(out)))):
        path.unlink(missing_ok=True)
    inside = {place / "parts" for place in places} | {path for place in places for path in place.parents if out in path.parents}
    for place in sorted(places | inside, key=lambda place: -len(place.parts)):
        with suppress(OSError):  # it holds something else, or was never made
            place.rmdir()


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
    if resume:
        return
    refuse_existing(out, overwrite)
    if not overwrite and (is_unfinished(out) or any(path.exists() for path in _checkpoints(out, model.config.model_dump()))):
        raise CheckpointError(f"'{out}' holds an unfinished run; go on with --resume, or say --overwrite")
    clear_checkpoints(out, model)


def clear_checkpoints(out: Path, model: Recommender) -> None:
    """Remove what only an unfinished run needs: this run's own files, by name.

    Args:
        out: the folder.
        model: as built; it names its checkpoints.
    """
    for path in _checkpoints(out, model.config.model_dump()):
        path.unlink(missing_ok=True)


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
    if not (out / CONFIG).exists():
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


def _checkpoints(out: Path, settings: Settings) -> Iterator[Path]:
    """Where a run in `out` may have left a checkpoint: a model's own, and those of its components."""
    for place in (out, out / REFIT):
        yield place / CHECKPOINT
        for name, part in (settings.get("parts") or {}).items():
            yield from _checkpoints(place / "parts" / name, part.get("settings") or {})
