"""Tables that a database takes whole or not at all."""

from __future__ import annotations

import secrets
from typing import Any

import polars as pl

from recodiff.errors import ConfigError, DataError
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

    Rows go into a table of another name, which takes the place of the old one at the end, so that readers wait for a moment alone.

    Args:
        url: of the database.
        name: of the table.
        frame: its rows; numbers and text.
        overwrite: whether a table with the same columns may be replaced.

    Raises:
        ConfigError: the database cannot replace a table whole.
        DataError: the table is there, or the database refuses.
    """
    import sqlalchemy

    with sentences(url):
        engine = open_engine(url)
        try:
            there = _check(engine, name, frame.columns, overwrite)
            schema, plain = _split(name)
            kinds = {pl.Int64: sqlalchemy.BigInteger, pl.Int32: sqlalchemy.Integer, pl.Float32: sqlalchemy.Float}
            columns = [sqlalchemy.Column(column, kinds.get(type(kind), sqlalchemy.Text)) for column, kind in frame.schema.items()]
            new = sqlalchemy.Table(f"{plain}_{secrets.token_hex(4)}", sqlalchemy.MetaData(), *columns, schema=schema)
            with engine.connect().execution_options(writes=True) as connection, connection.begin():
                new.create(connection)
                for piece in frame.iter_slices(INSERT_ROWS):
                    connection.execute(new.insert(), piece.to_dicts())
                quoted = engine.dialect.identifier_preparer
                if there:
                    sqlalchemy.Table(plain, sqlalchemy.MetaData(), schema=schema).drop(connection)
                connection.exec_driver_sql(f"ALTER TABLE {quoted.format_table(new)} RENAME TO {quoted.quote(plain)}")
        finally:
            engine.dispose()


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
