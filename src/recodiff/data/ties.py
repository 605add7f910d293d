"""Ties: rows of a group that share a value, such as a user's rows of one time, and how a boundary treats them; one sort for all.

Shapes: `n` rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

MOST = 2**62
"""Products of ranges up to which two columns fit one whole number."""


@dataclass(frozen=True, eq=False)
class Ties:
    """Groups of rows, and within each the ties (rows that share a value) in ascending order of it.

    Args:
        order: rows as sorted, int64 [n]; equal values keep the order of the frame.
        group: number of each sorted row's group, int64 [n].
        group_begins: sorted place where each group begins.
        tie: number of each sorted row's tie, int64 [n].
        tie_begins: sorted place where each tie begins.
    """

    order: NDArray[np.int64]
    group: NDArray[np.int64]
    group_begins: NDArray[np.int64]
    tie: NDArray[np.int64]
    tie_begins: NDArray[np.int64]

    @staticmethod
    def of(frame: pl.DataFrame, group: Sequence[str], column: str) -> Ties:
        """Sort a frame.

        Args:
            frame: has the columns.
            group: columns that make the groups.
            column: whose equal values make a tie.
        """
        names = [*group, column]
        packed = _packed([frame[name] for name in names])
        by = pl.arg_sort_by(names, maintain_order=True) if packed is None else pl.lit(packed).arg_sort()
        order = frame.select(by).to_series().to_numpy().astype(np.int64)
        if packed is not None:  # polars sorts one column without a promise for ties
            order = _ties_in_order(packed.to_numpy(), order)
        new_group = np.zeros(frame.height, dtype=bool)
        for name in group:
            new_group |= _changes(frame[name], order)
        new_tie = new_group | _changes(frame[column], order)
        return Ties(order, np.cumsum(new_group) - 1, np.flatnonzero(new_group), np.cumsum(new_tie) - 1, np.flatnonzero(new_tie))

    def rank(self, *, dense: bool) -> pl.Series:
        """The place of each row's tie in its group, or of the row itself, from 1, int64 [n] in the order of the frame.

        Args:
            dense: whether ties are counted, each as one place, in place of rows.
        """
        if dense:
            first_tie = self.tie[self.group_begins]
            return self._back(self.tie - first_tie[self.group] + 1)
        return self._back(np.arange(len(self.order)) - self.group_begins[self.group] + 1)

    def from_end(self) -> pl.Series:
        """Rows of the group after the middle of each row's tie, less a half, [n]; of a first tie the size of the group."""
        n = len(self.order)
        size = np.diff(self.group_begins, append=n)[self.group]
        before = self.tie_begins[self.tie] - self.group_begins[self.group]
        own = np.diff(self.tie_begins, append=n)[self.tie]
        return self._back(np.where(before == 0, size, (2 * (size - before) - own - 1) / 2))

    def _back(self, values: NDArray[np.number]) -> pl.Series:
        found = np.empty_like(values)
        found[self.order] = values
        return pl.Series(found)


def _changes(column: pl.Series, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a sorted row has another value than the one before it, [n]; true of the first."""
    if column.dtype in (pl.Enum, pl.Categorical, pl.String):
        column = column.to_physical() if column.dtype != pl.String else column.rank("dense")
    values = column.to_numpy()[order]
    return np.concatenate([np.ones(min(len(values), 1), dtype=bool), values[1:] != values[:-1]])


def _packed(columns: Sequence[pl.Series]) -> pl.Series | None:
    """Columns as one whole number that sorts as they do, the first deciding first; None where they do not fit one."""
    key, total = None, 1
    for column in columns:
        whole = column.to_physical() if isinstance(column.dtype, pl.Enum) else column
        if not whole.dtype.is_integer() or whole.is_empty():
            return None
        low, high = int(whole.min()), int(whole.max())  # type: ignore[arg-type]
        total *= high - low + 1
        if total > MOST or high > 2**63 - 1:
            return None
        shifted = whole.cast(pl.Int64) - low
        key = shifted if key is None else key * (high - low + 1) + shifted
    return key


def _ties_in_order(key: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """A sorting order whose rows of equal key stand in ascending order."""
    values = key[order]
    equal = values[1:] == values[:-1]
    if not (equal & (order[1:] < order[:-1])).any():
        return order
    return np.argsort(key, kind="stable")
