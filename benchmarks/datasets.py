"""Data that several benchmarks use."""

from __future__ import annotations

import numpy as np

from machine import SHARED
from recodiff.data import Dataset, IdMap, Interactions, load_dataset


def ml_1m() -> Dataset:
    """ml-1m_clean where it is at hand, else random interactions of its shape (the row says which)."""
    folder = SHARED / "ml-1m_clean"
    if folder.is_dir():
        return load_dataset(folder)
    g = np.random.default_rng(0)
    users, items = 5949, 2810
    keep = g.random((users, items)) < 403_277 / (users * items) * np.linspace(2, 0, items)
    row, col = np.nonzero(keep)
    part = g.choice(3, size=len(row), p=[0.7, 0.15, 0.15])
    maps = IdMap.range(users), IdMap.range(items)
    train, valid, test = (Interactions.from_arrays(row[part == i], col[part == i], *maps) for i in range(3))
    return Dataset(train, valid, test, None, None, {"name": "random, shaped like ml-1m_clean"})
