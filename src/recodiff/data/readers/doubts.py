"""What is strange about the ids of a log, and was read all the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.missing import marks_in
from recodiff.data.readers.tables import LogTable, ask, every_so_often, first_where, height, type_of, value_at
from recodiff.data.readers.values import WHOLE_FLOAT, WHOLE_NUMBER, Converted

_SHOWN, _LOOK = 40, 100
_TITLES = 100_000
"""Rows of a log whose items are looked up among the titles."""
_FIRST = 10_000
_LEAST_ROWS, _ALONE = 20, 0.01
"""Rows from which on a first line differs from the others, and the share of these that may be like it."""
_NEARLY = 0.95
"""Share of numbers among ids from which on another is worth a word."""


def doubts(raw: Raw, converted: Converted) -> list[str]:
    """The sentences about a first line that may name the columns, and about a few ids that are no numbers.

    Args:
        raw: the table as found.
        converted: the same with values of the right types.
    """
    texts = [role for role in ("user", "item") if type_of(converted.frame, role) == pl.String]
    found = [_first_line(raw), *(_nearly_numbers(raw, role) for role in texts)]
    return [sentence for sentence in found if sentence]


def few_titles(source: object, titles: pl.DataFrame, log: LogTable) -> str | None:
    """A sentence where a table of titles knows less than half of the items.

    Args:
        source: a path or a frame of titles.
        titles: what was read of it, with a column `item`.
        log: a column `item`, row by row; some of them are looked at.
    """
    some = every_so_often(log, "item", _TITLES).unique()
    known = int(some.is_in(titles["item"].implode()).sum())
    if 2 * known >= len(some):
        return None
    name = Path(source).name if isinstance(source, str | Path) else "the frame of titles"
    looked = "" if height(log) < 2 * _TITLES else " that were looked at"
    return f"{name}: {known} of {len(some)} items of the log{looked} are in it; is it of the same ids?"


def _first_line(raw: Raw) -> str | None:
    """A sentence where the first line alone has a user and an item that never come again, as names of columns would be."""
    rows = height(raw.frame)
    if raw.first_line is None or rows < _LEAST_ROWS:
        return None
    pair = raw.frame.lazy().select("user", "item")
    again = [(pl.col(role) == value_at(raw.frame, role, 0)).sum() for role in ("user", "item")]
    for table in (raw.frame.head(_FIRST), raw.frame):  # where the first ones suffice, a large log costs nothing
        if any(count > 1 for count in ask(table, *again)):
            return None
    alone = pair
    for role in ("user", "item"):
        once = pair.group_by(role).len().filter(pl.col("len") == 1).select(role)
        alone = alone.join(once, on=role, how="semi", nulls_equal=True)
    if height(alone) - 1 > _ALONE * rows:
        return None
    return (
        f"{raw.source}: its first line ({raw.first_line[:_SHOWN]!r}) has a user and an item that never come again, and may name "
        "the columns; if so, say header=True (--header)"
    )


def _nearly_numbers(raw: Raw, role: str) -> str | None:
    """A sentence where hardly any of a text's ids are no numbers, and so make text of all."""
    if not raw.is_text or type_of(raw.frame, role) != pl.String:
        return None
    some, values = every_so_often(raw.frame, role, _LOOK), pl.col(role)
    if not len(some) or int(some.str.contains(WHOLE_NUMBER).sum()) < _NEARLY * len(some):
        return None
    other = ~(values.is_null() | values.str.strip_chars().str.contains(rf"{WHOLE_NUMBER}|{WHOLE_FLOAT}"))
    other &= ~values.is_in(marks_in(raw.frame, role))
    count, rows = ask(raw.frame, other.sum(), pl.len())
    if not 0 < count <= (1 - _NEARLY) * rows:
        return None
    shown = value_at(raw.frame, role, first_where(raw.frame, other))[:_SHOWN]
    return f"{raw.source}: {count} of {rows} rows have no plain number for the {role} ({shown!r} for one), so all are read as text"
