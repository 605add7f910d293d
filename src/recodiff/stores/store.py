"""What every store is: it gives the nearest items, and from these come the lists of `recommend`.

Seen items are never filtered by the engine, since filters behind a graph return too few rows. A user's k best unseen items are
among the k + s best of all, with s seen ones. So that many are asked for, and the seen ones are dropped here.

Shapes: `n` users, `I` items, `H` width of a user's vector, `W` width in the store, `K` list length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import DataError
from recodiff.ranking.recommend import HISTORIES, Recommendations, need_length
from recodiff.stores.manifest import Index, Manifest
from recodiff.stores.points import Floats, Measure, Points, queries_of

Nearest = tuple[NDArray[np.int64], Floats]
"""Positions [n, K], -1 where there is none, and scores [n, K] as the model has them, best first."""
ASKED_AT_ONCE = 256
"""Users asked about together."""
CATALOGUE = "the whole numbers up to the size of the store's catalogue"
"""What a list's length may be, in words."""


class Store(ABC):
    """An index or a database of item vectors.

    Args:
        manifest: what it says of itself.
        items: the catalogue.
    """

    kind: ClassVar[str]
    indexes: ClassVar[tuple[Index, ...]] = ("exact",)
    """What it offers, its default first."""
    measures: ClassVar[tuple[Measure, ...]] = ("ip",)
    """What it compares; of several the first that serves is taken."""
    static: ClassVar[bool] = True
    """Whether its files are only ever read, so that their hashes hold."""

    def __init__(self, manifest: Manifest, items: IdMap) -> None:
        self.manifest, self.items = manifest, items

    @abstractmethod
    def nearest(self, queries: Floats, count: int) -> Nearest:
        """Ask the engine for the `count` best items of each query.

        Args:
            queries: [n, W], of `queries_of`.
            count: 1 to I.

        Returns:
            Positions and scores; fewer than `count` only where a graph finds no more.
        """

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """Find neighbours as `nearest`, past any graph; what a graph did not fill is asked here.

        Args:
            queries: vectors, [n, H].
            count: neighbours of each.
        """
        return self.nearest(queries, count)

    def close(self) -> None:  # noqa: B027
        """Give back files and connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def query(self, users: Any, k: int, *, seen: Interactions | None = None) -> Recommendations:
        """Give the lists that `recommend` gives.

        Args:
            users: user vectors float32 [n, H], of `user_vectors`.
            k: list length, 1 to I.
            seen: what each user has interacted with and no list holds, rows as in `users`; nothing is left out unless given.

        Returns:
            Lists of at most `k` items; shorter only where fewer are unseen.

        Raises:
            DataError: the vectors are not of this model's width, or not finite, or `seen` has other rows or another catalogue.
            ModelError: `k` is no whole number or lies outside 1..I.
        """
        vectors = self._checked(users, k, seen)
        items = np.full((len(vectors), k), -1, np.int64)
        scores = np.full((len(vectors), k), -np.inf, np.float32)
        asked = queries_of(vectors, self.manifest.measure)
        masked = np.zeros(len(vectors), np.int64) if seen is None else seen.lengths()
        for rows, count in self._together(masked, k):
            found = self.nearest(asked[rows], count)
            for row, (places, values) in zip(rows, zip(*found, strict=True), strict=True):
                ours = None if seen is None else _seen_by(seen, row)
                kept = self._unseen(places, values, ours, k)
                if len(kept[0]) < min(k, len(self.items) - int(masked[row])):
                    past = self.nearest_exact(asked[row : row + 1], count)
                    kept = self._unseen(past[0][0], past[1][0], ours, k)
                items[row, : len(kept[0])], scores[row, : len(kept[0])] = kept
        named = IdMap.unnamed(len(vectors)) if seen is None else seen.users
        return Recommendations(items, scores, named, self.items)

    def _checked(self, users: Any, k: int, seen: Interactions | None) -> Floats:
        vectors, wanted = np.asarray(users, dtype=np.float32), self.manifest.width
        if vectors.ndim != 2 or vectors.shape[1] != wanted:
            raise DataError(f"user vectors have shape {vectors.shape}, the store takes [n, {wanted}]; give those of user_vectors")
        if not np.isfinite(vectors).all():
            raise DataError("a user vector is NaN or infinite; give those of user_vectors")
        need_length(k, len(self.items), CATALOGUE)
        if seen is not None:
            need_interactions(seen, "seen", HISTORIES)
            if seen.items != self.items or seen.n_users != len(vectors):
                raise DataError(
                    f"seen has {seen.n_users} users and {seen.n_items} items, the query {len(vectors)} users and the store "
                    f"{len(self.items)} items; give the history that the vectors were made of"
                )
        return vectors

    def _together(self, masked: NDArray[np.int64], k: int) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Users with similar numbers of seen items, and the rows to ask for: all of them need about as many."""
        counts = np.minimum(k + masked, len(self.items))
        order = np.argsort(counts, kind="stable")
        for start in range(0, len(order), ASKED_AT_ONCE):
            rows = order[start : start + ASKED_AT_ONCE]
            yield rows, int(counts[rows[-1]])

    @staticmethod
    def _unseen(places: NDArray[np.int64], values: Floats, seen: NDArray[Any] | None, k: int) -> tuple[Any, Any]:
        kept = places >= 0 if seen is None else (places >= 0) & ~np.isin(places, seen)
        return places[kept][:k], values[kept][:k]


class FolderStore(Store):
    """A store whose files stand in a folder."""

    @classmethod
    @abstractmethod
    def write(cls, folder: Any, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """Fill an empty folder.

        Args:
            folder: a path.
            points: item vectors as the engine compares them.
            items: the catalogue.
            index: one of `indexes`.

        Returns:
            What the manifest keeps as `settings`.
        """

    def __init__(self, manifest: Manifest, items: IdMap, folder: Any) -> None:
        super().__init__(manifest, items)
        self.folder = folder


def _seen_by(seen: Interactions, row: int) -> NDArray[Any]:
    begin, end = seen.matrix.indptr[row : row + 2]
    return seen.matrix.indices[begin:end]
