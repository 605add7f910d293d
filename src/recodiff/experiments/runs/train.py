"""Train a model on one data folder and save it: what `recodiff train` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.config import Settings, with_added
from recodiff.configs import read_settings
from recodiff.data.dataset import Dataset
from recodiff.data.interactions import Interactions
from recodiff.data.saving import load_dataset
from recodiff.errors import CheckpointError, ConfigError
from recodiff.evaluation.protocol import ChooseOn, Stages, stages
from recodiff.evaluation.validation import Validation
from recodiff.experiments.runs.deciding_metric import stopped_by_short_lists
from recodiff.experiments.runs.identity import naming
from recodiff.experiments.runs.model_card import CardFigures, CardNotes, validation_figures, write_card
from recodiff.experiments.runs.provenance import provenance
from recodiff.models.base import Recommender
from recodiff.models.registry import MODELS, build
from recodiff.models.saving import (
    CONFIG,
    COUNTS,
    classes_outside,
    is_unfinished,
    load_model,
    owned_by,
    read_config,
    refuse_existing,
    save_model,
)
from recodiff.runtime import distributed
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run, Shared
from recodiff.training.checkpoint import CHECKPOINT, LOG

Source = str | Path | Mapping[str, Any]
"""Where settings come from: a model's name, a preset, a TOML file, or nested settings with the key `model`."""
REFIT = "refit"
"""The folder, inside a run's, of the training that follows the choice of epochs."""


def train(
    source: Source,
    data: Dataset | str | Path,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    refit: bool = False,
    choose_on: ChooseOn = "valid",
    shard: Shared = "none",
    overwrite: bool = False,
    progress: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Recommender:
    """Train a model as `recodiff train` does: on the training part, for as many epochs as the validation part chooses.

    Example: `recodiff.train("ease", "data/clicks", out="runs/ease", overrides=["l2=300"])`

    Args:
        source: a model (`recodiff.MODELS`), a preset (`recodiff.presets()`), a TOML file, or settings such as
            `{"model": "ease", "l2": 300.0}`.
        data: a dataset, or a data folder.
        out: the folder for the model and its log; nothing is written without one.
        overrides: settings such as `training.lr=0.001`, laid upon those of a model, a preset or a file.
        seed: of everything random, 0 or more.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`...
        threads: CPU threads for the whole process; all cores unless given.
        resume: whether to go on where an interrupted run in `out` stopped.
        refit: whether to train once more, on train and validation together, for the epochs that validation chose.
        choose_on: what chooses the epochs: `valid`, or `inner` for the newest tenth of each training history.
        shard: `items`, where each of several processes is to hold the weights of its share of the items.
        overwrite: whether a run already in `out` may be replaced.
        progress: whether a progress bar may be shown.
        tell: receives what is worth knowing before training, a sentence at a time.

    Returns:
        The fitted model.

    Raises:
        ConfigError: the source, a setting or an option is wrong.
        DataError: the data cannot be read, or lacks what the model needs.
        ModelError: training fails.
        CheckpointError: `out` holds another run.
    """
    name, settings, where = settings_of(source, overrides)
    run = Run(device, seed, threads, None if out is None else Path(out), resume, progress, tell, shard)
    dataset = data if isinstance(data, Dataset) else load_dataset(data)
    how: dict[str, Any] = {"refit": refit, "choose_on": choose_on, "overwrite": overwrite, "card": CardNotes()}
    return train_run(name, settings, dataset, run, where=where, **how)


def settings_of(source: Source, overrides: Sequence[str] = ()) -> tuple[str, Settings, str | None]:
    """The model's name, its settings, and what error messages call them.

    Args:
        source: as for `train`.
        overrides: as for `train`.

    Raises:
        ConfigError: there is no such source, it names no model, or overrides stand beside settings.
    """
    if not isinstance(source, Mapping):
        return *read_settings(source, overrides, models=MODELS), str(source)
    if overrides:
        raise ConfigError("overrides are for a model, a preset or a file; put them into the settings instead")
    settings = dict(source)
    name = settings.pop("model", None)
    if not isinstance(name, str):
        raise ConfigError("the settings name no model; add one, such as {'model': 'ease', 'l2': 300.0}")
    return name, settings, None


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
    card: CardNotes | None = None,
) -> Recommender:
    """Train a model on the training part, by the validation part where there is one, and save it to `run.out`.

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
        card: what the model card says beside what is known here; without it none is written.

    Raises:
        ConfigError: a setting is wrong, or a refit has no validation part to go by.
        CheckpointError: `run.out` holds another run.
    """
    model = build(model_name, settings, where=where)
    staged = stages(data, choose_on=choose_on)
    if staged.choice is not None:
        model = stopped_by_short_lists(model, model_name, settings, staged.choice, run.tell)
    with _held(run.out):
        if run.out is not None:
            if distributed.leads():
                _check_out(run.out, model, run.resume, overwrite)
            if run.resume and _is_done(run.out, model, data, run, (refit, choose_on), overwrite):
                return load_model(run.out, device=str(run.torch_device), trust_code=classes_outside(model_name, settings))
        if refit and data.valid is None:
            raise ConfigError(f"refit needs the validation part to choose the epochs, and data '{data.name}' has none")
        began = time.perf_counter()
        validate = None if staged.choice is None else Validation(staged.choice, validation_metrics(model))
        model.fit(staged.train, run, validate=validate)
        info: dict[str, Any] = {"asked": model.config.model_dump(mode="json"), "refit": refit, "choose_on": choose_on}
        figures = _card_figures(model, staged, run, card)
        learned = staged.train
        if refit or choose_on == "inner":
            info["chosen"] = _without_log(model.summary)
            learned = staged.train_and_valid if refit else data.train
            model = _refit(model, model_name, learned, run)
        info |= {"training": _without_log(model.summary), "seconds": round(time.perf_counter() - began, 2)}
        if run.out is not None and (distributed.leads() or model.shard):
            described = provenance(data, run) | info | {"parameters": model.parameters}
            table = _with_counts(data, learned)
            text = None if card is None else write_card(model, data, described, figures, card.remarks)
            save_model(model, run.out, item_table=table, info=described, card=text, overwrite=overwrite)
            if distributed.leads():
                _clear(run.out, model)
        return model


def _card_figures(model: Recommender, staged: Stages, run: Run, card: CardNotes | None) -> Sequence[CardFigures]:
    if card is None or run.out is None:
        return ()
    return validation_figures(model, staged, progress=run.progress) if card.figures is None else card.figures


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


def _with_counts(data: Dataset, learned: Interactions) -> pl.DataFrame:
    """The item table with how often each item stands in what was learned from."""
    counts = pl.Series(COUNTS, np.bincount(learned.matrix.indices, minlength=learned.n_items).astype(np.int64))
    return counts.to_frame() if data.item_table is None else data.item_table.with_columns(counts)


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


def validation_metrics(model: Recommender) -> tuple[str, ...]:
    """The metrics that are measured on validation; first the one that decides."""
    return tuple(dict.fromkeys((*model.validation_metrics, "recall@20", "ndcg@20")))


def _refit(model: Recommender, name: str, train: Interactions, run: Run) -> Recommender:
    again = replace(run, out=None if run.out is None else run.out / REFIT)
    return build(name, model.refit_settings()).fit(train, again)


def _without_log(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: _without_log(value) if isinstance(value, dict) else value for key, value in summary.items() if key != "log"}
