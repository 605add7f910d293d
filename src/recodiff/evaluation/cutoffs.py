"""List lengths that reach all items that a list may hold: a metric at one of these is nearly the same for every model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recodiff.evaluation.metrics import FULL_RANKING, parse, parse_all
from recodiff.evaluation.protocol import Task

_SHORTER = (20, 10, 5, 3, 2)
"""Lengths that are tried in place of one that reaches too far."""


def candidates(task: Task) -> int:
    """The number of items a list may hold: of half the users with something to be found as many or fewer.

    Args:
        task: what is ranked.
    """
    asked = task.truth.lengths() > 0
    left = task.truth.n_items - task.mask.lengths()[asked]
    return int(np.median(left)) if len(left) else task.truth.n_items


def reaching(task: Task, metrics: Sequence[str]) -> list[str]:
    """The metrics of hits whose length reaches the candidates of most users, so that lists hold all of them.

    Args:
        task: what is ranked.
        metrics: names such as `recall@20`.
    """
    most = candidates(task)
    return [each.name for each in parse_all(metrics) if each.metric.kind != "lists" and most <= each.k < FULL_RANKING]


def shorter(metric: str, most: int) -> str:
    """The same metric at a length of at most half the candidates.

    Args:
        metric: a name such as `recall@20`.
        most: the candidates.
    """
    kind = parse(metric).name.partition("@")[0]
    return f"{kind}@{next((k for k in _SHORTER if 2 * k <= most), 1)}"


def note(task: Task, metrics: Sequence[str]) -> str | None:
    """A sentence on metrics that say next to nothing of these data; None where there is none.

    Args:
        task: what is ranked.
        metrics: names such as `recall@20`.
    """
    found = reaching(task, metrics)
    if not found:
        return None
    most = candidates(task)
    return (
        f"{', '.join(found)}: lists so long hold all {most} items that are left to most users, so such a figure hardly "
        f"differs between methods; take shorter ones, such as {shorter(found[0], most)}"
    )
