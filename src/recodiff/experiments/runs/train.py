"""Train a model on one data folder and save it: what `recodiff train` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.config import Settings
from recodiff.configs import read_settings
from recodiff.data.dataset import Dataset
from recodiff.data.interactions import Interactions
from recodiff.data.saving import load_dataset
from recodiff.errors import CheckpointError, ConfigError
from recodiff.evaluation.protocol import ChooseOn, Stages, stages
from recodiff.evaluation.validation import Validation
from recodiff.experiments.runs.deciding_metric import stopped_by_short_lists
from recodiff.experiments.runs.model_card import CardFigures, CardNotes, validation_figures, write_card
from recodiff.experiments.runs.provenance import provenance
from recodiff.experiments.runs.run_folder import Refit, held_run, is_finished_run, refuse_other_run
from recodiff.models.base import Recommender
from recodiff.models.model_files import REFIT, logs_of, model_files, training_files
from recodiff.models.registry import MODELS, build
from recodiff.models.saving import (
    COUNTS,
    classes_outside,
    load_model,
    save_model,
)
from recodiff.runtime import distributed
from recodiff.runtime.run import Run, Shared
from recodiff.tracking.tracker import Tracked, TrackerName, open_tracked

Source = str | Path | Mapping[str, Any]
"""Where settings come from: a model's name, a preset, a TOML file, or nested settings with the key `model`."""


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
    track: TrackerName | None = None,
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
        track: `tensorboard`, `mlflow` or `wandb`, which then shows parameters, curves, figures and the model folder.
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
    how: dict[str, Any] = {"refit": refit, "choose_on": choose_on, "overwrite": overwrite, "card": CardNotes(), "track": track}
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


def train_again(
    model_name: str, settings: Settings, data: Dataset, run: Run, *, refit: Refit, card: CardNotes, **how: Any
) -> Recommender:
    """Do what `train_run` does into a folder whose model may be replaced, going on where the same training was interrupted.

    Args:
        model_name: one of MODELS or `module:Class`.
        settings: of the model, nested.
        data: the data folder.
        run: with the folder.
        refit: as for `train_run`.
        card: as for `train_run`.
        how: what else `train_run` takes.
    """
    how |= {"refit": refit, "overwrite": True, "card": card}
    try:
        return train_run(model_name, settings, data, replace(run, resume=True), **how)
    except CheckpointError:  # half a training of other settings
        return train_run(model_name, settings, data, replace(run, resume=False), **how)


def train_run(
    model_name: str,
    settings: Settings,
    data: Dataset,
    run: Run,
    *,
    refit: Refit = False,
    choose_on: ChooseOn = "valid",
    overwrite: bool = False,
    where: str | None = None,
    card: CardNotes | None = None,
    track: TrackerName | None = None,
) -> Recommender:
    """Train a model on the training part, by the validation part where there is one, and save it to `run.out`.

    Args:
        model_name: one of MODELS or `module:Class`.
        settings: of the model, nested.
        data: the data folder.
        run: device, seed, folder, resume.
        refit: whether to train once more, on train and validation together, for the epochs that validation chose; `all` for a
            last training on all parts, after which nothing is left to measure the model on.
        choose_on: `inner` leaves the validation part alone: it chooses on the newest tenth of each user's training history. Then
            it trains once more on all of it, with `refit` on train and validation.
        overwrite: whether a run already in `run.out` may be replaced.
        where: named in error messages about settings.
        card: what the model card says beside what is known here; without it none is written.
        track: the tracker that shows the training, none unless given.

    Raises:
        ConfigError: a setting is wrong, or a refit has no validation part to go by.
        CheckpointError: `run.out` holds another run.
    """
    model = build(model_name, settings, where=where)
    staged = stages(data, choose_on=choose_on)
    if staged.choice is not None:
        model = stopped_by_short_lists(model, model_name, settings, staged.choice, run.tell)
    if staged.inner_note and run.tell is not None:
        run.tell(staged.inner_note)
    with held_run(run.out):
        if run.out is not None:
            if distributed.leads():
                refuse_other_run(run.out, model, run.resume, overwrite)
            if run.resume and is_finished_run(run.out, model, data, run, (refit, choose_on), overwrite):
                return load_model(run.out, device=str(run.torch_device), trust_code=classes_outside(model_name, settings))
        if refit and data.valid is None:
            raise ConfigError(f"refit needs the validation part to choose the epochs, and data '{data.name}' has none")
        with open_tracked(track, f"{model_name} on {data.name}, seed {run.seed}", run.out) as tracked:
            tracked.parameters({"model": model_name, "seed": run.seed, "data": data.name, **model.config.model_dump(mode="json")})
            watched = run if track is None else replace(run, on_epoch=tracked.curve)
            measured = track is not None or (card is not None and card.figures is None and run.out is not None)
            fitted = _fit(model, staged, watched, refit=refit, measured=measured)
            if run.out is not None and (distributed.leads() or fitted.model.shard):
                _save(fitted, data, run, card, overwrite=overwrite)
            _track_result(tracked, fitted, run.out)
        return fitted.model


@dataclass(frozen=True)
class _Fitted:
    """A model, the interactions that it learned from, what config.json says of that, figures before the last training, and logs."""

    model: Recommender
    learned: Interactions
    info: dict[str, Any]
    figures: Sequence[CardFigures]
    logs: Mapping[str, str]


def _fit(model: Recommender, staged: Stages, run: Run, *, refit: Refit, measured: bool) -> _Fitted:
    began = time.perf_counter()
    validate = None if staged.choice is None else Validation(staged.choice, validation_metrics(model))
    model.fit(staged.train, run, validate=validate)
    spent, learned, logs = time.perf_counter() - began, staged.train, logs_of(model.summary)
    info: dict[str, Any] = {"asked": model.config.model_dump(mode="json"), "refit": refit, "choose_on": staged.choose_on}
    figures = validation_figures(model, staged, progress=run.progress) if measured else ()
    if refit or staged.choose_on == "inner":
        info["chosen"] = _without_log(model.summary)
        learned = staged.everything if refit == "all" else staged.train_and_valid if refit else staged.data.train
        began = time.perf_counter()
        model = _refit(model, model.registered, learned, run)
        logs |= logs_of(model.summary, f"{REFIT}/")
        spent += time.perf_counter() - began
    info |= {"training": _without_log(model.summary), "seconds": round(spent, 2), "parameters": model.parameters}
    return _Fitted(model, learned, info, figures, logs)


def _save(fitted: _Fitted, data: Dataset, run: Run, card: CardNotes | None, *, overwrite: bool) -> None:
    assert run.out is not None
    described = provenance(data, run) | fitted.info
    if fitted.learned.time_kind == "clock" and fitted.learned.times is not None and fitted.learned.nnz:
        described["data"] = described["data"] | {"until": int(fitted.learned.times.max())}
    text = None
    if card is not None:
        text = write_card(fitted.model, data, described, fitted.figures if card.figures is None else card.figures, card.remarks)
    table = _with_counts(data, fitted.learned)
    left = training_files(run.out, fitted.model.config.model_dump()) if distributed.leads() else ()
    kept: dict[str, Any] = {"overwrite": overwrite, "logs": fitted.logs, "replaces": left}
    save_model(fitted.model, run.out, item_table=table, info=described, card=text, **kept)


def _track_result(tracked: Tracked, fitted: _Fitted, out: Path | None) -> None:
    for one in fitted.figures:
        tracked.figures({f"valid/{metric}": mean.value for metric, mean in one.means.items()})
    tracked.figures({"seconds": fitted.info["seconds"], "parameters": fitted.info["parameters"]})
    if out is not None:
        tracked.files([path for name in sorted(model_files(out)) if (path := out / name).is_file()], "model")


def _with_counts(data: Dataset, learned: Interactions) -> pl.DataFrame:
    """The item table with how often each item stands in what was learned from."""
    counts = pl.Series(COUNTS, np.bincount(learned.matrix.indices, minlength=learned.n_items).astype(np.int64))
    return counts.to_frame() if data.item_table is None else data.item_table.with_columns(counts)


def validation_metrics(model: Recommender) -> tuple[str, ...]:
    """The metrics that are measured on validation; first the one that decides.

    Args:
        model: as built, with its settings.
    """
    return tuple(dict.fromkeys((*model.validation_metrics, "recall@20", "ndcg@20")))


def _refit(model: Recommender, name: str, train: Interactions, run: Run) -> Recommender:
    again = replace(run, out=None if run.out is None else run.out / REFIT, longest=None)  # its epochs are known
    return build(name, model.refit_settings()).fit(train, again)


def _without_log(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: _without_log(value) if isinstance(value, dict) else value for key, value in summary.items() if key != "log"}
