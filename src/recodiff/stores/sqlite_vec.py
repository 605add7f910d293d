"""sqlite-vec: SQLite with distances but no inner product, so vectors are made equally long; every item is compared.

Python's own sqlite3 often cannot load extensions, so SQLite comes with the package apsw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

FILE = "items.sqlite"
MOST_MATCHED = 4096
"""Rows that its MATCH gives at most; beyond it the same distances are sorted by SQLite."""

SPARE_ROWS = 8
"""Rows beyond those asked for."""


class SqliteVec(FolderStore):
    """A database file with the virtual table `vectors` (rowid = position, vector) and the table `items` (position, item)."""

    kind = "sqlite-vec"
    measures = ("l2",)

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        database, width = _opened(folder / FILE, "SQLITE_OPEN_READWRITE", "SQLITE_OPEN_CREATE"), points.vectors.shape[1]
        with database:
            database.execute("CREATE TABLE items (position INTEGER PRIMARY KEY, item)")
            database.executemany("INSERT INTO items VALUES (?, ?)", enumerate(items.ids.to_list()))
            database.execute(f"CREATE VIRTUAL TABLE vectors USING vec0(vector float[{width}])")
            rows = ((position, vector.tobytes()) for position, vector in enumerate(points.vectors))
            database.executemany("INSERT INTO vectors (rowid, vector) VALUES (?, ?)", rows)
        database.close()
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._database = _opened(folder / FILE, "SQLITE_OPEN_READONLY")

    def close(self) -> None:
        """See `Store`."""
        self._database.close()

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`. A distance rounds more than an inner product, so a few more rows come back and are compared again."""
        wanted = min(count + SPARE_ROWS, len(self.items))
        ask = "SELECT rowid, vector FROM vectors WHERE vector MATCH ? AND k = ? ORDER BY distance"
        if wanted > MOST_MATCHED:
            ask = "SELECT rowid, vector FROM vectors ORDER BY vec_distance_l2(vector, ?) LIMIT ?"
        places = np.zeros((len(queries), count), np.int64)
        scores = np.zeros((len(queries), count), np.float32)
        for row, query in enumerate(queries):
            rowids, blobs = zip(*self._database.execute(ask, (query.tobytes(), wanted)), strict=True)
            products = np.frombuffer(b"".join(blobs), np.float32).reshape(wanted, -1) @ query
            best = np.argsort(-products, kind="stable")[:count]
            places[row], scores[row] = np.array(rowids)[best], products[best]
        return places, scores


def _opened(file: Path, *flags: str) -> Any:
    """A connection that knows the extension.

    Raises:
        MissingExtraError: the extension is not installed.
    """
    extension, apsw = needed("sqlite_vec", "sqlite-vec apsw"), needed("apsw", "sqlite-vec apsw")
    database = apsw.Connection(str(file), flags=sum(getattr(apsw, flag) for flag in flags))
    database.enable_load_extension(True)
    database.load_extension(extension.loadable_path())
    database.enable_load_extension(False)
    return database
