"""PostgreSQL with pgvector: a table whose column is a vector; every item is compared, or those that a graph leads to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.interactions import IdMap
from recodiff.errors import DataError
from recodiff.stores.manifest import FORMAT, VERSION, Manifest, needed
from recodiff.stores.points import Floats, Points, Titles
from recodiff.stores.store import Nearest, Store

USUAL_TABLE = "recodiff_items"
MOST_WIDE = {"exact": 16_000, "hnsw": 2_000}
"""Numbers of a vector that can be stored, and that can be indexed."""
MOST_CANDIDATES = 1_000
"""The greatest hnsw.ef_search; beyond it the scan goes on where it stopped."""
SCHEMES = ("postgresql://", "postgres://")


class PGVector(Store):
    """A table (position, item, title, vector) of a PostgreSQL database; its comment is the manifest."""

    kind = "pgvector"
    indexes = ("exact", "hnsw")

    @classmethod
    @contextmanager
    def writing(
        cls,
        url: str,
        table: str,
        points: Points,
        items: IdMap,
        titles: Titles,
        manifest: Manifest,
        *,
        overwrite: bool,
    ) -> Iterator[PGVector]:
        """Make the table in one transaction, which ends with the context: it is there whole, or as it was.

        Args:
            url: of the database.
            table: its name, `schema.name` in another schema.
            points: item vectors under `ip`.
            items: the catalogue.
            titles: of the items, if there are any.
            manifest: what the table says of itself.
            overwrite: whether a store of that name may be replaced.

        Yields:
            The store, to be asked within the transaction.

        Raises:
            DataError: the database refuses, the vectors are too wide, or the table is there.
        """
        width = points.vectors.shape[1]
        if width > MOST_WIDE[manifest.index]:
            raise DataError(
                f"vectors of {width:,} numbers are too wide for pgvector, which takes {MOST_WIDE['exact']:,} at most, "
                f"with a graph {MOST_WIDE['hnsw']:,}; choose --index exact, or a narrower model"
            )
        with _answers(), _connected(url) as database:
            database.execute("CREATE EXTENSION IF NOT EXISTS vector")
            _refuse_foreign(database, table, overwrite)
            database.execute(_sql().SQL("DROP TABLE IF EXISTS {}").format(_named(table)))
            _fill(database, _named(table), points.vectors, items, titles, graph=manifest.index == "hnsw")
            store = cls(manifest, items, database, table)
            store.describe(manifest)
            yield store

    def describe(self, manifest: Manifest) -> None:
        """Write the manifest as the comment of the table.

        Args:
            manifest: in place of the one that is there.
        """
        sql, self.manifest = _sql(), manifest
        self._database.execute(
            sql.SQL("COMMENT ON TABLE {} IS {}").format(_named(self._table), sql.Literal(manifest.model_dump_json()))
        )

    @classmethod
    def opened(cls, url: str, table: str) -> PGVector:
        """The store that a table is.

        Args:
            url: of the database.
            table: its name.

        Raises:
            DataError: the database refuses, or the table is no store.
        """
        with _answers():
            database = _connected(url)
            try:
                manifest = _manifest(database, table)
                rows = database.execute(_sql().SQL("SELECT item FROM {} ORDER BY position").format(_named(table))).fetchall()
                database.commit()
            except BaseException:
                database.close()
                raise
        return cls(manifest, IdMap([row[0] for row in rows]), database, table)

    def __init__(self, manifest: Manifest, items: IdMap, database: Any, table: str) -> None:
        super().__init__(manifest, items)
        self._database, self._table = database, table

    def close(self) -> None:
        """See `Store`."""
        self._database.close()

    def nearest(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        return self._asked(queries, count, graph=self.manifest.index == "hnsw")

    def nearest_exact(self, queries: Floats, count: int) -> Nearest:
        """See `Store`."""
        return self._asked(queries, count, graph=False)

    def _asked(self, queries: Floats, count: int, *, graph: bool) -> Nearest:
        """It gives the inner product with its sign turned; only that very expression uses the index."""
        ask = _sql().SQL("SELECT position, -(vector <#> %(q)s::vector) FROM {} ORDER BY vector <#> %(q)s::vector LIMIT %(n)s")
        ask = ask.format(_named(self._table))
        places = np.full((len(queries), count), -1, np.int64)
        scores = np.full((len(queries), count), -np.inf, np.float32)
        with _answers(), self._database.transaction(), self._database.cursor() as cursor:
            if graph:
                cursor.execute(f"SET LOCAL hnsw.ef_search = {min(count * self.manifest.breadth, MOST_CANDIDATES)}")
                cursor.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")  # else no more rows than ef_search
                cursor.execute(f"SET LOCAL hnsw.max_scan_tuples = {max(20_000, 10 * count * self.manifest.breadth)}")
            cursor.execute(f"SET LOCAL {'enable_seqscan' if graph else 'enable_indexscan'} = off")
            for row, query in enumerate(queries):
                found = cursor.execute(ask, {"q": _text(query), "n": count}, prepare=False).fetchall()  # a kept plan heeds no SET
                found.sort(key=lambda pair: -pair[1])
                places[row, : len(found)] = [pair[0] for pair in found]
                scores[row, : len(found)] = [pair[1] for pair in found]
        return places, scores


def _fill(database: Any, name: Any, vectors: Floats, items: IdMap, titles: Titles, *, graph: bool) -> None:
    sql, kind = _sql(), "bigint" if items.ids.dtype == pl.Int64 else "text"
    width = vectors.shape[1]
    columns = f"(position integer PRIMARY KEY, item {kind} NOT NULL UNIQUE, title text, vector vector({width}) NOT NULL)"
    database.execute(sql.SQL("CREATE TABLE {} " + columns).format(name))
    with database.cursor().copy(sql.SQL("COPY {} (position, item, title, vector) FROM STDIN").format(name)) as copy:
        for row in zip(range(len(items)), items.ids, titles or [None] * len(items), map(_text, vectors), strict=True):
            copy.write_row(row)
    if graph:
        database.execute(
            sql.SQL("CREATE INDEX ON {} USING hnsw (vector vector_ip_ops) WITH (m = 32, ef_construction = 400)").format(name)
        )


def _sql() -> Any:
    return needed("psycopg.sql", "'psycopg[binary]'")


def _connected(url: str) -> Any:
    return needed("psycopg", "'psycopg[binary]'").connect(url)


@contextmanager
def _answers() -> Iterator[None]:
    """What the database says against a statement, as one sentence without the URL, which may hold a password."""
    psycopg = needed("psycopg", "'psycopg[binary]'")
    try:
        yield
    except psycopg.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"the database refused ({reason}); check its address, its rights and that pgvector is there") from None


def _named(table: str) -> Any:
    return _sql().Identifier(*table.split(".", 1))


def _text(vector: Floats) -> str:
    return f"[{','.join(map(repr, vector.tolist()))}]"


def _comment(database: Any, table: str) -> tuple[bool, str]:
    """Whether the table is there, and its comment."""
    quoted = _named(table).as_string(database)
    there, comment = database.execute(
        "SELECT to_regclass(%(t)s) IS NOT NULL, obj_description(to_regclass(%(t)s), 'pg_class')", {"t": quoted}
    ).fetchone()
    return bool(there), comment or ""


def _refuse_foreign(database: Any, table: str, overwrite: bool) -> None:
    there, comment = _comment(database, table)
    if there and FORMAT not in comment:
        raise DataError(f"the table {table!r} is there and not a store of ours, so it is left alone; choose another with --table")
    if there and not overwrite:
        raise DataError(f"the table {table!r} already holds a store; choose another with --table, or say --overwrite")


def _manifest(database: Any, table: str) -> Manifest:
    there, comment = _comment(database, table)
    if not there or FORMAT not in comment:
        raise DataError(f"the table {table!r} is no store of ours; write one with recodiff export RUN URL --to pgvector")
    held = json.loads(comment)
    if held.get("version") != VERSION:
        raise DataError(f"the table {table!r} has version {held.get('version')}, this recodiff reads {VERSION}; write it anew")
    return Manifest(**held)
