"""The only items that lists may hold, by id or by position, so that neither is taken for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from recodiff.data.interactions import IdMap
from recodiff.errors import DataError

Ids = Sequence[Any] | pl.Series | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Candidates:
    """The only items to rank, alike for all users: `Candidates.ids([318, 50])` or `Candidates.positions([0, 7])`.

    Args:
        items: external ids, or positions in the catalogue.
        kind: which of the two they are.
    """

    items: Any
    kind: Literal["ids", "positions"]

    @classmethod
    def ids(cls, ids: Ids) -> Candidates:
        """Name the items as the data does.

        Args:
            ids: external item ids [n], in any order.

        Raises:
            DataError: the ids are one text.
        """
        if isinstance(ids, str | bytes):
            raise DataError(f"give the candidates as a sequence of ids, for example Candidates.ids([{ids!r}])")
        return cls(ids, "ids")

    @classmethod
    def positions(cls, positions: ArrayLike) -> Candidates:
        """Name the items by their place in the model's catalogue.

        Args:
            positions: whole numbers [n] from 0 to the catalogue's size less one, in any order.
        """
        return cls(positions, "positions")

    @classmethod
    def of(cls, given: Candidates | Ids) -> Candidates:
        """Take what a caller gave: candidates, or bare text ids.

        Text can only be ids. Whole numbers may be ids or positions, so they are refused until 0.3.0; from then on they are ids.

        Args:
            given: as for `recommend`.

        Raises:
            DataError: it is neither.
        """
        if isinstance(given, cls):
            return given
        values: Any = given.tolist() if isinstance(given, np.ndarray) else given
        several = isinstance(values, Sequence | pl.Series) and not isinstance(values, str | bytes)
        if several and all(isinstance(value, str) for value in values):
            return cls.ids(values)
        raise DataError(
            "bare candidates may be ids or positions; say Candidates.ids([...]) for the ids of your data, "
            "or Candidates.positions([...]) for places in the model's catalogue"
        )

    def within(self, catalogue: IdMap) -> NDArray[np.int64]:
        """Positions [n] in a catalogue.

        Args:
            catalogue: the model's items.

        Raises:
            DataError: an id is unknown, or a position is no whole number or lies outside the catalogue.
        """
        if self.kind == "ids":
            return catalogue.positions(self.items, what="item")
        n, places = len(catalogue), np.asarray(self.items)
        if places.size and not (np.issubdtype(places.dtype, np.integer) and places.min() >= 0 and places.max() < n):
            raise DataError(f"Candidates.positions are whole numbers from 0 to {n - 1}; name items by id with Candidates.ids")
        return places.astype(np.int64)
