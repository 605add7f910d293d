"""Settings chosen on the validation part: the same budget for every method, and the test part never looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError, ConfigError
from recodiff.evaluation.validation import Validation
from recodiff.experiments.runs.train import train_run, validation_metrics
from recodiff.experiments.tuning.dimensions import Space, reachable
from recodiff.experiments.tuning.result import TuningResult
from recodiff.experiments.tuning.search import Budget, Search, SearchTask
from recodiff.experiments.tuning.spaces import space_of
from recodiff.experiments.tuning.study import open_study
from recodiff.models.base import Recommender
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.runtime.run import Run


def tune(
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
) -> TuningResult:
    """Searches settings of a model by its validation figure.

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

    Raises:
        ConfigError: a setting or the space is wrong, or nothing is left to search.
        DataError: the data has no validation part, or lacks the order that a weighting needs.
        CheckpointError: the folder holds another study, or something else.
        ModelError: every trial failed.
        MissingExtraError: Optuna is not installed.
    """
    data = replace(data, test=None)
    model = build(name, settings, where=where)
    start: Settings = model.config.model_dump(mode="json")
    validation = Validation(data, validation_metrics(model))
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
    task = SearchTask(name, start, drawn, data, validation, run, budget, about, over)
    with open_study(run.out, identity, seed=run.seed, warmup_epochs=warmup) as study:
        return Search(task, study).go_on()


def _alone(model: Recommender) -> list[Recommender]:
    """The model, or the parts of a mixture in the order in which they are fitted."""
    return [one for part in model.components().values() for one in _alone(part)] or [model]


def refit(tuned: TuningResult, data: Dataset, run: Run) -> Recommender:
    """Trains the best settings on train and validation together, see `runs.train_run`.

    Args:
        tuned: what was found.
        data: what it was found on.
        run: with the folder of the model; what an earlier refit of other settings left there is replaced.
    """
    try:
        return train_run(tuned.model, tuned.settings, data, replace(run, resume=True), refit=True, overwrite=True)
    except CheckpointError:  # half a refit of settings that have been bettered since
        return train_run(tuned.model, tuned.settings, data, replace(run, resume=False), refit=True, overwrite=True)
