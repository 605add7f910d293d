"""The one registry of metrics, of hits and of lists.

To add one, put a function and its entry into `hit_metrics.py`, `judged_metrics.py` or `list_metrics.py`; commands, reference and
checks follow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from recodiff.errors import ConfigError, did_you_mean
from recodiff.evaluation.hit_metrics import HIT_METRICS
from recodiff.evaluation.judged_metrics import JUDGED_METRICS
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.metric_kinds import JudgedMetric, Metric
from recodiff.moved import old_names

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*HIT_METRICS, *JUDGED_METRICS, *LIST_METRICS)}
"""By the name that stands before the `@`."""
FULL_RANKING = sys.maxsize
"""K of a metric of whole rankings, which has none in its name."""
LONGEST = 2**31 - 1
"""The longest list that is measured; no catalogue has more items."""
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
        ConfigError: there is no such metric, or K is no whole number from 1 to LONGEST.
    """
    kind, at, k = name.partition("@")
    metric = METRICS.get(kind)
    if isinstance(metric, JudgedMetric) and metric.whole:
        if at:
            raise ConfigError(f"'{kind}' is of whole rankings and takes no length; leave '@{k}' out")
        return MetricAtK(kind, metric, FULL_RANKING)
    if metric is not None and metric.kind == "lists" and not at:
        return MetricAtK(f"{kind}@{LIST_LENGTH}", metric, LIST_LENGTH)
    if metric is None:
        hint = did_you_mean(name.lower(), (f"{known}{at}{k}" for known in METRICS)) or f"give one of {', '.join(METRICS)}"
        raise ConfigError(f"no metric '{name}'; {hint}")
    if not k.isdecimal() or not 1 <= int(k) <= LONGEST:
        raise ConfigError(f"metric '{name}' needs a length, a whole number from 1 on, such as {kind}@20")
    return MetricAtK(name, metric, int(k))


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
