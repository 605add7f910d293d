"""Interactions: which user interacted with which item, how strongly and when.

Shapes: `n_users` users, `I` items, `nnz` interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from recodiff.data.fingerprint import hashed
from recodiff.data.ids import IdMap, IntArray
from recodiff.data.order import in_that_order, little_endian, rows_in_order
from recodiff.errors import DataError

TimeKind = Literal["clock", "order"]
MOST_WEIGHT = 1e12
"""Largest weight of an interaction: sums of squares of a billion of them are finite in float32."""
Events = Literal["whole", "ordered", "split"]
"""What interactions of a user at one time are; see `Interactions.events`."""


def need_interactions(given: object, what: str, remedy: str) -> None:
    """Raise DataError where `given` is something else, as is easily typed by hand.

    Args:
        given: what a caller passed.
        what: how an error message calls it.
        remedy: what to give in its place.
    """
    if not isinstance(given, Interactions):
        raise DataError(f"{what} is of type {type(given).__name__}, not Interactions; give {remedy}")


@dataclass(frozen=True, eq=False)
class Interactions:
    """All that users interacted with, how strongly and when: the one currency of the library.

    The entries of a user stand oldest first. Their arrays are read-only, because sorting them by column would lose that
    order. What a user has *seen* is the pattern of the matrix; its values are weights, and a weight of zero is still seen.

    An *event* is all that a user does at one time, such as a basket:

    * `whole`: nothing cuts it, and models read it as a set; its entries stand in the order of their columns.
    * `ordered`: its entries stand in the order of the log, which is real, and models read them so. Nothing cuts it but the protocol
      `leave-one-out`, which takes exactly one item: what comes before it in the same event came first.
    * `split`: every interaction is an event of its own, and equal times keep the order of the log.

    Args:
        matrix: [n_users, I] float32, one entry per user and item.
        times: int64 [nnz] beside `matrix.data`, or None: seconds (`clock`) or a rank within the user (`order`).
        time_kind: what `times` are; None when there is no time.
        users: external user ids, one per row.
        items: external item ids, one per column.
        events: what interactions of a user at one time are.

    Raises:
        DataError: shapes disagree, a pair stands twice, a weight is not finite, or times run backwards.
    """

    matrix: csr_array
    times: IntArray | None
    time_kind: TimeKind | None
    users: IdMap
    items: IdMap
    events: Events = "split"

    def __post_init__(self) -> None:
        _check(self)
        for array in (self.matrix.data, self.matrix.indices, self.matrix.indptr, self.times):
            if array is not None:
                array.flags.writeable = False

    @classmethod
    def from_arrays(
        cls,
        user: ArrayLike,
        item: ArrayLike,
        users: IdMap,
        items: IdMap,
        *,
        weights: ArrayLike | None = None,
        times: ArrayLike | None = None,
        time_kind: TimeKind | None = None,
        events: Events = "split",
    ) -> Interactions:
        """Build interactions from positions in log order.

        Args:
            user: [nnz] positions in `users`.
            item: [nnz] positions in `items`.
            users: external user ids.
            items: external item ids.
            weights: [nnz], finite; 1 unless given.
            times: [nnz] whole numbers, see `time_kind`.
            time_kind: `clock` (seconds) or `order` (a rank within the user); needed with `times`.
            events: what interactions of a user at one time are.

        Raises:
            DataError: as for the class.
        """
        row, col = np.asarray(user, dtype=np.int64), np.asarray(item, dtype=np.int64)
        data = np.ones(len(row), np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
        when = None if times is None else np.asarray(times, dtype=np.int64)
        if len(row) and (row.min() < 0 or row.max() >= len(users) or col.min() < 0 or col.max() >= len(items)):
            raise DataError(f"positions lie outside the {len(users)} users and {len(items)} items; build the maps first")
        # Where the log's order means nothing, the item's position makes the storage canonical.
        order = rows_in_order(row, len(users), when, col if when is None or events == "whole" else None, len(items))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(users)))])
        data, col, when = (None if each is None else in_that_order(each, order) for each in (data, col, when))
        matrix = csr_array((data, col, indptr), shape=(len(users), len(items)))
        return cls(matrix, when, time_kind, users, items, events)

    @property
    def n_users(self) -> int:
        """Rows."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Columns."""
        return len(self.items)

    @property
    def nnz(self) -> int:
        """Interactions, weight-zero ones included."""
        return int(self.matrix.indptr[-1])

    def __repr__(self) -> str:
        kind = self.time_kind or "none"
        return f"Interactions({self.nnz} of {self.n_users} users and {self.n_items} items, time: {kind})"

    def lengths(self) -> IntArray:
        """The number of interactions of each user, [n_users]."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    def rows(self) -> IntArray:
        """The user of each entry, [nnz]."""
        return np.repeat(np.arange(self.n_users, dtype=np.int64), self.lengths())

    def positions(self) -> IntArray:
        """Place of each entry in its user's history, [nnz]; 0 is the oldest."""
        return np.arange(self.nnz, dtype=np.int64) - self.matrix.indptr[self.rows()]

    def event_positions(self) -> IntArray:
        """Place of each entry's event in its user's history, [nnz]; 0 is the oldest."""
        if self.times is None or self.events == "split":
            return self.positions()
        begins = self.event_begins()
        place = np.cumsum(begins) - 1
        return place - place[self.matrix.indptr[self.rows()]]

    def event_counts(self) -> IntArray:
        """The number of events of each user, [n_users]."""
        if self.times is None or self.events == "split":
            return self.lengths()
        return np.bincount(self.rows()[self.event_begins()], minlength=self.n_users).astype(np.int64)

    def read_positions(self) -> IntArray:
        """Place of each entry as models read it, [nnz]: entries of a `whole` event share one."""
        return self.event_positions() if self.events == "whole" else self.positions()

    def read_lengths(self) -> IntArray:
        """The number of places of each history as models read it, [n_users]."""
        return self.event_counts() if self.events == "whole" else self.lengths()

    def shared_places(self) -> IntArray | None:
        """The `read_positions` where entries share one, as in events of several that are `whole`; else None."""
        return self.read_positions() if self.events == "whole" and self.shares_times() else None

    def event_begins(self) -> NDArray[np.bool_]:
        """Mark the first entry of each event, boolean [nnz]."""
        return np.ones(self.nnz, dtype=bool) if self.events == "split" else self._begins_time()

    def _begins_time(self) -> NDArray[np.bool_]:
        begins = np.ones(self.nnz, dtype=bool)
        if self.times is not None:
            begins[1:] = (np.diff(self.times) != 0) | (np.diff(self.rows()) != 0)
        return begins

    def has_distinct_times(self) -> bool:
        """Tell whether no two interactions of a user share a time, so that the kind of events makes no difference."""
        return self.times is None or bool(self._begins_time().all())

    def shares_times(self) -> bool:
        """Tell whether some event, `whole` or `ordered`, has several entries."""
        return self.events != "split" and not self.has_distinct_times()

    def need_order(self, what: str) -> None:
        """Refuse data without time.

        Raises:
            DataError: there is no time; `what` names who asked for it.
        """
        if self.times is None:
            raise DataError(f"{what} needs to know what came first, and this data has no time: use data with a time column")

    def with_values(self, values: NDArray[np.floating[Any]]) -> Interactions:
        """The same interactions with other weights.

        Args:
            values: one weight an entry, [nnz], greater than 0.
        """
        old = self.matrix
        return replace(self, matrix=csr_array((values.astype(np.float32), old.indices, old.indptr), shape=old.shape))

    def take(self, users: ArrayLike) -> Interactions:
        """The interactions of some users, as rows 0..n-1.

        Args:
            users: positions [n], in any order.
        """
        chosen = np.asarray(users, dtype=np.int64)
        starts, lengths = self.matrix.indptr[chosen].astype(np.int64), self.lengths()[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
        matrix = csr_array((self.matrix.data[entries], self.matrix.indices[entries], indptr), shape=(len(chosen), self.n_items))
        times = None if self.times is None else self.times[entries]
        return Interactions(matrix, times, self.time_kind, self.users.take(chosen), self.items, self.events)

    def over(self, items: IdMap) -> tuple[Interactions, int]:
        """The same interactions over another catalogue, and how many were left out because it lacks their item.

        Args:
            items: the other catalogue.
        """
        new = items.positions(self.items.ids, unknown="mark")[self.matrix.indices]
        kept = new >= 0
        return self._picked(kept, new, items), int((~kept).sum())

    def only(self, kept: NDArray[np.bool_]) -> Interactions:
        """The entries marked in `kept` [nnz], over the same users and items."""
        return self._picked(kept, self.matrix.indices, self.items)

    def _picked(self, kept: NDArray[np.bool_], columns: NDArray[Any], items: IdMap) -> Interactions:
        times = None if self.times is None else self.times[kept]
        return Interactions.from_arrays(
            self.rows()[kept],
            columns[kept],
            self.users,
            items,
            weights=self.matrix.data[kept],
            times=times,
            time_kind=self.time_kind,
            events=self.events,
        )

    def union(self, other: Interactions) -> Interactions:
        """Both sets of interactions, in time order; of a pair in both, this one's entry is kept.

        Args:
            other: over the same users and items, of the same kind of time.

        Raises:
            DataError: the two do not share users, items and kind of time; or kind of events, where the other has equal times.
        """
        if self.users != other.users or self.items != other.items or self.time_kind != other.time_kind:
            raise DataError("these interactions differ in users, items or kind of time; take both parts from one data folder")
        if self.events != other.events and not other.has_distinct_times():
            raise DataError(
                f"what one user does at one time is {self.events!r} in these interactions and {other.events!r} in those; build "
                "both with the same events="
            )
        row = np.concatenate([self.rows(), other.rows()])
        col = np.concatenate([self.matrix.indices, other.matrix.indices]).astype(np.int64)
        _, first = np.unique(row * max(self.n_items, 1) + col, return_index=True)
        first.sort()
        weights = np.concatenate([self.matrix.data, other.matrix.data])[first]
        times = None
        if self.times is not None and other.times is not None:
            times = np.concatenate([self.times, other.times])[first]
        return Interactions.from_arrays(
            row[first],
            col[first],
            self.users,
            self.items,
            weights=weights,
            times=times,
            time_kind=self.time_kind,
            events=self.events,
        )

    def fingerprint(self) -> str:
        """A hash of pattern, weights, times, events and ids: equal data has equal fingerprints."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        arrays = (self.matrix.indptr, self.matrix.indices, self.matrix.data, self.times)
        stored = (None if array is None else [little_endian(array)] for array in arrays)
        return hashed(stored, self.users, self.items, self.events if self.shares_times() else None)


def _check(x: Interactions) -> None:
    matrix = x.matrix
    if matrix.shape != (len(x.users), len(x.items)):
        raise DataError(f"the matrix has shape {matrix.shape}, the id maps say ({len(x.users)}, {len(x.items)})")
    if matrix.dtype != np.float32:
        raise DataError(f"weights are {matrix.dtype}; give float32")
    if matrix.nnz and not (matrix.data.min() >= -MOST_WEIGHT and matrix.data.max() <= MOST_WEIGHT):  # NaN is neither
        raise DataError(f"a weight is NaN, infinite or beyond {MOST_WEIGHT:.0e}; drop, mend or scale those rows")
    if x.events not in get_args(Events):
        raise DataError(f"events cannot be {x.events!r}; choose {', '.join(get_args(Events))}")
    if (x.times is None) != (x.time_kind is None):
        given = "are not" if x.times is None else "are"
        raise DataError(f"times and time_kind go together (times {given} given, kind {x.time_kind})")
    starts = np.zeros(matrix.nnz, dtype=bool)
    starts[matrix.indptr[:-1][np.diff(matrix.indptr) > 0]] = True
    if x.times is not None:
        if len(x.times) != matrix.nnz:
            raise DataError(f"{len(x.times)} times for {matrix.nnz} interactions")
        if ((np.diff(x.times) < 0) & ~starts[1:]).any():
            raise DataError("times run backwards within a user; build with Interactions.from_arrays, which sorts them")
    columns = matrix.sorted_indices().indices
    again = np.flatnonzero((np.diff(columns) == 0) & ~starts[1:])
    if len(again):
        user = int(np.searchsorted(matrix.indptr, again[0], side="right")) - 1
        pair = f"user {x.users.ids[user]!r} and item {x.items.ids[int(columns[again[0]])]!r}"
        raise DataError(f"{pair} stand together twice ({len(again)} such repeats): keep the first or the last of them")
