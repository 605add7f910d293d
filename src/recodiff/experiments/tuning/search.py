"""The search itself: one trial after another, until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from recodiff.config import Settings, merge
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError, ConfigError, ModelError
from recodiff.evaluation.validation import Validation
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.dimensions import Space, flatten, leaves_of, nest, standing
from recodiff.experiments.tuning.study import JOURNAL, Attempt, Study
from recodiff.experiments.tuning.tuning_result import Trial, TrialState, TuningResult, best_of, write_trials
from recodiff.models.base import Recommender
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.models.saving import classes_outside, refuse_untrusted
from recodiff.runtime import progress
from recodiff.runtime.run import Run
from recodiff.tracking.tracker import NOT_TRACKED, Tracked

RANDOM_SHARE = 1 / 3
"""Of the budget; then comes TPE."""
REPEATS = 20
"""Draws in a row of what was tried before, after which nothing new is expected."""


@dataclass(frozen=True)
class SearchTask:
    """A model, its space and its data, as a search takes them.

    Args:
        model: its name in MODELS, or `module:Class`.
        start: complete settings that the search begins with, nested.
        space: what is drawn.
        data: what every trial learns from.
        validation: what every trial is judged by: the first of its metrics.
        run: device, seed, threads; `out` is the folder for the files.
        budget: for all trials together.
        about: data, seed and device, see `TuningResult`.
        over: tells when no further trial may begin, whatever is left of the budget; the first always may.
        tracked: where each trial is shown.
    """

    model: str
    start: Settings
    space: Space
    data: Dataset
    validation: Validation
    run: Run
    budget: Budget
    about: Mapping[str, str]
    over: Callable[[], bool] = lambda: False
    tracked: Tracked = NOT_TRACKED

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return self.validation.metrics[0]


class Search:
    """Trials of a task, kept in a study.

    Args:
        task: what is searched.
        study: holds the trials that were made before.
    """

    def __init__(self, task: SearchTask, study: Study) -> None:
        self.task, self.study = task, study
        self.trials = study.trials()
        self.curve: list[dict[str, float]] = []
        """Validation checks of the last trial."""
        self._checked = _has_epochs(build(task.model, task.start))
        if task.run.out is not None:
            self._refuse_strange(task.run.out)

    def _refuse_strange(self, folder: Path) -> None:
        """Refuses trials in the folder that this search cannot have made: whoever wrote them, their settings are built."""
        task = self.task
        drawn = {leaf for key, dimension in task.space.items() for leaf in leaves_of(key, dimension)}
        samples = [nest(flatten({key: sample})) for key, dimension in task.space.items() for sample in dimension.samples()]
        ours = classes_outside(task.model, {"start": task.start, "samples": samples})
        for trial in self.trials:
            refuse_untrusted(folder, classes_outside(task.model, nest(trial.settings)), ours)
            if strange := trial.settings.keys() - drawn:
                raise CheckpointError(
                    f"'{folder / JOURNAL}' has a trial of '{min(strange)}', which this search does not draw; choose a new folder"
                )

    @property
    def counted(self) -> list[Trial]:
        """Trials that take from the budget."""
        return [trial for trial in self.trials if trial.counts]

    @property
    def seconds(self) -> float:
        """The seconds that they spent."""
        return sum(trial.seconds for trial in self.trials)

    def go_on(self) -> TuningResult:
        """Try until the budget is spent, or draw after draw brings nothing new.

        Raises:
            ModelError: every trial failed.
        """
        task = self.task
        with _Bar(task.budget, task.metric, self.counted, show=task.run.progress) as bar:
            while not self.is_done() and not (self.counted and task.over()):
                self._one(bar)
                self.trials = self.study.trials()
                bar.move(self.counted)
                self._write()
        found = self._write()
        if found is None:
            raise ModelError(f"all {len(self.counted)} trials failed, the last one thus: {self.counted[-1].error}")
        return found

    def is_done(self) -> bool:
        """Tell whether the budget is spent, or draw after draw brought nothing new."""
        last = self.counted[-REPEATS:]
        exhausted = len(last) == REPEATS and all(trial.repeats is not None for trial in last)
        return exhausted or self._is_spent()

    def _is_spent(self) -> bool:
        budget, seconds = self.task.budget, self.seconds
        if budget.firm and self.counted and not self._checked:
            seconds += max(trial.seconds for trial in self.counted)
        return budget.spent(len(self.counted), seconds) >= 1

    def _write(self) -> TuningResult | None:
        """What was found so far; the files say so too."""
        task = self.task
        if task.run.out is not None:
            write_trials(task.run.out, self.trials, task.metric)
        best = best_of(self.trials)
        if best is None:
            return None
        settings = merge(task.start, nest(best.settings))
        about = {**task.about, "budget": str(task.budget)}
        found = TuningResult(task.model, settings, task.metric, best, tuple(self.trials), task.space, self.is_done(), about)
        if task.run.out is not None:
            found.write(task.run.out)
        return found

    def _one(self, bar: _Bar) -> None:
        task, flat = self.task, flatten(self.task.start)
        if not self.counted:
            attempt, drawn = self.study.begin(task.space, flat), standing(task.space, flat)
        else:
            at_random = task.budget.spent(len(self.counted), self.seconds) < RANDOM_SHARE
            attempt, drawn = self.study.next(task.space, flat, at_random=at_random)
        bar.begin(attempt.number)
        before = next((trial for trial in self.trials if trial.state == "complete" and trial.settings == drawn), None)
        if before is None:
            trial = self._try(attempt, drawn, bar)
        else:
            first = before.number if before.repeats is None else before.repeats
            trial = replace(before, number=attempt.number, seconds=0.0, repeats=first)
        self.study.end(attempt, trial)
        if before is None:
            self._track(trial)

    def _track(self, trial: Trial) -> None:
        with self.task.tracked.child(f"trial {trial.number}") as child:
            child.parameters(trial.settings | {"state": trial.state})
            for entry in self.curve:
                child.curve(entry)
            child.figures({self.task.metric: trial.value, "epochs": trial.epochs, "seconds": trial.seconds})

    def _try(self, attempt: Attempt, drawn: dict[str, Any], bar: _Bar) -> Trial:
        task, first = self.task, not self.counted
        left = math.inf if first or task.budget.seconds is None else task.budget.seconds - self.seconds
        watch = _Watch(attempt, task.validation, left, bar)
        self.curve = watch.curve
        quiet = replace(task.run, out=None, resume=False, progress=False, tell=None)
        made = Trial(attempt.number, "failed", drawn)
        try:
            model = build(task.model, merge(task.start, nest(drawn))).fit(task.data.train, quiet, validate=watch)
            figure = task.validation(model)[task.metric]
            made = replace(made, state="complete", value=figure, epochs=model.summary.get("best_epoch"))
        except _End as end:
            made = replace(made, state=end.state, value=watch.value, epochs=watch.epoch)
        except Exception as error:
            if not _is_of_the_settings(error) or (first and isinstance(error, ConfigError)):
                raise
            made = replace(made, error=" ".join(str(error).split()))
        return replace(made, seconds=round(watch.seconds, 3))


def _is_of_the_settings(error: Exception) -> bool:
    """Whether other settings may do where these did not: training diverged, memory did not suffice."""
    own = isinstance(error, ModelError | ConfigError | MemoryError | torch.OutOfMemoryError)
    return own or (isinstance(error, RuntimeError) and "allocate memory" in str(error))  # torch's words on a CPU


def _has_epochs(model: Recommender) -> bool:
    """Whether training has checks at which it can be ended: its own, or those of a component."""
    return isinstance(model, TorchRecommender) or any(map(_has_epochs, model.components().values()))


class _End(Exception):  # noqa: N818 (an end, and no error)
    """Ends a trial from within its training."""

    def __init__(self, state: TrialState) -> None:
        self.state: TrialState = state


class _Watch:
    """Validation of one trial while it trains; ends it where it is hopeless or the time is up.

    Args:
        attempt: the trial.
        validation: gives the figures.
        seconds: that it may take.
        bar: shows every check.
    """

    def __init__(self, attempt: Attempt, validation: Validation, seconds: float, bar: _Bar) -> None:
        self.attempt, self.validation, self.limit, self.bar = attempt, validation, seconds, bar
        self.began, self.checks, self.models = time.perf_counter(), 0, list[Recommender]()
        self.value, self.epoch = -math.inf, 0
        self.curve: list[dict[str, float]] = []

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def __call__(self, model: Recommender) -> Mapping[str, float]:
        figures = self.validation(model)
        value = figures[self.validation.metrics[0]]
        if not self.models or self.models[-1] is not model:  # a further part of a mixture
            self.models.append(model)
            self.checks = 0
        self.checks += 1
        epoch = self.checks
        if isinstance(model, TorchRecommender):
            epoch = min(self.checks * model.training.check_every_epochs, model.training.epochs)
        if value > self.value:
            self.value, self.epoch = value, epoch
        self.curve.append({"epoch": epoch, **figures})
        self.bar.check(self.seconds, epoch, value)
        by_epochs = isinstance(model, TorchRecommender) and len(self.models) == 1
        if by_epochs and self.attempt.is_hopeless(epoch, value):
            raise _End("pruned")
        if self.seconds >= self.limit:
            raise _End("stopped")
        return figures


class _Bar:
    """The progress bar of a search: in seconds where their end is known, else in trials."""

    def __init__(self, budget: Budget, metric: str, trials: list[Trial], *, show: bool) -> None:
        self.budget, self.metric, self.number = budget, metric, 0
        self.total = int(budget.seconds) if budget.seconds else budget.trials
        self.trials, self.shown = trials, 0
        self.shown = self._done(0.0)
        self._opened = progress.bar("tuning", self.total, show=show, start=self.shown)

    def __enter__(self) -> _Bar:
        self._advance = self._opened.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def begin(self, number: int) -> None:
        """This trial is under way."""
        self.number = number
        self._show(0.0, "")

    def move(self, trials: list[Trial]) -> None:
        """These are done."""
        self.trials = trials
        self._show(0.0, "")

    def check(self, seconds: float, epoch: int, value: float) -> None:
        """The trial under way has this figure after so many seconds."""
        self._show(seconds, f"epoch {epoch}, {self.metric} {value:.4f}")

    def _done(self, under_way: float) -> int:
        if not self.budget.seconds:
            return len(self.trials)
        return int(min(sum(trial.seconds for trial in self.trials) + under_way, self.budget.seconds))

    def _show(self, under_way: float, now: str) -> None:
        done = self._done(under_way)
        best = best_of(self.trials)
        said = "" if best is None else f"best {self.metric} {best.value:.4f} in trial {best.number}"
        self._advance(done - self.shown, ", ".join(part for part in (f"trial {self.number}", now, said) if part))
        self.shown = done
