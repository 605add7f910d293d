"""Stable sorting of arrays by whole numbers, and small codes for ids: what preparing and `Interactions` are built on.

A sort by several keys goes from the last to the first, each pass stable. Keys that are small codes are counted, which takes
linear time; wide ones (times) are sorted together with the row number in one 64-bit number, which numpy does several times faster
than sorting positions.

Shapes: `n` rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

BITS = 63
"""Bits of a whole number without its sign."""
COUNTED = 20
"""Bits by which values are counted in one pass."""
TABLE_UP_TO, TABLE_PER_ROW = 1 << 20, 4
"""A table of all numbers between the least and the greatest id may have so many entries, and so many more for each row."""


def by_code(codes: NDArray[Any], size: int, before: NDArray[Any] | None = None) -> NDArray[Any]:
    """Put rows in ascending order of a code, equal ones as they stood, [n].

    Args:
        codes: whole numbers from 0 to below `size`, [n].
        size: of the counting; memory of this size is taken.
        before: rows in the order that equal codes keep, [n]; their own unless given.
    """
    n = len(codes)
    narrow = np.int32 if max(n, size) < 2**31 - 1 else np.int64
    rows = np.arange(n, dtype=narrow) if before is None else before.astype(narrow, copy=False)
    column = (codes if before is None else codes[before]).astype(narrow)
    # A row of a sparse matrix turned into columns is a counting sort.
    return csr_array((rows, column, np.array([0, n], dtype=narrow)), shape=(1, max(size, 1))).tocsc().data


def by_value(values: NDArray[np.int64], before: NDArray[Any] | None = None) -> NDArray[Any]:
    """Put rows in ascending order of whole numbers, equal ones as they stood, [n].

    Args:
        values: any whole numbers of 64 bits, [n].
        before: rows in the order that equal values keep, [n]; their own unless given.
    """
    n = len(values)
    if not n:
        return np.arange(0)
    if before is not None:
        values = values[before]
    low, bits = int(values.min()), max(n - 1, 1).bit_length()
    if (int(values.max()) - low).bit_length() + bits > BITS:
        order = np.argsort(values, kind="stable")
    else:
        key = values.astype(np.int64) - low
        key <<= bits
        key |= np.arange(n)
        key.sort()
        key &= (1 << bits) - 1
        order = key
    return order if before is None else before[order]


def rows_in_order(
    user: NDArray[Any], users: int, time: NDArray[np.int64] | None, item: NDArray[Any] | None = None, items: int = 0
) -> NDArray[Any] | None:
    """Put rows in order by user, then time, then item, and as they stood where these are equal, [n]; None where they stand so.

    Args:
        user: positions, [n].
        users: how many there are.
        time: whole numbers, [n]; None where it does not count.
        item: positions, [n]; None where they do not count.
        items: how many there are.
    """
    if stand_in_order([key for key in (user, time, item) if key is not None]):
        return None
    order = None if item is None else by_code(item, items)
    order = order if time is None else by_value(time, order)
    return by_code(user, users, order)


def stand_in_order(keys: list[NDArray[Any]]) -> bool:
    """Tell whether rows stand in ascending order of `keys` (each [n]), the first deciding first."""
    tied: Any = None
    for key in keys:
        falls, same = key[1:] < key[:-1], key[1:] == key[:-1]
        if (falls if tied is None else falls & tied).any():
            return False
        tied = same if tied is None else same & tied
    return True


def in_that_order(array: NDArray[Any], order: NDArray[Any] | None) -> Any:
    """Copy `array` [n] in the order of the rows `order` [n], or as it stands where that is None."""
    return array.copy() if order is None else array[order]


def little_endian(array: NDArray[Any]) -> Any:
    """Give the bytes of `array`, of any shape, as any machine writes them; not copied where they stand so."""
    return array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)


def coded(ids: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Find the different ids in sorted order, and the position of each row's among them, UInt32 [n].

    Args:
        ids: whole numbers or text, none missing, [n].
    """
    if ids.dtype == pl.String:
        known = ids.unique().sort()
        return known, Coder(known)(ids)
    values = ids.to_numpy()
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
    if high - low >= TABLE_UP_TO + TABLE_PER_ROW * len(values):
        known = ids.unique().sort()
        return known, Coder(known)(ids)
    there = np.zeros(high - low + 1, dtype=bool)
    values = values - low
    there[values] = True
    known = pl.Series(ids.name, np.flatnonzero(there) + low, dtype=ids.dtype)
    return known, pl.Series(renumbered(there)[values])


class Coder:
    """Positions of ids among all that there are.

    Args:
        known: the different ids in sorted order, whole numbers or text.
    """

    def __init__(self, known: pl.Series) -> None:
        self._known, self._table, self._low = known, None, 0
        if known.dtype == pl.String:
            self._kind = pl.Enum(known)
        elif len(known) and int(known[-1]) - int(known[0]) < TABLE_UP_TO + TABLE_PER_ROW * len(known):
            self._low = int(known[0])
            there = np.zeros(int(known[-1]) - self._low + 1, dtype=bool)
            there[known.to_numpy() - self._low] = True
            self._table = renumbered(there)

    def __call__(self, ids: pl.Series) -> pl.Series:
        """Positions, UInt32 [n].

        Args:
            ids: of those that are known, [n].
        """
        if ids.dtype == pl.String:
            return ids.cast(self._kind).to_physical().cast(pl.UInt32)
        if self._table is not None:
            return pl.Series(self._table[ids.to_numpy() - self._low])
        return pl.Series(np.searchsorted(self._known.to_numpy(), ids.to_numpy()).astype(np.uint32))


def nth_smallest(pieces: Callable[[], Iterable[NDArray[np.int64]]], n: int) -> int:
    """The value that stands at place `n`, from 0, where all are sorted; found by counting, a few bits a pass.

    Args:
        pieces: arrays [rows] of whole numbers of 64 bits, more than `n` in all; called anew for each pass.
        n: the place.
    """
    ends = [(int(piece.min()), int(piece.max())) for piece in pieces() if len(piece)]
    low, high = min(least for least, _ in ends), max(most for _, most in ends)
    while low < high:
        shift = max((high - low).bit_length() - COUNTED, 0)
        counts = np.zeros(((high - low) >> shift) + 1, dtype=np.int64)
        for piece in pieces():
            within = piece[(piece >= low) & (piece <= high)]
            # Differences of 64 bits need their sign's bit too.
            places = (within.astype(np.uint64) - np.uint64(low % 2**64)) >> np.uint64(shift)
            counts += np.bincount(places.astype(np.int64), minlength=len(counts))
        ends_at = np.cumsum(counts)
        place = int(np.searchsorted(ends_at, n, side="right"))
        n -= int(ends_at[place] - counts[place])
        low, high = low + (place << shift), min(low + ((place + 1) << shift) - 1, high)
    return low


def renumbered(kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """New positions of what is `kept` (by old position, [n]), by the old ones [n]; of what is not, the position of the next."""
    return (np.cumsum(kept, dtype=np.int64) - kept).astype(np.uint32)


def how_many(codes: pl.Series) -> int:
    """Count the different values of `codes`, small whole numbers from 0 on."""
    return int(np.count_nonzero(np.bincount(codes.to_numpy())))
