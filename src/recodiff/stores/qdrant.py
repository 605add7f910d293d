"""Qdrant, by its client's local mode: the client compares every item itself, in Python, and one process uses the folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

COLLECTION = "items"


class Qdrant(FolderStore):
    """A folder of the client with the collection `items`: id = position, payload item."""

    kind = "qdrant"
    static = False

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        package = needed("qdrant_client", "qdrant-client")
        kinds, client = package.models, _client(package, folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the local mode is slow beyond 20,000 points; the manual says so
            config = kinds.VectorParams(size=points.vectors.shape[1], distance=kinds.Distance.DOT)
            client.create_collection(COLLECTION, vectors_config=config)
            payload = [{"item": item} for item in items.ids.to_list()]
            client.upload_collection(COLLECTION, vectors=points.vectors, ids=range(len(items)), payload=payload)
        client.close()
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._package = needed("qdrant_client", "qdrant-client")
        self._client = _client(self._package, folder)

    def close(self) -> None:
        """See `Store`."""
        self._client.close()

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        found = [self._client.query_points(COLLECTION, query=query.tolist(), limit=count, with_payload=False) for query in queries]
        places, scores = ([[getattr(point, name) for point in one.points] for one in found] for name in ("id", "score"))
        return np.array(places, np.int64), np.array(scores, np.float32)


def _client(package: Any, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return package.QdrantClient(path=str(folder))
