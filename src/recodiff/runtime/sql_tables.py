"""Tables that a database takes whole or not at all."""

from __future__ import annotations

import secrets
import warnings
from typing import Any

import polars as pl

from recodiff.errors import ConfigError, DataError, RecodiffWarning
from recodiff.runtime.sql import open_engine, sentences

INSERT_ROWS = 10_000
"""Rows of an insert."""
TRANSACTIONAL = ("postgresql", "sqlite")
"""Databases whose transactions hold for tables that are made and dropped in them."""


def check_table(url: str, name: str, columns: list[str], *, overwrite: bool) -> None:
    """Refuse a table that may not be written, before any work is done.

    Args:
        url: of the database.
        name: of the table, `schema.name` in another schema.
        columns: of what is to be written.
        overwrite: whether a table with the same columns may be replaced.

    Raises:
        ConfigError: the database cannot replace a table whole.
        DataError: the table is there, or the database refuses.
    """
    with sentences(url):
        engine = open_engine(url)
        try:
            _check(engine, name, columns, overwrite)
        finally:
            engine.dispose()


def write_table(url: str, name: str, frame: pl.DataFrame, *, overwrite: bool) -> None:
    """Write a frame as a table in one transaction: readers see the old one or the new one, whole.

    The rows of a table that has the frame's columns are replaced, and its indexes, grants and views stay; columns of its own get
    their defaults. A table of other columns is made anew beside it and takes its place, with a warning of what goes.

    Args:
        url: of the database.
        name: of the table.
        frame: its rows; numbers and text.
        overwrite: whether a table of lists that is there may be replaced.

    Raises:
        ConfigError: the database cannot replace a table whole.
        DataError: the table is there, or the database refuses.
    """
    with sentences(url):
        engine = open_engine(url)
        try:
            old = _reflected(engine, name) if _check(engine, name, frame.columns, overwrite) else None
            kept = old is not None and _takes(old, frame)
            with engine.connect().execution_options(writes=True) as connection, connection.begin():
                if old is not None and kept:
                    connection.execute(old.delete())
                table = old if old is not None and kept else _made(connection, name, frame)
                for piece in frame.iter_slices(INSERT_ROWS):
                    connection.execute(table.insert(), piece.to_dicts())
                if not kept:
                    _put_in_place(connection, table, _split(name)[1], old)
        finally:
            engine.dispose()
    if old is not None and not kept:
        gone = ", ".join(sorted(index.name for index in old.indexes)) or "none"
        warnings.warn(
            f"the table '{name}' had other columns, so it was made anew: its indexes ({gone}) and grants are gone; make them again",
            RecodiffWarning,
            stacklevel=2,
        )


def _reflected(engine: Any, name: str) -> Any:
    import sqlalchemy

    schema, plain = _split(name)
    return sqlalchemy.Table(plain, sqlalchemy.MetaData(), schema=schema, autoload_with=engine, resolve_fks=False)


def _kinds() -> dict[Any, tuple[Any, Any]]:
    """Type in a frame -> what a column is made as, and what another table's may be; the others are text."""
    import sqlalchemy as sa

    return {
        pl.Int64: (sa.BigInteger, sa.Integer),
        pl.Int32: (sa.Integer, sa.Integer),
        pl.Float32: (sa.Float, (sa.Float, sa.Numeric)),
    }


def _takes(table: Any, frame: pl.DataFrame) -> bool:
    """Whether a table has a column of the right type for each of a frame's."""
    import sqlalchemy as sa

    wanted = {name: _kinds().get(type(kind), (sa.Text, sa.String))[1] for name, kind in frame.schema.items()}
    return all(name in table.c and isinstance(table.c[name].type, kind) for name, kind in wanted.items())


def _made(connection: Any, name: str, frame: pl.DataFrame) -> Any:
    """A new table beside the one of that name."""
    import sqlalchemy as sa

    schema, plain = _split(name)
    columns = [sa.Column(column, _kinds().get(type(kind), (sa.Text, None))[0]) for column, kind in frame.schema.items()]
    table = sa.Table(f"{plain}_{secrets.token_hex(4)}", sa.MetaData(), *columns, schema=schema)
    table.create(connection)
    return table


def _put_in_place(connection: Any, table: Any, plain: str, old: Any) -> None:
    """Gives a table its name, which the old one had."""
    if old is not None:
        old.drop(connection)
    quoted = connection.dialect.identifier_preparer
    connection.exec_driver_sql(f"ALTER TABLE {quoted.format_table(table)} RENAME TO {quoted.quote(plain)}")


def _check(engine: Any, name: str, columns: list[str], overwrite: bool) -> bool:
    """Whether a table is there that may be replaced."""
    import sqlalchemy

    if engine.name not in TRANSACTIONAL:
        raise ConfigError(
            f"lists are written whole or not at all, which {engine.name} cannot; give one of {', '.join(TRANSACTIONAL)}, or a file"
        )
    schema, plain = _split(name)
    found = sqlalchemy.inspect(engine)
    if plain in found.get_view_names(schema):
        raise DataError(f"'{name}' is a view, so it is left alone; choose another with --table")
    if not found.has_table(plain, schema):
        return False
    held = {column["name"] for column in found.get_columns(plain, schema)}
    if missing := {"user", "item", "rank", "score"} & set(columns) - held:
        raise DataError(
            f"the table '{name}' is there and holds no lists (it has no {', '.join(sorted(missing))}), so it is left alone; "
            "choose another with --table"
        )
    if not overwrite:
        raise DataError(f"the table '{name}' is already there; choose another with --table, or say --overwrite")
    return True


def _split(name: str) -> tuple[str | None, str]:
    schema, _, plain = name.rpartition(".")
    return schema or None, plain
