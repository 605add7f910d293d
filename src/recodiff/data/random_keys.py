"""Random numbers for the rows of a log, which do not depend on their order."""

from __future__ import annotations

import numpy as np
import polars as pl

Seed = int | np.random.Generator
"""Of a draw. Pieces of a log in ascending order of users draw from one generator what the whole log draws from its seed."""


def random_keys(frame: pl.DataFrame, seed: Seed) -> pl.Series:
    """A number for each row of `frame` (columns user, item) that follows from `seed` and the set of rows, not their order."""
    order = frame.select(pl.arg_sort_by(name for name in ("user", "item", "part") if name in frame.columns)).to_series().to_numpy()
    keys = np.empty(frame.height)
    keys[order] = np.random.default_rng(seed).random(frame.height)
    return pl.Series("key", keys)


def with_keys(frame: pl.DataFrame, seed: Seed) -> pl.DataFrame:
    """Add a column `key` to `frame` as `random_keys` draws it with `seed`; rows of one event have that of its first item."""
    frame = frame.with_columns(random_keys(frame, seed))
    if "event" not in frame.columns:
        return frame
    group = [name for name in ("user", "event", "part") if name in frame.columns]
    return frame.with_columns(pl.col("key").sort_by("item").first().over(group))
