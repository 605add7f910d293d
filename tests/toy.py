"""Tiny data with one right answer."""

from __future__ import annotations

import numpy as np

from recodiff.data.interactions import IdMap, Interactions


def checkerboard(n: int = 50) -> Interactions:
    """User u likes the items of u's colour (same parity), all but item u: the only right next item is u itself."""
    user, item = np.nonzero((np.add.outer(np.arange(n), np.arange(n)) % 2 == 0) & ~np.eye(n, dtype=bool))
    ids = IdMap([f"user-{u:03}" for u in range(n)]), IdMap([f"item-{i:03}" for i in range(n)])
    return Interactions.from_arrays(user, item, *ids, times=np.arange(len(user)), time_kind="order")


def random_interactions(rng: np.random.Generator, users: int = 30, items: int = 20, share: float = 0.3) -> Interactions:
    """Interactions at random, in random order; some users may have none."""
    row, col = np.nonzero(rng.random((users, items)) < share)
    times = rng.permutation(len(row)) * 3600
    return Interactions.from_arrays(row, col, IdMap.range(users), IdMap.range(items), times=times, time_kind="clock")
