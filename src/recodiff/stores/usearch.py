"""USearch: a graph. It gives 1 less the inner product, and takes half precision unless it is asked for float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

FILE = "items.usearch"
NEIGHBOURS, CANDIDATES = 32, 400
"""Edges of an item in the graph, and candidates while it is built."""


class USearch(FolderStore):
    """An index file of USearch."""

    kind = "usearch"
    indexes = ("hnsw",)

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        made = needed("usearch.index", "usearch").Index(
            ndim=points.vectors.shape[1], metric="ip", dtype="f32", connectivity=NEIGHBOURS, expansion_add=CANDIDATES
        )
        made.add(np.arange(len(items), dtype=np.uint64), points.vectors, threads=1)  # more lose links, and no two graphs are alike
        made.save(str(folder / FILE))
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._index = needed("usearch.index", "usearch").Index.restore(str(folder / FILE))

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        self._index.expansion_search = count * self.manifest.breadth
        return self._found(queries, count, exact=False)

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        return self._found(queries, count, exact=True)

    def _found(self, queries: Floats, count: int, *, exact: bool) -> Nearest:
        """A place that is not filled has the key 0, which is an item's: `counts` says how many are."""
        places = np.full((len(queries), count), -1, np.int64)
        scores = np.full((len(queries), count), -np.inf, np.float32)
        found = self._index.search(queries, count, exact=exact)
        keys, distances = (np.asarray(part).reshape(len(queries), -1) for part in (found.keys, found.distances))
        there = np.full(len(queries), keys.shape[1]) if len(queries) == 1 else np.asarray(found.counts)
        filled = np.arange(keys.shape[1]) < there[:, None]
        width = keys.shape[1]
        places[:, :width][filled], scores[:, :width][filled] = keys[filled].astype(np.int64), 1 - distances[filled]
        return places, scores
