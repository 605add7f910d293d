"""DuckDB: a table whose column is an array of fixed length; every item is compared."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.interactions import IdMap
from recodiff.stores.manifest import Index, Manifest, needed
from recodiff.stores.points import Floats, Points
from recodiff.stores.store import FolderStore, Nearest

FILE = "items.duckdb"


class DuckDB(FolderStore):
    """A database file with the table `items`: position, item, vector."""

    kind = "duckdb"

    @classmethod
    def write(cls, folder: Path, points: Points, items: IdMap, index: Index) -> dict[str, Any]:
        """See `FolderStore`."""
        width, database = points.vectors.shape[1], needed("duckdb", "duckdb").connect(str(folder / FILE))
        with database:
            beside = folder / "rows.parquet"
            pl.DataFrame({"position": np.arange(len(items)), "item": items.ids, "vector": points.vectors}).write_parquet(beside)
            # An array in Parquet is read as a list, and array functions need its length.
            database.execute(
                f"CREATE TABLE items AS SELECT position, item, vector::FLOAT[{width}] AS vector FROM read_parquet(?)",
                [glob.escape(str(beside))],  # DuckDB reads a path as a pattern
            )
            database.execute("CHECKPOINT")
            beside.unlink()
        return {}

    def __init__(self, manifest: Manifest, items: IdMap, folder: Path) -> None:
        super().__init__(manifest, items, folder)
        self._database = needed("duckdb", "duckdb").connect(str(folder / FILE), read_only=True)

    def close(self) -> None:
        """See `Store`."""
        self._database.close()

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        width = queries.shape[1]
        score = f"array_inner_product(vector, $asked::FLOAT[{width}])"
        ask = f"SELECT position, {score} AS score FROM items ORDER BY score DESC, position LIMIT {count}"
        rows = [self._database.execute(ask, {"asked": query.tolist()}).fetchnumpy() for query in queries]
        places, scores = (np.stack([np.asarray(row[name]) for row in rows]) for name in ("position", "score"))
        return places.astype(np.int64), scores.astype(np.float32)
