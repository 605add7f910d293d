"""Measuring lists against what came true: full ranking over the catalogue, streamed, per-user values kept.

Shapes: `n_users` rows of the history, `K` list length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from recodiff.data.interactions import Interactions, need_interactions
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation import list_metrics
from recodiff.evaluation import metrics as metric_functions
from recodiff.models.base import Recommender
from recodiff.ranking.recommend import ranked
from recodiff.runtime import distributed

if TYPE_CHECKING:
    from recodiff.data.dataset import Dataset

METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "precision@10", "mrr@10", "hit_rate@10", "map@10", "recall_min@20")
"""What is measured unless said otherwise."""

WithoutTruth = Literal["skip", "zero"]


@dataclass(frozen=True)
class Part:
    """What one evaluation compares lists with.

    Args:
        truth: the items that came true, rows as in the history.
        mask: the items that no list may hold, rows as in the history.
    """

    truth: Interactions
    mask: Interactions


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Figures of one model on one part.

    Args:
        values: per metric, one value per measured user, float64 [n].
        users: rows of the measured users, int64 [n].
        coverage: share of the catalogue that stands in some list, at the longest K.
        looks_ahead: users whose history holds an interaction later than one of those ranked.
        lists: positions of the items ranked for the measured users, best first, -1 where a list ends early; int64 [n, K].
    """

    values: dict[str, NDArray[np.float64]]
    users: NDArray[np.int64]
    coverage: float
    looks_ahead: int
    lists: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        figures = ", ".join(f"{metric} {self.mean(metric):.4f}" for metric in self.values)
        return f"Evaluation({len(self.users)} users: {figures})"

    def mean(self, metric: str) -> float:
        """Mean over users.

        Raises:
            ConfigError: the metric was not measured.
        """
        return float(self._of(metric).mean()) if len(self.users) else 0.0

    def standard_error(self, metric: str) -> float:
        """Standard error of the mean over users.

        Raises:
            ConfigError: the metric was not measured.
        """
        n, values = len(self.users), self._of(metric)
        return float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0

    def _of(self, metric: str) -> NDArray[np.float64]:
        if metric not in self.values:
            raise ConfigError(f"'{metric}' was not measured; ask evaluate() for it, or take one of {', '.join(self.values)}")
        return self.values[metric]

    def flat(self) -> dict[str, float]:
        """Metric -> mean, with `coverage` and the number of users: one flat object for scripts."""
        figures = {metric: self.mean(metric) for metric in self.values}
        return figures | {"coverage": self.coverage, "users": len(self.users), "users_looking_ahead": self.looks_ahead}


def evaluate(
    model: Recommender,
    history: Interactions,
    truth: Interactions,
    metrics: Sequence[str] = METRICS,
    *,
    mask: Interactions | None = None,
    users_without_truth: WithoutTruth = "skip",
    show_progress: bool = False,
) -> Evaluation:
    """Ranks the whole catalogue for every user with something to find, and measures the lists.

    Args:
        model: a fitted model.
        history: what the lists are made from.
        truth: what they are compared with, rows as in `history`.
        metrics: names such as `recall@20`; see `metrics.METRICS`.
        mask: items that no list may hold; the history's unless given.
        users_without_truth: `skip` leaves them out of every mean; `zero` counts them as 0, as the released program does.
        show_progress: whether a progress bar may be shown.

    Raises:
        ConfigError: no metric is asked for, or one is unknown.
        DataError: nobody has anything to find, or history, truth or mask are no Interactions, or not over the same users and items.
    """
    for what, x in (("the history", history), ("the truth", truth), ("the mask", history if mask is None else mask)):
        need_interactions(x, what, 'data.history("train") for the history or the mask, data.part("test") for the truth')
    part = Part(truth, history if mask is None else mask)
    return evaluate_parts(
        model, history, {"part": part}, metrics, users_without_truth=users_without_truth, show_progress=show_progress
    )["part"]


def evaluate_parts(
    model: Recommender,
    history: Interactions,
    parts: Mapping[str, Part],
    metrics: Sequence[str] = METRICS,
    *,
    users_without_truth: WithoutTruth = "skip",
    show_progress: bool = False,
) -> dict[str, Evaluation]:
    """As `evaluate`, of several parts with one history, at the cost of scoring once; processes share the users, or the items.

    Args:
        model: a fitted model.
        history: what the lists are made from.
        parts: by name.
        metrics: as for `evaluate`.
        users_without_truth: as for `evaluate`.
        show_progress: as for `evaluate`.
    """
    _refuse_foreign(history, parts)
    wanted = {name: metric_functions.parse(name) for name in ([metrics] if isinstance(metrics, str) else metrics)}
    if not wanted:
        raise ConfigError("no metric is asked for; name one, such as recall@20")
    k = min(max(length for _, length in wanted.values()), history.n_items)
    asked = _asked(parts, users_without_truth)
    some = np.flatnonzero(np.logical_or.reduce(list(asked.values())))
    own = some if model.shard else some[distributed.share(len(some))]
    masks = {name: part.mask.take(own) for name, part in parts.items()}
    found = ranked(model, history.take(own), k, masks, show_progress=show_progress)
    lists = {name: items if model.shard else distributed.gather(items, len(some)) for name, (items, _) in found.items()}
    return {
        name: _measure(lists[name][asked[name][some]], part.truth, history, np.flatnonzero(asked[name]), wanted)
        for name, part in parts.items()
    }


def _refuse_foreign(history: Interactions, parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        for what, x in (("truth", part.truth), ("mask", part.mask)):
            if x.users != history.users or x.items != history.items:
                raise DataError(
                    f"the {what} of '{name}' is over {x.n_users} users and {x.n_items} items that are not the history's "
                    f"{history.n_users} and {history.n_items}; take all parts from one data folder"
                )


def _asked(parts: Mapping[str, Part], users_without_truth: WithoutTruth) -> dict[str, NDArray[np.bool_]]:
    asked = {name: (part.truth.lengths() > 0) | (users_without_truth == "zero") for name, part in parts.items()}
    for name, part in parts.items():
        if part.truth.nnz == 0:
            raise DataError(f"nobody has an interaction in '{name}' to be found; check how the data was split")
    return asked


def _measure(
    lists: NDArray[np.int64],
    truth: Interactions,
    history: Interactions,
    users: NDArray[np.int64],
    wanted: Mapping[str, tuple[str, int]],
) -> Evaluation:
    hits = find_hits(lists, truth, users)
    # A metric may ask for lists longer than a small catalogue: the places that nothing can fill are misses.
    missing = max(k for _, k in wanted.values()) - hits.shape[1]
    hits = np.pad(hits, ((0, 0), (0, missing)))
    relevant = truth.lengths()[users]
    values = {name: metric_functions.METRICS[kind](hits[:, :k], relevant) for name, (kind, k) in wanted.items()}
    covered = list_metrics.coverage(lists, truth.n_items)
    return Evaluation(values, users, covered, int(looks_ahead(history, truth)[users].sum()), lists)


def find_hits(lists: NDArray[np.int64], truth: Interactions, users: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where lists [n, K] of `users` [n] hold items of `truth`, boolean [n, K]."""
    wide = truth.n_items + 1  # room for the -1 of a list that ends early
    true = np.sort(truth.rows() * wide + truth.matrix.indices + 1)
    asked = users[:, None] * wide + lists + 1
    if len(true) == 0:
        return np.zeros(lists.shape, dtype=bool)
    at = np.minimum(np.searchsorted(true, asked), len(true) - 1)
    return (true[at] == asked) & (lists >= 0)


def looks_ahead(history: Interactions, truth: Interactions) -> NDArray[np.bool_]:
    """Users whose history holds an interaction later than the earliest of those ranked, boolean [n_users]."""
    found = np.zeros(history.n_users, dtype=bool)
    if history.times is None or truth.times is None or history.time_kind != truth.time_kind:
        return found
    both = np.flatnonzero((history.lengths() > 0) & (truth.lengths() > 0))
    newest = history.times[history.matrix.indptr[both + 1] - 1]
    earliest = truth.times[truth.matrix.indptr[both]]
    found[both] = newest > earliest
    return found


class Validation:
    """Gives `fit` the figures it stops early by: the validation part ranked from the training histories.

    Args:
        data: has a validation part.
        metrics: what is measured.
        users_without_truth: as for `evaluate`.

    Raises:
        DataError: the data has no validation part.
    """

    def __init__(
        self, data: Dataset, metrics: Sequence[str] = ("recall@20", "ndcg@20"), *, users_without_truth: WithoutTruth = "skip"
    ) -> None:
        if data.valid is None:
            raise DataError(f"data '{data.name}' has no validation part; prepare it with one")
        for metric in metrics:
            metric_functions.parse(metric)
        self.history, self.truth, self.metrics = data.history("train"), data.valid, tuple(metrics)
        self.users_without_truth: WithoutTruth = users_without_truth

    def fingerprint(self) -> str:
        """Changes with the histories, the truth and the metrics: a run resumes only by the same validation."""
        return f"{self.history.fingerprint()}-{self.truth.fingerprint()}-{','.join(self.metrics)}-{self.users_without_truth}"

    def __call__(self, model: Recommender) -> dict[str, float]:
        """Metric -> mean over users."""
        evaluation = evaluate(model, self.history, self.truth, self.metrics, users_without_truth=self.users_without_truth)
        return {metric: evaluation.mean(metric) for metric in self.metrics}
