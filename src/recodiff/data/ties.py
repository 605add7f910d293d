"""Ties: rows of a group that share a value, such as a user's rows of one time, and how a boundary treats them; one sort for all.

Shapes: `n` rows, `t` ties, `g` groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.interactions import Events
from recodiff.data.order import by_value, rows_in_order, stand_in_order

MOST_PACKED = 2**62
"""Products of ranges up to which two columns fit one whole number."""
SORTED = 0.99
"""From this share of ascending neighbours on, rows of equal time are sorted by item; of two in random order half ascend."""
LEAST_PAIRS = 20
"""Neighbours of equal time without which nothing is said of their order."""


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


@dataclass(frozen=True)
class TieCounts:
    """Counts of rows of one user and time that follow each other in a log; they add up over users.

    Args:
        rows: that follow one of the same user and time.
        pairs: those of another item than the row before.
        up: those of a higher one.
    """

    rows: int = 0
    pairs: int = 0
    up: int = 0

    def __add__(self, other: TieCounts) -> TieCounts:
        """The counts of both, of different users."""
        return TieCounts(*(own + its for own, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def by_item(self) -> bool:
        """Whether rows of equal time stand in the order of their items, up or down, which says nothing of what came first."""
        return bool(self.pairs >= LEAST_PAIRS and not 1 - SORTED < self.up / self.pairs < SORTED)


def by_user_and_time(frame: pl.DataFrame, users: int, events: Events) -> tuple[pl.DataFrame, TieCounts]:
    """Put rows in the order of users and times; equal times as in the log or, where they are `whole` events, by item and weight.

    Args:
        frame: columns `user`, `item` (positions) and `time`, in the order of the log.
        users: how many there are.
        events: what interactions of a user at one time are.

    Returns:
        The rows, and how those of equal time stood.
    """
    user, item, time = (frame[name].to_numpy() for name in ("user", "item", "time"))
    order = rows_in_order(user, users, time)
    own_user, own_time = (user, time) if order is None else (user[order], time[order])
    tied = (own_user[1:] == own_user[:-1]) & (own_time[1:] == own_time[:-1])
    if not tied.any():
        return _picked(frame, order), TieCounts()
    own_item = item if order is None else item[order]
    different = tied & (own_item[1:] != own_item[:-1])
    up = np.count_nonzero(different & (own_item[1:] > own_item[:-1]))
    counts = TieCounts(int(tied.sum()), int(different.sum()), int(up))
    if events == "whole":
        weight = frame["weight"].to_numpy() if "weight" in frame.columns else None
        order = _ties_by_item(np.arange(len(user)) if order is None else order, tied, item, weight)
    return _picked(frame, order), counts


def _ties_by_item(order: NDArray[Any], tied: NDArray[np.bool_], item: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[Any]:
    """The order, with rows that are tied to the one before in the order of their items and weights."""
    places = np.flatnonzero(np.concatenate([[False], tied]) | np.concatenate([tied, [False]]))
    rows = order[places]
    tie = np.concatenate([[0], np.cumsum(~tied)])[places]
    keys = (item[rows], tie) if weight is None else (weight[rows], item[rows], tie)
    order = order.copy()
    order[places] = rows[np.lexsort(keys)]
    return order


def _picked(frame: pl.DataFrame, order: NDArray[Any] | None) -> pl.DataFrame:
    if order is None:
        return frame
    plain = [column for column in frame.iter_columns() if column.dtype.is_numeric() and not column.null_count()]
    picked = {column.name: pl.Series(column.to_numpy()[order]) for column in plain}  # several times faster than polars' gather
    rest = frame.drop(picked.keys())
    picked |= {column.name: column.gather(order) for column in rest.iter_columns()}
    return pl.DataFrame({name: picked[name] for name in frame.columns})
