"""Lists of items that stand in one text, such as `[8, 9]`, `8 9` or `a|b`: each may be many items, and is asked for."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.tables import LogTable, every_so_often, in_memory, type_of
from recodiff.errors import DataError

_LOOK = 1000
_BRACKETS = r"^\s*[\[({].*[\])}]\s*$"
_NUMBERS = r"^\s*\d+(?:\s*[\s,;|]\s*\d+)*\s*$"
_WORDS = r"^[^|;\s]+(?:\s*[|;]\s*[^|;\s]+)*$"
_BETWEEN = r"[\s,;|]+"
_AROUND = r"^[\s\[({]+|[\s\])}]+$"


def split_lists(raw: Raw, wanted: bool | None) -> Raw:
    """The table with lists in place of texts that hold several items.

    Args:
        raw: the table as found.
        wanted: whether texts are lists; asked for where they look like it, unless given.

    Raises:
        DataError: items look like lists, and the caller does not say whether they are.
    """
    if type_of(raw.frame, "item") != pl.String or wanted is False:
        return raw
    name = raw.names["item"]
    if wanted is None:
        if (shown := _example(raw.frame)) is None:
            return raw
        raise DataError(
            f"{raw.source}: column {name!r} holds {shown!r}, which looks like several items in one field; say item_lists=True "
            "(--item-lists) if each counts, or item_lists=False (--no-item-lists) if it is one id"
        )
    raw.refuse_lists()
    items = pl.col("item")
    between = _BETWEEN if _holds_spaces_between(in_memory(raw.frame.select("item").head(_LOOK)).to_series()) else r"\s*[,;|]\s*"
    bare = items.str.replace_all(_AROUND, "").str.replace_all(between, "\x1f").str.split("\x1f")
    lists = bare.list.eval(pl.element().str.strip_chars(" '\"").replace("", None)).list.drop_nulls()
    return replace(raw, frame=raw.frame.with_columns(item=lists))


def _example(table: LogTable) -> str | None:
    """A text that looks like a list, where all of some do; None where they are ids."""
    some = every_so_often(table, "item", _LOOK)
    for form, inside in ((_BRACKETS, r"[\s,;|\d'\"]"), (_NUMBERS, r"\d\s*[\s,;|]\s*\d"), (_WORDS, r"[^|;]\s*[|;]\s*[^|;]")):
        if len(some) and some.str.contains(form).all() and some.str.contains(inside).any():
            return str(some.filter(some.str.contains(inside))[0])[:40]
    return None


def _holds_spaces_between(items: pl.Series) -> bool:
    """Whether blanks alone part the items: nowhere another mark does."""
    return not items.str.contains(r"[,;|]").any()
