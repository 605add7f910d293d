"""Id maps: what ties positions to the outside world.

Shapes: `n` ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from recodiff.errors import DataError

IntArray = NDArray[np.int64]


class IdMap:
    """External ids, whole numbers or text, beside their positions 0..n-1.

    Args:
        ids: the external ids in the order of their positions; unique, none missing. Whole numbers stay
            whole numbers, anything else is kept as text (so `007` given as text stays `007`).

    Raises:
        DataError: an id is missing or stands twice.
    """

    __slots__ = ("_order", "_sorted", "ids", "named")

    def __init__(self, ids: Iterable[Any] | pl.Series, *, named: bool = True) -> None:
        series = ids if isinstance(ids, pl.Series) else pl.Series("id", list(ids))
        empty = len(series) == 0 and series.dtype != pl.String  # text without rows stays text, so that tables of it can be joined
        kind = pl.Int64 if series.dtype.is_integer() or empty else pl.String
        self.ids: pl.Series = series.cast(kind).alias("id")
        if self.ids.null_count():
            raise DataError(f"{self.ids.null_count()} ids are missing; drop those rows before building an IdMap")
        if self.ids.n_unique() != len(self.ids):
            twice = self.ids.filter(self.ids.is_duplicated())[0]
            raise DataError(f"id {twice!r} stands twice; each id needs one position")
        self.named = named
        self._order: IntArray | None = None
        self._sorted: pl.Series | None = None

    @classmethod
    def range(cls, n: int) -> IdMap:
        """The ids 0..n-1 themselves.

        Args:
            n: how many, 0 or more.
        """
        return cls(pl.Series("id", np.arange(n, dtype=np.int64)))

    @classmethod
    def unnamed(cls, n: int) -> IdMap:
        """A map of `n` positions without external ids: shown as 0..n-1, and `within` no map."""
        return cls(cls.range(n).ids, named=False)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, IdMap) and self.ids.dtype == other.ids.dtype and self.ids.equals(other.ids)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"IdMap({len(self)} {'numbers' if self.ids.dtype == pl.Int64 else 'texts'})"

    def externals(self, positions: ArrayLike) -> pl.Series:
        """The external ids at `positions` [n], in that order."""
        return self.ids.gather(np.asarray(positions, dtype=np.int64))

    def positions(
        self, ids: Sequence[Any] | pl.Series | NDArray[Any], *, unknown: Literal["raise", "mark"] = "raise", what: str = "id"
    ) -> IntArray:
        """Positions [n] of external ids.

        Args:
            ids: external ids; text that spells a whole number is accepted where the ids are whole numbers.
            unknown: `raise` refuses ids that are not in the map, `mark` gives them -1.
            what: the word an error message uses ("item", "user").

        Raises:
            DataError: an id is unknown and `unknown` is `raise`.
        """
        asked = ids if isinstance(ids, pl.Series) else pl.Series("id", _plain(ids), strict=False)
        if asked.dtype.is_float():  # a cast would take 1.5 for 1
            asked = asked.to_frame("id").select(pl.when(pl.col("id") == pl.col("id").floor()).then("id")).to_series()
        keys = asked.cast(pl.Int64, strict=False) if asked.dtype.is_float() else asked
        keys = keys.cast(self.ids.dtype, strict=False)
        if asked.dtype == pl.String and keys.dtype == pl.Int64:  # `007` is not 7
            keys = pl.select(pl.when(keys.cast(pl.String) == asked).then(keys)).to_series()
        found = self._search(keys)
        if unknown == "raise" and (found < 0).any():
            missing = asked.filter(pl.Series(found < 0)).unique(maintain_order=True)
            shown = ", ".join(repr(value) for value in missing.head(3))
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            example = f", for example {self.ids[0]!r}" if len(self) else ""
            raise DataError(f"unknown {what} {shown}{more}: give ids of the {len(self)} that the data holds{example}")
        return found

    def within(self, other: IdMap) -> IntArray:
        """The position of each of these ids in `other`, [n]; -1 where it has none, and for all that are unnamed."""
        return other.positions(self.ids, unknown="mark") if self.named else np.full(len(self), -1, dtype=np.int64)

    def _search(self, keys: pl.Series) -> IntArray:
        if len(self) == 0 or len(keys) == 0:
            return np.full(len(keys), -1, dtype=np.int64)
        if self._sorted is None or self._order is None:
            self._order = self.ids.arg_sort().to_numpy().astype(np.int64)
            self._sorted = self.ids.gather(self._order)
        at = self._sorted.search_sorted(keys.fill_null(self._sorted[0]), side="left").to_numpy().astype(np.int64)
        at = np.minimum(at, len(self) - 1)
        same = (self._sorted.gather(at) == keys).fill_null(False).to_numpy()
        return np.where(same, self._order[at], -1)

    def take(self, positions: ArrayLike) -> IdMap:
        """The map of the ids at `positions` only, renumbered in that order."""
        return IdMap(self.externals(positions), named=self.named)


def _plain(ids: Any) -> Any:
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
