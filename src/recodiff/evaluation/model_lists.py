"""Lists of a model for all that other packages take a mean over: users with something to be found, and users without.

Shapes: `n` users, `K` list length, `I` items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recodiff.evaluation.conventions import Judged, judge
from recodiff.evaluation.protocol import Task
from recodiff.models.base import Recommender
from recodiff.ranking.topk import ranked_by_all
from recodiff.runtime.memory import users_at_once

ARRAYS = 8
"""Whole rankings are judged by that many arrays of the size of the scores, so that fewer users are judged at once."""


def everyone(task: Task, listed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of the users with a list or with something to be found, [n].

    Args:
        task: what is to be found.
        listed: who has a list, boolean [n_users].
    """
    return np.flatnonzero((task.truth.lengths() > 0) | listed)


def lists_for_everyone(
    model: Recommender, task: Task, k: int, *, show_progress: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lists for every user with a history or with something to be found: positions [n, K], and rows of the users [n].

    Args:
        model: a fitted model.
        task: gives history, truth and mask.
        k: length of the lists; shorter where the catalogue is.
        show_progress: whether a progress bar may be shown.
    """
    users = everyone(task, task.history.lengths() > 0)
    k = min(k, task.history.n_items)
    lists = ranked_by_all(model, task.history, k, {"mask": task.mask}, users=users, show_progress=show_progress)
    return lists["mask"][0], users


def judged_rankings(model: Recommender, task: Task) -> Iterator[Judged]:
    """Whole rankings of the users with something to be found, some users at a time.

    Args:
        model: a fitted model.
        task: gives history, truth and mask.

    Yields:
        Rankings of the next users in row order, beside their truth.
    """
    users, n_items = np.flatnonzero(task.truth.lengths() > 0), task.history.n_items
    size = max(1, users_at_once(n_items, products=False) // ARRAYS)
    for some in (users[start : start + size] for start in range(0, len(users), size)):
        mask = task.mask.take(some)
        lists = ranked_by_all(model, task.history, n_items, {"mask": task.mask}, users=some)["mask"][0]
        yield judge(lists, np.arange(len(some)), task.truth.take(some), mask)
