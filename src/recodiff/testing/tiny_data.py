"""Tiny data with one right answer."""

from __future__ import annotations

import numpy as np
import torch

from recodiff.data.interactions import IdMap, Interactions
from recodiff.models.base import Recommender, batches


def checkerboard(n: int = 50, *, shuffled: bool = False) -> Interactions:
    """A board of `n` users and `n` items: user u has the items of u's colour (same parity), all but item u.

    The only right next item of user u is item u itself.

    Args:
        n: users, and items.
        shuffled: whether each user has an order of their own; otherwise it is that of the catalogue, where nothing ever follows
            the last items, so that a model of what comes next learns nothing of them.
    """
    user, item = np.nonzero((np.add.outer(np.arange(n), np.arange(n)) % 2 == 0) & ~np.eye(n, dtype=bool))
    ids = IdMap([f"user-{u:03}" for u in range(n)]), IdMap([f"item-{i:03}" for i in range(n)])
    times = np.random.default_rng(0).permutation(len(user)) if shuffled else np.arange(len(user))
    return Interactions.from_arrays(user, item, *ids, times=times, time_kind="order")


def with_gaps() -> Interactions:
    """Interactions of 14 users and 9 items where user 5, item 3 and the last of either have none."""
    seen = np.random.default_rng(1).random((14, 9)) < 0.4
    seen[[5, -1]], seen[:, [3, -1]] = False, False
    row, col = np.nonzero(seen)
    return Interactions.from_arrays(row, col, IdMap.range(14), IdMap.range(9), times=np.arange(len(row)), time_kind="order")


def unnamed(x: Interactions) -> Interactions:
    """The same histories, of users that no model knows."""
    return Interactions(x.matrix, x.times, x.time_kind, IdMap.unnamed(x.n_users), x.items)


def scores_of(model: Recommender, x: Interactions) -> torch.Tensor:
    """Scores [B, I] of histories, weighted as the model weights them.

    Args:
        model: a fitted model.
        x: histories of B users over the model's catalogue.
    """
    with torch.inference_mode():
        return torch.cat([model.score(batch) for _, batch in batches(model, x, 1000)])
