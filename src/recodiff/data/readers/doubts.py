"""What is strange about the ids of a log, and was read all the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.missing import marks_in
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
    texts = [role for role in ("user", "item") if converted.frame[role].dtype == pl.String]
    found = [_first_line(raw), *(_nearly_numbers(raw, role) for role in texts)]
    return [sentence for sentence in found if sentence]


def few_titles(source: object, titles: pl.DataFrame, ids: pl.Series) -> str | None:
    """A sentence where a table of titles knows less than half of the items.

    Args:
        source: a path or a frame of titles.
        titles: what was read of it, with a column `item`.
        ids: the items of the log, row by row; some of them are looked at.
    """
    some = ids.gather_every(max(1, len(ids) // _TITLES)).unique()
    known = int(some.is_in(titles["item"].implode()).sum())
    if 2 * known >= len(some):
        return None
    name = Path(source).name if isinstance(source, str | Path) else "the frame of titles"
    looked = "" if len(ids) < 2 * _TITLES else " that were looked at"
    return f"{name}: {known} of {len(some)} items of the log{looked} are in it; is it of the same ids?"


def _first_line(raw: Raw) -> str | None:
    """A sentence where the first line alone has a user and an item that never come again, as names of columns would be."""
    if raw.first_line is None or raw.frame.height < _LEAST_ROWS:
        return None
    pair = raw.frame.select("user", "item")
    for rows in (pair.head(_FIRST), pair):  # where the first ones suffice, a large log costs nothing
        if any((column == column[0]).sum() > 1 for column in rows):
            return None
    alone = pair.select(~pl.col("user").is_duplicated() & ~pl.col("item").is_duplicated()).to_series()
    if int(alone.sum()) - 1 > _ALONE * pair.height:
        return None
    return (
        f"{raw.source}: its first line ({raw.first_line[:_SHOWN]!r}) has a user and an item that never come again, and may name "
        "the columns; if so, say header=True (--header)"
    )


def _nearly_numbers(raw: Raw, role: str) -> str | None:
    """A sentence where hardly any of a text's ids are no numbers, and so make text of all."""
    values = raw.frame[role]
    if not raw.is_text or values.dtype != pl.String:
        return None
    some = values.gather_every(max(1, len(values) // _LOOK)).drop_nulls()
    if not len(some) or int(some.str.contains(WHOLE_NUMBER).sum()) < _NEARLY * len(some):
        return None
    plain = values.is_null() | values.str.strip_chars().str.contains(rf"{WHOLE_NUMBER}|{WHOLE_FLOAT}")
    others = values.filter(~plain)
    others = others.filter(~others.is_in(marks_in(values))) if len(others) else others
    if not 0 < len(others) <= (1 - _NEARLY) * len(values):
        return None
    return (
        f"{raw.source}: {len(others)} of {len(values)} rows have no plain number for the {role} ({others[0][:_SHOWN]!r} for "
        "one), so all are read as text"
    )
