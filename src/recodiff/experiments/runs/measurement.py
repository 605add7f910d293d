"""Figures of a model on parts of a data folder, by the paper's protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from recodiff.data.dataset import Dataset
from recodiff.evaluation.evaluate import DEFAULT_METRICS, Evaluation, WithoutTruth, measure
from recodiff.evaluation.protocol import PartName, stages
from recodiff.models.base import Recommender


@dataclass(frozen=True, eq=False)
class Measured:
    """Evaluations of one model by part, and the seconds they took together."""

    parts: dict[str, Evaluation]
    seconds: float


def measure_parts(
    model: Recommender,
    data: Dataset,
    parts: Sequence[PartName] = ("test",),
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    history: str = "train",
    users_without_truth: WithoutTruth = "skip",
    show_progress: bool = False,
) -> Measured:
    """Evaluate a model on parts of a data folder by the paper's protocol.

    The input is `history`; masked are train (and fold-in histories) when `valid` is ranked, train and valid when `test`
    is, and the history itself always.

    Args:
        model: a fitted model.
        data: the data folder, over the model's items.
        parts: what is ranked.
        metrics: see `evaluation.metrics.METRICS`.
        history: the input, `train` or `train+valid`.
        users_without_truth: see `evaluation.evaluate`.
        show_progress: whether a progress bar may be shown.

    Raises:
        DataError: the data has no such part.
        ConfigError: a part is both input and ranked.
    """
    staged = stages(data)
    tasks = {name: staged.task(name, history) for name in parts}
    began = time.perf_counter()
    found = measure(model, tasks, metrics, users_without_truth=users_without_truth, show_progress=show_progress)
    return Measured(found, time.perf_counter() - began)
