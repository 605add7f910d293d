"""Faiss: every item compared (IndexFlatIP), or a graph (IndexHNSWFlat).

Its graph searches no further where more rows are asked for, so the candidates grow with them here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

FILE = "items.faiss"
NEIGHBOURS, CANDIDATES = 32, 200
"""Edges of an item in the graph, and candidates while it is built."""


class Faiss(FolderStore):
    """An index file of Faiss."""

    kind = "faiss"
    indexes = ("exact", "hnsw")

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        faiss, width = needed("faiss", "faiss-cpu"), points.vectors.shape[1]
        if index == "exact":
            made = faiss.IndexFlatIP(width)
        else:
            made = faiss.IndexHNSWFlat(width, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)  # without it: Euclidean
            made.hnsw.efConstruction = CANDIDATES
        made.add(points.vectors)
        faiss.write_index(made, str(folder / FILE))
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._faiss = needed("faiss", "faiss-cpu")
        self._index = self._faiss.read_index(str(folder / FILE))
        self._flat: Any = None

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        if self.manifest.index == "exact":
            return self._found(*self._index.search(queries, count))
        self._index.hnsw.efSearch = count * self.manifest.breadth
        return self._found(*self._index.search(queries, count))

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        if self.manifest.index == "exact":
            return self.nearest(queries, count)
        if self._flat is None:
            self._flat = self._faiss.IndexFlatIP(self._index.d)
            self._flat.add(self._index.reconstruct_n(0, self._index.ntotal))
        return self._found(*self._flat.search(queries, count))

    @staticmethod
    def _found(scores: Floats, places: Any) -> Nearest:
        return places.astype(np.int64), scores
