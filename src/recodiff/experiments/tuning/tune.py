"""Settings chosen on the validation part: the same budget for every method, and the test part never looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError
from recodiff.evaluation.protocol import stages
from recodiff.evaluation.validation import Validation
from recodiff.experiments.runs.deciding_metric import chosen_by, stopped_by_short_lists
from recodiff.experiments.runs.model_card import CardNotes
from recodiff.experiments.runs.train import Source, settings_of, train_again, validation_metrics
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.dimensions import Space, reachable
from recodiff.experiments.tuning.search import Search, SearchTask
from recodiff.experiments.tuning.spaces import space_of
from recodiff.experiments.tuning.study import open_study
from recodiff.experiments.tuning.tuning_result import BEST, TRIALS, TuningResult
from recodiff.models.base import Recommender
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.moved import warn_deprecated
from recodiff.runtime.run import Run
from recodiff.tracking.tracker import NOT_TRACKED, Tracked, TrackerName, open_tracked

USUAL_TRIALS = 50
"""Unless a budget is given; as in the reproducibility studies whose ranges the spaces have."""


def tune(
    source: Source,
    data: Dataset | str | Path,
    budget: Budget | None = None,
    *old: Any,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    space: Space | None = None,
    recency: bool = False,
    progress: bool = True,
    track: TrackerName | None = None,
    tell: Callable[[str], None] | None = None,
    **old_named: Any,
) -> TuningResult:
    """Search settings of a model as `recodiff tune` does: by its figure on the validation part; the test part is not read.

    Example: `recodiff.tune("ease", "data/clicks", recodiff.Budget(trials=30), recency=True)`

    Args:
        source: a model (`recodiff.MODELS`), a preset (`recodiff.presets()`), a TOML file, or settings such as
            `{"model": "ease", "l2": 300.0}`: the first trial.
        data: a dataset with a validation part, or its folder.
        budget: for all trials, those of earlier calls in `out` among them; 50 trials unless given.
        old: arguments in the order of 0.1.0, `(name, settings, data, run, budget)`, which goes with 0.3.0.
        out: the folder of the study, which the same call goes on with; the study is in memory without one.
        overrides: settings such as `training.epochs=200`, which are held; not beside settings.
        seed: of draws and trainings, 0 or more.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`...
        threads: CPU threads for the whole process; all cores unless given.
        space: what is drawn, dotted key -> dimension, in place of the declared ranges.
        recency: whether weightings by recency are searched too.
        progress: whether a progress bar may be shown.
        track: `tensorboard`, `mlflow` or `wandb`, which then shows the trials of this call and what was found.
        tell: receives what is worth knowing before the search, a sentence at a time.
        old_named: as `old`, by name.

    Returns:
        The best settings, the trial that had them, and all trials.

    Raises:
        ConfigError: the source, a setting or the space is wrong, or nothing is left to search.
        DataError: the data cannot be read, has no validation part, or lacks the order that a weighting needs.
        CheckpointError: the folder holds another study, or something else.
        ModelError: every trial failed.
        MissingExtraError: Optuna is not installed.
    """
    if isinstance(data, Mapping):
        warn_deprecated("recodiff.tune(name, settings, data, run, budget)", "recodiff.tune(source, data, budget)")
        return tune_settings(source, data, budget, *old, space=space, recency=recency, **old_named)  # type: ignore[arg-type]
    if old or old_named:
        raise TypeError(f"tune() does not know the arguments {', '.join([*map(repr, old), *old_named])}")
    name, settings, where = settings_of(source, overrides)
    dataset = data if isinstance(data, Dataset) else load_dataset(data)
    run = Run(device, seed, threads, None if out is None else Path(out), progress=progress, tell=tell)
    held = [override.partition("=")[0].strip() for override in overrides]
    budget = budget or Budget(trials=USUAL_TRIALS)
    how: dict[str, Any] = {"space": space, "recency": recency, "fixed": held, "where": where}
    with open_tracked(track, f"tune {name} on {dataset.name}", run.out) as tracked:
        found = tune_settings(name, settings, dataset, run, budget, **how, tracked=tracked)
        track_study(tracked, found, run.out)
    return found


def tune_settings(
    name: str,
    settings: Settings,
    data: Dataset,
    run: Run,
    budget: Budget,
    *,
    space: Space | None = None,
    recency: bool = False,
    fixed: Collection[str] = (),
    where: str | None = None,
    over: Callable[[], bool] = lambda: False,
    tracked: Tracked = NOT_TRACKED,
) -> TuningResult:
    """Search given settings of a model by its validation figure: what `tune` and the studies of `compare` do.

    The first trial has the settings that are given, so the best is never worse than these. A third of the budget is drawn
    at random, the rest by TPE. A model that trains by epochs is given up where the best figure it has shown lies below the
    median of the others after as many epochs. The same call with the same `run.out` goes on where it stood.

    Args:
        name: one of MODELS or `module:Class`.
        settings: where the search begins, nested; what is not drawn stays so.
        data: has a validation part; its test part is not read.
        run: device, seed (of draws and training alike), threads, and the folder of the study; in memory without one.
        budget: for all trials, those of earlier calls among them.
        space: what is drawn, in place of the declared `spaces.SPACES`.
        recency: whether weightings by recency are searched too, `spaces.RECENCY`.
        fixed: dotted keys of settings that are held, and leave the space.
        where: names the settings in error messages.
        over: tells when no further trial may begin, whatever is left of the budget; the first always may.
        tracked: where each trial is shown.

    Raises:
        ConfigError: a setting or the space is wrong, or nothing is left to search.
        DataError: the data has no validation part, or lacks the order that a weighting needs.
        CheckpointError: the folder holds another study, or something else.
        ModelError: every trial failed.
        MissingExtraError: Optuna is not installed.
    """
    data = replace(data, test=None)
    model = build(name, settings, where=where)
    if data.valid is not None:
        model = stopped_by_short_lists(model, name, settings, stages(data).valid, run.tell)
    start: Settings = model.config.model_dump(mode="json")
    metrics = validation_metrics(model)
    validation = Validation(data, metrics if data.valid is None else chosen_by(metrics, stages(data).valid, run.tell))
    model.config.weighting.check(data.train)
    if recency:
        data.train.need_order("a search of weightings by recency")
    drawn = space_of(name, space, recency=recency, fixed=fixed)
    drawn = reachable(drawn, name, start, where=f"search space of '{name}'", strict=space is not None and not fixed)
    if not drawn:
        raise ConfigError(f"nothing is left to search for '{name}'; hold fewer settings, or give another space")
    identity = {
        "model": name,
        "data": data.fingerprint(),
        "space": {key: of.model_dump(mode="json") for key, of in drawn.items()},
        "settings": start,
        "seed": run.seed,
    }
    about = {
        "data": data.name,
        "fingerprint": data.fingerprint(),
        "seed": str(run.seed),
        "device": str(run.torch_device),
    }
    warmup = next((part.training.patience_epochs for part in _alone(model) if isinstance(part, TorchRecommender)), 0)
    task = SearchTask(name, start, drawn, data, validation, run, budget, about, over, tracked)
    with open_study(run.out, identity, seed=run.seed, warmup_epochs=warmup) as study:
        return Search(task, study).go_on()


def track_study(tracked: Tracked, found: TuningResult, out: Path | None) -> None:
    """Show what a study found in the run that is its own.

    Args:
        tracked: the run.
        found: by the study.
        out: its folder.
    """
    tracked.parameters({"model": found.model, **found.settings, "data": found.about["data"], "budget": found.about["budget"]})
    tracked.figures({found.metric: found.best.value, f"start/{found.metric}": found.start.value, "seconds": found.seconds})
    if out is not None:
        tracked.files([out / name for name in (BEST, f"{TRIALS}.csv", f"{TRIALS}.json")], "study")


def _alone(model: Recommender) -> list[Recommender]:
    """The model, or the parts of a mixture in the order in which they are fitted."""
    return [one for part in model.components().values() for one in _alone(part)] or [model]


def refit(tuned: TuningResult, data: Dataset, run: Run, *, track: TrackerName | None = None) -> Recommender:
    """Train the best settings on train and validation together, see `runs.train.train_run`.

    Args:
        tuned: what was found.
        data: what it was found on.
        run: with the folder of the model; what an earlier refit of other settings left there is replaced.
        track: the tracker that shows the training, none unless given.
    """
    return train_again(tuned.model, tuned.settings, data, run, refit=True, card=CardNotes(), track=track)
