"""A table or a query of a database, read in pieces through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl

from recodiff.data.readers.columns import Given, Raw, find_columns, labels_of
from recodiff.data.readers.frames import LOOK, first_values, may_be_read, unused_parts, unused_times
from recodiff.errors import ConfigError, DataError, MissingExtraError
from recodiff.runtime import progress
from recodiff.runtime.sql import open_engine, sentences, shown, table

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

DUCKDB = "duckdb://"
FETCHED_AT_ONCE = 50_000
"""Rows that are Python's own objects at once; what was read before stands in columns."""


def read_sql(url: str, given: Given, *, name: str | None, query: str | None) -> Raw:
    """Read interactions from a database, in a transaction that cannot write.

    Args:
        url: of the database.
        given: role -> column name or position, False if it has none, or None to detect it.
        name: of a table or view, `schema.name` in another schema; its columns without a role are not fetched.
        query: a statement that gives rows; either this or `name`.

    Raises:
        ConfigError: both or neither of `name` and `query` are given.
        DataError: the database refuses, a column is not clear, or a column holds several types.
    """
    if (name is None) == (query is None):
        raise ConfigError(f"'{shown(url)}' is a database; say what to read with --table NAME or --query 'SELECT ...'")
    if url.startswith(DUCKDB):
        return read_duckdb(url, given, name=name, query=query)
    with sentences(url):
        engine = open_engine(url, read_only=True)
        try:
            return _table(engine, name, given) if name is not None else _query(engine, str(query), given)
        finally:
            engine.dispose()


def _table(engine: Engine, name: str, given: Given) -> Raw:
    import sqlalchemy

    source, found = f"the table {name}", table(engine, name, {})
    columns = found.c.keys()
    roles = find_columns(columns, given, source)
    unread = [column for column in columns if column not in roles.values()]
    with engine.connect() as connection:
        looked = sqlalchemy.select(*(found.c[column] for column in unread)).limit(LOOK)
        sample = _all(connection, looked, source) if unread else pl.DataFrame()
        for column in [column.name for column in sample if len(column) and column.null_count() == len(column)]:
            there = sqlalchemy.select(found.c[column]).where(found.c[column].is_not(None)).limit(sample.height)
            late = _all(connection, there, source)[column]
            sample = sample.with_columns(late.extend_constant(None, sample.height - len(late)))
        wanted = sqlalchemy.select(*(found.c[column].label(role) for role, column in roles.items()))
        frame = _all(connection, wanted, source)
    return _raw(frame, source, columns, roles, unread, sample, given)


def _query(engine: Engine, query: str, given: Given) -> Raw:
    import sqlalchemy

    with engine.connect() as connection:
        frame = _all(connection, sqlalchemy.text(query.rstrip().rstrip(";").replace(":", r"\:")), "the query")
    return _picked(frame, "the query", given)


def read_duckdb(url: str, given: Given, *, name: str | None, query: str | None) -> Raw:
    """Read from a file of DuckDB with its own package, since its engine for SQLAlchemy cannot list the columns of a table.

    Args:
        url: `duckdb:///file`.
        given: as for `read_sql`.
        name: as for `read_sql`.
        query: as for `read_sql`.

    Raises:
        DataError: as for `read_sql`.
        MissingExtraError: duckdb is not installed.
    """
    file = Path(url.removeprefix(DUCKDB).removeprefix("/"))
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingExtraError("this database needs the package duckdb; get it with pip install duckdb") from None
    if not file.is_file():
        raise DataError(f"'{file}' does not exist; give the file of a DuckDB database, such as duckdb:///shop.duckdb")
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (name or "").split("."))
    source = "the query" if name is None else f"the table {name}"
    try:
        with duckdb.connect(str(file), read_only=True) as database:
            found = database.execute(query or f"SELECT * FROM {quoted}")
            names = [column[0] for column in found.description or ()]
            return _picked(_joined(_pieces(names, found, source), source), source, given)
    except duckdb.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"'{file}' refused ({reason}); check the names in it") from None


def _picked(frame: pl.DataFrame, source: str, given: Given) -> Raw:
    columns = frame.columns
    roles = find_columns(columns, given, source)
    unread = [column for column in columns if column not in roles.values()]
    picked = frame.select(pl.col(column).alias(role) for role, column in roles.items())
    return _raw(picked, source, columns, roles, unread, first_values(frame.lazy(), unread), given)


def _raw(
    frame: pl.DataFrame,
    source: str,
    columns: Sequence[str],
    roles: dict[str, str],
    unread: Sequence[str],
    sample: pl.DataFrame,
    given: Given,
) -> Raw:
    looked = [column for column in sample if may_be_read(column.dtype)]
    return Raw(
        frame,
        source,
        roles,
        lambda row: f"row {row} (the first is 0)",
        is_text=False,
        labels=labels_of(columns, roles),
        unread=tuple(unread),
        warnings=tuple(unused_parts(pl.DataFrame(looked), source)),
        moments=tuple(unused_times(pl.DataFrame(looked), given)),
    )


def _all(connection: Connection, statement: Any, source: str) -> pl.DataFrame:
    """The rows of a statement; a server keeps those that are not yet fetched."""
    from sqlalchemy.exc import ResourceClosedError

    result = connection.execution_options(stream_results=True, max_row_buffer=FETCHED_AT_ONCE).execute(statement)
    try:
        names = list(result.keys())
    except ResourceClosedError:
        raise DataError(f"{source} gives no rows; give one that begins with SELECT") from None
    return _joined(_pieces(names, result, source), source)


def _joined(pieces: Iterator[pl.DataFrame], source: str) -> pl.DataFrame:
    found = []
    with progress.bar("reading rows", None) as advance:
        for piece in pieces:
            found.append(piece)
            advance(piece.height, "")
    try:
        return pl.concat(found, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{source}: a column changes its type between rows ({reason}); cast it to one in a query") from None


def _pieces(names: list[str], result: Any, source: str) -> Iterator[pl.DataFrame]:
    if len(set(names)) < len(names):
        raise DataError(f"{source} gives a column twice ({', '.join(names)}); name each once")
    yield pl.DataFrame({name: [] for name in names})
    while rows := result.fetchmany(FETCHED_AT_ONCE):
        columns = zip(*rows, strict=True)
        yield pl.DataFrame([_series(name, list(values), source) for name, values in zip(names, columns, strict=True)])


def _series(name: str, values: list[Any], source: str) -> pl.Series:
    first = next((value for value in values if value is not None), None)
    if isinstance(first, UUID):
        values = [None if value is None else str(value) for value in values]
    elif isinstance(first, memoryview):
        values = [None if value is None else bytes(value) for value in values]
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{source}: column {name!r} holds several types ({reason}); cast it to one in a query") from None
