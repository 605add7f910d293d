"""LanceDB: a table on disk; every item is compared, or those of a graph over codes of a byte a number, compared again in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

LANCE_TABLE = "items"
REFINED = 4
"""Rows compared in full, as a multiple of those asked for: the graph's own numbers are of codes."""


class LanceDB(FolderStore):
    """A database folder with the table `items`: position, item, vector."""

    kind = "lancedb"
    indexes = ("exact", "hnsw")
    static = False

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        database = needed("lancedb", "lancedb").connect(str(folder))
        rows = pl.DataFrame({"position": np.arange(len(items)), "item": items.ids, "vector": points.vectors})
        table = database.create_table(LANCE_TABLE, rows.to_arrow())
        if index == "hnsw":  # unless it is named, the index is one of product codes, which lose most of the list
            how = needed("lancedb.index", "lancedb").HnswSq(distance_type="dot", num_partitions=1, m=32, ef_construction=400)
            table.create_index("vector", config=how)
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._table = needed("lancedb", "lancedb").connect(str(folder)).open_table(LANCE_TABLE)

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        graph = self.manifest.index == "hnsw"
        return _found([self._asked(query, count, graph=graph) for query in queries], count)

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        return _found([self._asked(query, count, graph=False) for query in queries], count)

    def _asked(self, query: Floats, count: int, *, graph: bool) -> Any:
        ask = (
            self._table.search(query, vector_column_name="vector")
            .distance_type("dot")
            .limit(count)
            .select(["position", "_distance"])
        )
        if not graph:
            return ask.bypass_vector_index().to_arrow()
        return ask.ef(count * self.manifest.breadth * REFINED).refine_factor(REFINED).to_arrow()


def _found(tables: list[Any], count: int) -> Nearest:
    """What it gives is 1 less the inner product."""
    places = np.full((len(tables), count), -1, np.int64)
    scores = np.full((len(tables), count), -np.inf, np.float32)
    for row, table in enumerate(tables):
        places[row, : table.num_rows] = table["position"].to_numpy()
        scores[row, : table.num_rows] = 1 - table["_distance"].to_numpy()
    return places, scores
