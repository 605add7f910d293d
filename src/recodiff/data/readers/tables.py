"""Tables that are held in memory, and tables that stream: read anew, in their order and piece by piece, for each question."""

from __future__ import annotations

from typing import Any

import polars as pl

LogTable = pl.DataFrame | pl.LazyFrame
"""A table that is held, or one that streams."""


def streams(table: LogTable) -> bool:
    """Tell whether a table is read anew for each question.

    Args:
        table: either.
    """
    return isinstance(table, pl.LazyFrame)


def in_memory(table: LogTable) -> pl.DataFrame:
    """All of a table in memory, in its order.

    Args:
        table: one that is held, or a small piece of one that streams.
    """
    return table.collect(engine="streaming") if isinstance(table, pl.LazyFrame) else table


def names_in(table: LogTable) -> list[str]:
    """The names of its columns.

    Args:
        table: either.
    """
    return table.collect_schema().names()


def type_of(table: LogTable, name: str) -> pl.DataType:
    """Polars' type of a column.

    Args:
        table: either.
        name: of the column.
    """
    return table.collect_schema()[name]


def ask(table: LogTable, *questions: pl.Expr) -> tuple[Any, ...]:
    """The answers to questions that each have one value.

    Args:
        table: either.
        questions: such as a count or a maximum over columns of the table.
    """
    return in_memory(table.select(question.alias(str(at)) for at, question in enumerate(questions))).row(0)


def height(table: LogTable) -> int:
    """The number of rows.

    Args:
        table: either.
    """
    return table.height if isinstance(table, pl.DataFrame) else int(ask(table, pl.len())[0])


def first_where(table: LogTable, condition: pl.Expr) -> int:
    """The place of the first row, from 0, for which a condition holds; it holds for some.

    Args:
        table: either.
        condition: of a row.
    """
    return int(in_memory(table.select(holds=condition.fill_null(False)).with_row_index("at").filter("holds").head(1))["at"][0])


def value_at(table: LogTable, name: str, row: int) -> Any:
    """One value.

    Args:
        table: either.
        name: of the column.
        row: from 0.
    """
    return in_memory(table.select(name).slice(row, 1)).item()


def every_so_often(table: LogTable, name: str, most: int) -> pl.Series:
    """The values of some rows from all over a table, without those that are missing.

    Args:
        table: either.
        name: of the column.
        most: about so many rows, at most twice as many.
    """
    step = max(1, height(table) // most)
    return in_memory(table.select(pl.col(name).gather_every(step))).to_series().drop_nulls()


def some_present(table: LogTable, name: str, most: int) -> pl.Series:
    """Values that are there, some from all over a table.

    Args:
        table: either.
        name: of the column.
        most: about so many, at most twice as many.
    """
    column = table.select(name).drop_nulls()
    step = max(1, height(column) // most)
    return in_memory(column.with_row_index("at").filter(pl.col("at") % step == 0).select(name)).to_series()


def where(table: LogTable, name: str, condition: pl.Expr, values: pl.Expr | None = None) -> LogTable:
    """The table with a column that is null where a condition does not hold.

    Args:
        table: either.
        name: of the column.
        condition: of a row.
        values: what the column holds otherwise; its own unless given.
    """
    sound = condition.fill_null(False)
    if values is None and not streams(table) and ask(table, sound.all())[0]:
        return table
    return table.with_columns(pl.when(sound).then(pl.col(name) if values is None else values).alias(name))
