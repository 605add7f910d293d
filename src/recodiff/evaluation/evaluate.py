"""Measuring recommendations: full ranking over the catalogue, streamed, with a value per user.

Shapes: `n_users` rows of the history, `K` list length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation import list_metrics
from recodiff.evaluation.conventions import Formula, Judged, judge
from recodiff.evaluation.metric_kinds import HitMetric, JudgedMetric, RankedLists
from recodiff.evaluation.metrics import FULL_RANKING, MetricAtK, parse_all
from recodiff.evaluation.protocol import Task
from recodiff.models.base import Recommender, need_model
from recodiff.moved import answer_calls
from recodiff.ranking.recommend import refuse_foreign
from recodiff.ranking.topk import ranked_by_all
from recodiff.runtime.memory import need_memory

DEFAULT_METRICS = (
    "recall@10",
    "recall@20",
    "ndcg@10",
    "ndcg@20",
    "precision@10",
    "mrr@10",
    "hit_rate@10",
    "map@10",
    "recall_min@20",
)
"""What is measured unless said otherwise."""

BYTES_PER_PLACE = 18
"""Of a place of a list: whether it is a hit, and two sums along the list."""
WithoutTruth = Literal["skip", "zero"]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Figures of one model on one task.

    Args:
        values: per metric, one value per measured user, float64 [n]; NaN where a metric of lists is not defined for a user.
        users: rows of the measured users, int64 [n].
        coverage: share of the catalogue that is in some list, at the longest K.
        looks_ahead: users whose history holds an interaction later than one of those to be found.
        lists: positions of the items ranked for the measured users, best first, -1 where a list ends early; int64 [n, K].
        totals: per metric of all lists together, its one number.
    """

    values: dict[str, NDArray[np.float64]]
    users: NDArray[np.int64]
    coverage: float
    looks_ahead: int
    lists: NDArray[np.int64] | None = None
    totals: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        figures = ", ".join(f"{metric} {self.mean(metric):.4f}" for metric in (*self.values, *self.totals))
        return f"Evaluation({len(self.users)} users: {figures})"

    def mean(self, metric: str) -> float:
        """Mean over the users for whom the metric is defined, all of them for metrics of hits; NaN where there is none.

        Args:
            metric: as it was measured, such as `recall@20`.

        Raises:
            ConfigError: the metric was not measured.
        """
        if metric in self.totals:
            return self.totals[metric]
        values = self._defined(metric)
        if len(values) == 0:
            return float("nan") if len(self.users) else 0.0
        return float(values.mean())

    def standard_error(self, metric: str) -> float:
        """Standard error of `mean` over the same users; NaN for one number of all lists together, 0 for a single user.

        Args:
            metric: as for `mean`.

        Raises:
            ConfigError: the metric was not measured.
        """
        if metric in self.totals:
            return float("nan")
        values = self._defined(metric)
        return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0

    def _defined(self, metric: str) -> NDArray[np.float64]:
        if metric not in self.values:
            have = ", ".join((*self.values, *self.totals))
            raise ConfigError(f"'{metric}' was not measured; ask evaluate() for it, or take one of {have}")
        values = self.values[metric]
        undefined = np.isnan(values)
        return values[~undefined] if undefined.any() else values

    def flat(self) -> dict[str, float | None]:
        """Metric -> mean, with `coverage` and the number of users: one flat object for scripts; None where a mean is NaN."""
        figures = {metric: self.mean(metric) for metric in (*self.values, *self.totals)}
        numbers = {metric: None if np.isnan(figure) else figure for metric, figure in figures.items()}
        return numbers | {"coverage": self.coverage, "users": len(self.users), "users_looking_ahead": self.looks_ahead}


def evaluate(
    model: Recommender,
    history: Interactions | Task,
    truth: Interactions | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    mask: Interactions | None = None,
    users_without_truth: WithoutTruth = "skip",
    show_progress: bool = False,
) -> Evaluation:
    """Rank the whole catalogue for every user with something to be found, and measure the lists.

    `evaluate(model, recodiff.stages(data).test)` takes history, truth and mask from one task.

    Args:
        model: a fitted model.
        history: what the lists are made from, or a `Task`, which holds truth and mask too.
        truth: the items to be found, rows as in `history`; left out with a task.
        metrics: names such as `recall@20` or `novelty@20`; see `metrics.METRICS`.
        mask: items that no list may hold, rows as in `history`; the history's unless given, left out with a task.
        users_without_truth: `skip` leaves them out of every mean; `zero` counts them as 0, as the released program does.
        show_progress: whether a progress bar may be shown.

    Raises:
        ModelError: `model` is no model, such as the path of one, or it is not fitted.
        ConfigError: no metric is asked for, one is unknown, or truth or mask stands beside a task.
        DataError: no user has anything to be found; history, truth or mask are no Interactions, or not over the same users and
            items, or not over the model's items; or a metric needs facts about the items that the task has not.
    """
    need_model(model)
    if not isinstance(history, Task):
        task = Task(history, truth, history if mask is None else mask)  # type: ignore[arg-type]  # Task refuses what is missing
    elif truth is None and mask is None:
        task = history
    else:
        raise ConfigError(
            "a task holds its truth and its mask; give evaluate(model, task, metrics=[...]) and nothing of them beside it"
        )
    measured = measure(model, {"truth": task}, metrics, users_without_truth=users_without_truth, show_progress=show_progress)
    return measured["truth"]


def measure(
    model: Recommender,
    tasks: Mapping[str, Task],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    users_without_truth: WithoutTruth = "skip",
    show_progress: bool = False,
) -> dict[str, Evaluation]:
    """Do what `evaluate` does for several tasks; those with one history are scored once. Processes share the users, or the items.

    Args:
        model: a fitted model.
        tasks: by name, for example `recodiff.stages(data).tasks("valid", "test")`.
        metrics: as for `evaluate`.
        users_without_truth: as for `evaluate`.
        show_progress: as for `evaluate`.

    Returns:
        An evaluation for each task, in the order of `tasks`.

    Raises:
        ModelError: `model` is no model, such as the path of one, or it is not fitted.
        ConfigError: no metric is asked for, or one is unknown.
        DataError: a task has nothing to be found, is not over the model's items, or lacks facts that a metric needs.
    """
    need_model(model)
    wanted = parse_all(metrics)
    for history in {id(task.history): task.history for task in tasks.values()}.values():
        refuse_foreign(model, history)
    for name, task in tasks.items():
        check_task(name, task, wanted)
    return measure_checked(model, tasks, wanted, users_without_truth, show_progress=show_progress)


def measure_checked(
    model: Recommender,
    tasks: Mapping[str, Task],
    wanted: Sequence[MetricAtK],
    users_without_truth: WithoutTruth = "skip",
    *,
    show_progress: bool = False,
) -> dict[str, Evaluation]:
    """Do what `measure` does with a model, tasks and metrics that were checked before.

    Args:
        model: a fitted model, over the items of the tasks.
        tasks: by name, each of them as `check_task` passes it.
        wanted: metrics, as `parse_all` gives them.
        users_without_truth: as for `evaluate`.
        show_progress: as for `evaluate`.
    """
    histories = {id(task.history): task.history for task in tasks.values()}.values()
    evaluations: dict[str, Evaluation] = {}
    for history in histories:
        alike = {name: task for name, task in tasks.items() if task.history is history}
        evaluations |= _measure_together(model, alike, wanted, users_without_truth, show_progress=show_progress)
    return {name: evaluations[name] for name in tasks}


def check_task(name: str, task: Task, wanted: Sequence[MetricAtK]) -> None:
    """Refuse before anything is scored.

    Args:
        name: of the task.
        task: what is to be measured.
        wanted: metrics, as `parse_all` gives them.

    Raises:
        DataError: the task has nothing to be found, or lacks facts that a metric needs.
    """
    if task.truth.nnz == 0:
        raise DataError(f"no user has an interaction in '{name}' to be found; check how the data was split")
    for each in wanted:
        for need in each.metric.needs:
            task.facts.get(need, each.name)


def _measure_together(
    model: Recommender,
    tasks: Mapping[str, Task],
    wanted: Sequence[MetricAtK],
    users_without_truth: WithoutTruth,
    *,
    show_progress: bool,
) -> dict[str, Evaluation]:
    """Tasks with one history, scored once."""
    history = next(iter(tasks.values())).history
    k = min(max(each.k for each in wanted), history.n_items)
    measured = {name: (task.truth.lengths() > 0) | (users_without_truth == "zero") for name, task in tasks.items()}
    users = np.flatnonzero(np.logical_or.reduce(list(measured.values())))
    masks = {name: task.mask for name, task in tasks.items()}
    lists = ranked_by_all(model, history, k, masks, users=users, show_progress=show_progress)
    return {
        name: evaluate_lists(lists[name][0][measured[name][users]], np.flatnonzero(measured[name]), task, wanted)
        for name, task in tasks.items()
    }


def evaluate_lists(lists: NDArray[np.int64], users: NDArray[np.int64], task: Task, wanted: Sequence[MetricAtK]) -> Evaluation:
    """Measure lists, wherever they come from.

    Args:
        lists: positions in the catalogue [n, K], best first, -1 where a list ends early; shorter ones end in misses.
        users: rows of the task that the lists are of, [n].
        task: what is to be found; the lists are taken as they are, masked items included.
        wanted: metrics, as `parse_all` gives them.

    Raises:
        DataError: a metric needs facts about the items that the task has not.
        ConfigError: the lists of a metric are longer than the memory holds.
    """
    truth = task.truth
    hits = find_hits(lists, truth, users)
    longest = max((each.k for each in wanted if each.k < FULL_RANKING), default=0)
    size = BYTES_PER_PLACE * longest * len(users)
    need_memory(size, f"a list length of {longest:,} for {len(users):,} users", "ask for shorter lists")
    missing = max(0, longest - hits.shape[1])  # places that nothing fills are misses
    hits = np.pad(hits, ((0, 0), (0, missing)))
    relevant, values, totals = truth.lengths()[users], dict[str, NDArray[np.float64]](), dict[str, float]()
    history = task.history.take(users).matrix if any(each.metric.kind == "lists" for each in wanted) else task.history.matrix
    for name, metric, k in wanted:
        if isinstance(metric, HitMetric):
            values[name] = metric.function(hits[:, :k], relevant)
            continue
        if isinstance(metric, JudgedMetric):
            values[name] = _judged(name, metric.formula, judge(lists, users, truth, task.mask), k)
            continue
        figure = metric.function(RankedLists(lists[:, :k], history, truth.n_items, task.facts))
        if isinstance(figure, np.ndarray):
            values[name] = figure
        else:
            totals[name] = figure
    covered = list_metrics.coverage(lists, truth.n_items)
    return Evaluation(values, users, covered, int(task.looks_ahead()[users].sum()), lists, totals)


def _judged(name: str, formula: Formula, judged: Judged, k: int) -> NDArray[np.float64]:
    if formula.gain != "binary" and judged.ratings is None:
        raise DataError(f"{name} needs ratings, and the data holds none; prepare it with --keep-weights")
    if formula.cut == "ranking" and not judged.are_rankings():
        raise DataError(f"{name} needs every item to be found in the lists; these end after {judged.lengths.max()} items")
    return formula.values(judged, k)


def find_hits(lists: NDArray[np.int64], truth: Interactions, users: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the places of lists that hold an item of the truth.

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
        truth: the items to be found.
        users: rows of `truth` that the lists are of, [n].

    Returns:
        Boolean [n, K].
    """
    wide = truth.n_items + 1  # room for the -1 of a list that ends early
    true = np.sort(truth.rows() * wide + truth.matrix.indices + 1)
    shown = users[:, None] * wide + lists + 1
    if len(true) == 0:
        return np.zeros(lists.shape, dtype=bool)
    at = np.minimum(np.searchsorted(true, shown), len(true) - 1)
    return (true[at] == shown) & (lists >= 0)


answer_calls(__name__)
