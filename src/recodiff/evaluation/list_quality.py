"""Several list metrics of the same lists, as means."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.metric_kinds import ListMetric, RankedLists, Values


def list_quality(x: RankedLists, metrics: Iterable[ListMetric] = LIST_METRICS) -> dict[str, float]:
    """Means of the list metrics that the data allows.

    Args:
        x: the lists, at the length to measure.
        metrics: left out where the facts about the items lack what they need, or where they are defined for no user.

    Returns:
        Metric name -> mean over the users for whom it is defined.
    """
    means: dict[str, float] = {}
    for metric in metrics:
        if all(getattr(x.facts, need) is not None for need in metric.needs):
            value = mean_of_defined(metric.function(x))
            if value is not None:
                means[metric.name] = value
    return means


def mean_of_defined(values: Values | float) -> float | None:
    """The mean over the users who have a value; None where no user has one.

    Args:
        values: one per user [n], NaN where not defined, or one number for all.
    """
    if not isinstance(values, np.ndarray):
        return values
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None
