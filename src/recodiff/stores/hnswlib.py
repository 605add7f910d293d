"""hnswlib: a graph. It gives 1 less the inner product, so that the least is the best."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points, scores_of_distances
from recodiff.stores.store import FolderStore, Nearest

FILE = "items.hnswlib"
NEIGHBOURS, CANDIDATES = 32, 400
"""Edges of an item in the graph, and candidates while it is built."""


class Hnswlib(FolderStore):
    """An index file of hnswlib."""

    kind = "hnswlib"
    indexes = ("hnsw",)
    measures = ("ip", "l2")

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        made = needed("hnswlib", "hnswlib").Index(space=points.measure, dim=points.vectors.shape[1])
        made.init_index(max_elements=len(items), M=NEIGHBOURS, ef_construction=CANDIDATES, random_seed=0)
        made.add_items(points.vectors, np.arange(len(items)), num_threads=1)  # no two graphs of more are alike
        made.save_index(str(folder / FILE))
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._module = needed("hnswlib", "hnswlib")
        width = manifest.width + (1 if manifest.measure == "ip" else 2)
        self._index = self._module.Index(space=manifest.measure, dim=width)
        self._index.load_index(str(folder / FILE), max_elements=len(items))
        self._flat: Any = None

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        self._index.set_ef(min(count * self.manifest.breadth, len(self.items)))
        try:
            places, distances = self._index.knn_query(queries, count, num_threads=_threads())
        except RuntimeError:  # a graph in which fewer items can be reached than were asked for
            return self.nearest_exact(queries, count)
        return self._found(queries, places, distances)

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        if self._flat is None:
            self._flat = self._module.BFIndex(space=self.manifest.measure, dim=queries.shape[1])
            self._flat.init_index(max_elements=len(self.items))
            everything = np.arange(len(self.items))
            self._flat.add_items(np.asarray(self._index.get_items(everything), np.float32), everything)
        return self._found(queries, *self._flat.knn_query(queries, count))

    def _found(self, queries: Floats, places: Any, distances: Floats) -> Nearest:
        if self.manifest.measure == "ip":
            return places.astype(np.int64), 1 - distances
        return places.astype(np.int64), scores_of_distances(distances, queries, self.manifest.longest)


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or -1
