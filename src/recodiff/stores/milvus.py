"""Milvus, by Milvus Lite, the engine in a file: every item compared (FLAT), or a graph (HNSW)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

FILE, COLLECTION = "items.db", "items"
ROWS_AT_ONCE = 1000
"""Rows of an insert."""
MOST_FOUND = 16_384
"""Rows that a search gives at most."""
NEIGHBOURS, CANDIDATES = 32, 400
"""Edges of an item in the graph, and candidates while it is built."""


class Milvus(FolderStore):
    """A database of Milvus Lite with the collection `items`: position, item, vector."""

    kind = "milvus"
    indexes = ("exact", "hnsw")
    static = False

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        client, package = _client(folder), needed("pymilvus", "pymilvus milvus-lite")
        kinds, schema = package.DataType, client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("position", kinds.INT64, is_primary=True)
        schema.add_field("item", kinds.VARCHAR, max_length=65_535)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=points.vectors.shape[1])
        found_by = client.prepare_index_params()
        how = {"index_type": "FLAT"} if index == "exact" else _graph()
        found_by.add_index(field_name="vector", metric_type="IP", **how)
        client.create_collection(COLLECTION, schema=schema, index_params=found_by)
        names = items.ids.cast(str).to_list()
        for start in range(0, len(items), ROWS_AT_ONCE):
            places = range(start, min(start + ROWS_AT_ONCE, len(items)))
            client.insert(COLLECTION, [{"position": at, "item": names[at], "vector": points.vectors[at].tolist()} for at in places])
        client.flush(COLLECTION)  # before it the engine compares every item, whatever the index
        client.release_collection(COLLECTION)  # else the graph is made behind our back, and every item compared until it is
        client.close()
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._client = _client(folder)
        self._client.load_collection(COLLECTION)
        self._flat: Floats | None = None

    def close(self) -> None:
        """See `Store`."""
        self._client.close()

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        if count > MOST_FOUND:
            return self.nearest_exact(queries, count)
        how = {} if self.manifest.index == "exact" else {"ef": count * self.manifest.breadth}
        asked = {"data": queries.tolist(), "limit": count, "search_params": {"metric_type": "IP", "params": how}}
        places = np.full((len(queries), count), -1, np.int64)
        scores = np.full((len(queries), count), -np.inf, np.float32)
        for row, hits in enumerate(self._client.search(COLLECTION, anns_field="vector", **asked)):
            places[row, : len(hits)] = [hit["position"] for hit in hits]
            scores[row, : len(hits)] = [hit["distance"] for hit in hits]
        return places, scores

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`. The engine has no way around its graph or its limit: the vectors are read once and compared here."""
        if self._flat is None:
            self._flat = np.zeros((len(self.items), queries.shape[1]), np.float32)
            for start in range(0, len(self.items), ROWS_AT_ONCE):
                within = f"position >= {start} and position < {start + ROWS_AT_ONCE}"
                for row in self._client.query(COLLECTION, within, ["position", "vector"], limit=ROWS_AT_ONCE):
                    self._flat[row["position"]] = row["vector"]
        scores = queries @ self._flat.T
        places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return places.astype(np.int64), np.take_along_axis(scores, places, 1)


def _graph() -> dict[str, Any]:
    return {"index_type": "HNSW", "params": {"M": NEIGHBOURS, "efConstruction": CANDIDATES}}


def _client(folder: Path) -> Any:
    package = needed("pymilvus", "pymilvus milvus-lite")
    needed("milvus_lite", "milvus-lite")
    return package.MilvusClient(uri=str(folder / FILE))
