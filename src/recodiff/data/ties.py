"""Ties: rows of a group that share a value, such as a user's rows of one time, and how a boundary treats them; one sort for all.

Shapes: `n` rows, `t` ties, `g` groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.order import by_value, stand_in_order

MOST_PACKED = 2**62
"""Products of ranges up to which two columns fit one whole number."""


@dataclass(frozen=True, eq=False)
class Ties:
    """Groups of rows, and within each the ties (rows that share a value) in ascending order of it.

    Args:
        n: rows.
        order: rows as sorted, [n]; equal values keep the order of the frame. None where the frame stands so.
        group_begins: sorted place where each group begins, int64 [g].
        tie_begins: sorted place where each tie begins, int64 [t].
    """

    n: int
    order: NDArray[Any] | None
    group_begins: NDArray[np.int64]
    tie_begins: NDArray[np.int64]

    @staticmethod
    def of(frame: pl.DataFrame, group: Sequence[str], column: str) -> Ties:
        """Sort a frame.

        Args:
            frame: has the columns.
            group: columns that make the groups.
            column: whose equal values make a tie.
        """
        keys = [_comparable(frame[name]) for name in (*group, column)]
        order = None if stand_in_order(keys) else _order(keys)
        *changes, last = (_changes(key, order) for key in keys)
        new_group = np.logical_or.reduce(changes)
        return Ties(frame.height, order, np.flatnonzero(new_group), np.flatnonzero(new_group | last))

    def rank(self, *, dense: bool) -> pl.Series:
        """The place of each row's tie in its group, or of the row itself, from 1, int64 [n] in the order of the frame.

        Args:
            dense: whether ties are counted, each as one place, in place of rows.
        """
        if dense:
            first = np.searchsorted(self.tie_begins, self.group_begins)
            return self.spread(
                np.arange(1, len(self.tie_begins) + 1) - np.repeat(first, np.diff(first, append=len(self.tie_begins)))
            )
        sizes = np.diff(self.group_begins, append=self.n)
        return self._back(np.arange(1, self.n + 1) - np.repeat(self.group_begins, sizes))

    def group_size(self) -> NDArray[np.int64]:
        """Rows of each tie's group, [t]."""
        return np.diff(self.group_begins, append=self.n)[self._group()]

    def from_end(self) -> NDArray[np.float64]:
        """Rows of the group after the middle of each tie, less a half, [t]; of a first tie the size of the group."""
        size, before = self.group_size(), self.tie_begins - self.group_begins[self._group()]
        own = np.diff(self.tie_begins, append=self.n)
        return np.where(before == 0, size, (2 * (size - before) - own - 1) / 2)

    def spread(self, values: NDArray[np.number]) -> pl.Series:
        """Give each row what its tie has in `values` [t]: [n] in the order of the frame."""
        return self._back(np.repeat(values, np.diff(self.tie_begins, append=self.n)))

    def _group(self) -> NDArray[np.int64]:
        return np.searchsorted(self.group_begins, self.tie_begins, side="right") - 1

    def _back(self, values: NDArray[np.number]) -> pl.Series:
        if self.order is None:
            return pl.Series(values)
        found = np.empty_like(values)
        found[self.order] = values
        return pl.Series(found)


def _comparable(column: pl.Series) -> NDArray[Any]:
    if column.dtype == pl.String:
        column = column.rank("dense")
    return (column.to_physical() if column.dtype in (pl.Enum, pl.Categorical) else column).to_numpy()


def _changes(values: NDArray[Any], order: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Where a sorted row has another value than the one before it, [n]; true of the first."""
    values = values if order is None else values[order]
    return np.concatenate([np.ones(min(len(values), 1), dtype=bool), values[1:] != values[:-1]])


def _order(keys: Sequence[NDArray[Any]]) -> NDArray[Any]:
    packed = _packed(keys)
    return np.lexsort(tuple(reversed(keys))) if packed is None else by_value(packed)


def _packed(keys: Sequence[NDArray[Any]]) -> NDArray[np.int64] | None:
    """Columns as one whole number that sorts as they do, the first deciding first; None where they do not fit one."""
    packed, total = None, 1
    for key in keys:
        if not np.issubdtype(key.dtype, np.integer):
            return None
        low, high = int(key.min()), int(key.max())
        total *= high - low + 1
        if total > MOST_PACKED or high > 2**63 - 1:
            return None
        shifted = key.astype(np.int64) - low
        packed = shifted if packed is None else packed * (high - low + 1) + shifted
    return packed
