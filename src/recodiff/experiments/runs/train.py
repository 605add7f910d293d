"""Train a model on one data folder and save it: what `recodiff train` does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.data.interactions import Interactions
from recodiff.errors import CheckpointError, ConfigError
from recodiff.evaluation.protocol import ChooseOn, stages
from recodiff.evaluation.validation import Validation
from recodiff.experiments.runs.provenance import provenance
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.models.saving import CONFIG, classes_outside, is_unfinished, load_model, read_config, refuse_existing, save_model
from recodiff.runtime import distributed
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import CHECKPOINT

REFIT = "refit"
"""The folder, inside a run's, of the training that follows the choice of epochs."""


def train_run(
    model_name: str,
    settings: Settings,
    data: Dataset,
    run: Run,
    *,
    refit: bool = False,
    choose_on: ChooseOn = "valid",
    overwrite: bool = False,
    where: str | None = None,
) -> Recommender:
    """Trains a model on the training part, by the validation part where there is one, and saves it to `run.out`.

    Args:
        model_name: one of MODELS or `module:Class`.
        settings: of the model, nested.
        data: the data folder.
        run: device, seed, folder, resume.
        refit: whether to train once more, on train and validation together, for the epochs that validation chose.
        choose_on: `inner` leaves the validation part alone: it chooses on the newest tenth of each user's training history,
            then trains once more on all of it (with `refit`, on train and validation).
        overwrite: whether a run already in `run.out` may be replaced.
        where: named in error messages about settings.

    Raises:
        ConfigError: a setting is wrong, or a refit has no validation part to go by.
        CheckpointError: `run.out` holds another run.
    """
    model = build(model_name, settings, where=where)
    with _held(run.out):
        if run.out is not None:
            if distributed.leads():
                _check_out(run.out, model, run.resume, overwrite)
            if run.resume and _is_done(run.out, model, data, run, (refit, choose_on), overwrite):
                return load_model(run.out, device=str(run.torch_device), trust_code=classes_outside(model_name, settings))
        if refit and data.valid is None:
            raise ConfigError(f"refit needs the validation part to choose the epochs, and data '{data.name}' has none")
        began = time.perf_counter()
        staged = stages(data, choose_on=choose_on)
        validate = None if staged.choice is None else Validation(staged.choice, validation_metrics(model))
        model.fit(staged.train, run, validate=validate)
        info: dict[str, Any] = {"asked": model.config.model_dump(mode="json"), "refit": refit, "choose_on": choose_on}
        if refit or choose_on == "inner":
            info["chosen"] = _without_log(model.summary)
            model = _refit(model, model_name, staged.train_and_valid if refit else data.train, run)
        info |= {"training": _without_log(model.summary), "seconds": round(time.perf_counter() - began, 2)}
        if run.out is not None and (distributed.leads() or model.shard):
            described = provenance(data, run) | info | {"parameters": model.parameters}
            save_model(model, run.out, item_table=data.item_table, info=described, overwrite=overwrite)
            if distributed.leads():
                _clear(run.out, model)
        return model


@contextmanager
def _held(out: Path | None) -> Iterator[None]:
    """The run's folder for this command alone; a new folder that nothing came of is removed."""
    if out is None or not distributed.leads():
        yield
        return
    with held(out):
        yield


def _check_out(out: Path, model: Recommender, resume: bool, overwrite: bool) -> None:
    if not os.access(out, os.W_OK):
        raise CheckpointError(f"'{out}' cannot be written; choose another folder, or change its permissions")
    if resume:
        return
    refuse_existing(out, overwrite)
    if not overwrite and (is_unfinished(out) or any(path.exists() for path in _checkpoints(out, model.config.model_dump()))):
        raise CheckpointError(f"'{out}' holds an unfinished run; go on with --resume, or say --overwrite")
    _clear(out, model)


def _clear(out: Path, model: Recommender) -> None:
    """Removes what only an unfinished run needs: this run's own files, by name."""
    for path in _checkpoints(out, model.config.model_dump()):
        path.unlink(missing_ok=True)


def _checkpoints(out: Path, settings: Settings) -> Iterator[Path]:
    """Where a run in `out` may have left a checkpoint: a model's own, and those of its components."""
    for place in (out, out / REFIT):
        yield place / CHECKPOINT
        for name, part in (settings.get("parts") or {}).items():
            yield from _checkpoints(place / "parts" / name, part.get("settings") or {})


def _is_done(out: Path, model: Recommender, data: Dataset, run: Run, how: tuple[bool, ChooseOn], overwrite: bool) -> bool:
    """Whether `out` holds the finished run of this very command.

    Raises:
        CheckpointError: it holds another's, which may not be lost.
    """
    if not (out / CONFIG).exists():
        return False
    described = read_config(out)
    info = described["info"]
    theirs = described["model"], info.get("asked"), info.get("data", {}).get("fingerprint"), info.get("seed")
    ours = model.registered, model.config.model_dump(mode="json"), data.fingerprint(), run.seed
    if theirs == ours and (info.get("refit"), info.get("choose_on", "valid")) == how:
        return True
    if not overwrite:
        raise CheckpointError(
            f"'{out}' holds a run with other settings, data or seed; resume with the command that began it, or say --overwrite"
        )
    return False


def validation_metrics(model: Recommender) -> tuple[str, ...]:
    """What is measured on validation; first the one that decides."""
    return tuple(dict.fromkeys((*model.judged_by, "recall@20", "ndcg@20")))


def _refit(model: Recommender, name: str, train: Interactions, run: Run) -> Recommender:
    again = replace(run, out=None if run.out is None else run.out / REFIT)
    return build(name, model.chosen()).fit(train, again)


def _without_log(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: _without_log(value) if isinstance(value, dict) else value for key, value in summary.items() if key != "log"}
