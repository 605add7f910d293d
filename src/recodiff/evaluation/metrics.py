"""The one registry of metrics, of hits and of lists.

To add one, put a function and its entry into `hit_metrics.py`, `judged_metrics.py` or `list_metrics.py`; commands, reference and
checks follow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from recodiff.errors import ConfigError
from recodiff.evaluation.hit_metrics import HIT_METRICS
from recodiff.evaluation.judged_metrics import JUDGED_METRICS
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.metric_kinds import Metric
from recodiff.moved import old_names
from recodiff.training.metric_names import split

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*HIT_METRICS, *JUDGED_METRICS, *LIST_METRICS)}
"""By the name that stands before the `@`."""
FULL_RANKING = sys.maxsize
"""K of a metric of whole rankings, which has none in its name."""
LIST_LENGTH = 20
"""K of a list metric that is named without one."""


class MetricAtK(NamedTuple):
    """A metric at a list length.

    Args:
        name: such as `recall@20`.
        metric: its entry.
        k: the list length; `FULL_RANKING` of a metric of whole rankings.
    """

    name: str
    metric: Metric
    k: int


def parse(name: str) -> MetricAtK:
    """Read a name such as `recall@20`; `auc` and its like have no length, a list metric may leave it out.

    Args:
        name: as it was typed.

    Raises:
        ConfigError: there is no such metric, or K is no whole number from 1 to `LONGEST`.
    """
    if name in METRICS and METRICS[name].kind == "lists":
        name = f"{name}@{LIST_LENGTH}"
    kind, k = split(name, METRICS)
    return MetricAtK(name, METRICS[kind], FULL_RANKING if k is None else k)


def parse_all(names: str | Sequence[str]) -> list[MetricAtK]:
    """Read several names; one that comes again is left out.

    Args:
        names: one or more.

    Raises:
        ConfigError: there is none, or as for `parse`.
    """
    wanted = {each.name: each for each in map(parse, [names] if isinstance(names, str) else names)}
    if not wanted:
        raise ConfigError("no metric is asked for; name one, such as recall@20")
    return list(wanted.values())


__getattr__ = old_names(__name__)
