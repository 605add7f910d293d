"""Tables of items: ids, titles and whatever else is known of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.readers.columns import KNOWN, find_columns, plain
from recodiff.data.readers.contents import WHOLE
from recodiff.data.readers.frames import opened, picked
from recodiff.data.readers.tables import in_memory
from recodiff.data.readers.text_tables import TextTable, open_table
from recodiff.data.readers.values import parse_ids
from recodiff.errors import DataError
from recodiff.runtime.crash_check import crash_checked

Named = Callable[[TextTable, str], dict[str, str]]


def read_titles(path: Path, named: Named, *, quoted: bool | None = None, drop_long: bool = False) -> pl.DataFrame:
    """The columns of a text table of titles, all values still text.

    Args:
        path: the file.
        named: new name -> column, from the table and the file's name.
        quoted: whether fields may stand in double quotes; see `TextTable`.
        drop_long: leave out lines with too many fields instead of refusing them.

    Raises:
        DataError: the file cannot be read, or no column is clearly the id.
    """
    text = open_table(path, quoted=quoted)
    select = [pl.col(name).alias(new) for new, name in named(text, path.name).items()]
    table, _ = text.collect(select, drop_long=drop_long)
    return in_memory(table)


def named_columns(text: TextTable, source: str) -> dict[str, str]:
    """A map of new name -> column: by name where there is a header, else id, title and genres by place.

    Args:
        text: the table.
        source: how messages call it.
    """
    columns = text.columns()
    if text.header:
        return renamed(columns, source)
    return dict(zip(("item", "title", "genres", *columns[3:]), columns, strict=False))


def renamed(columns: Sequence[str], source: str) -> dict[str, str]:
    """A map of new name -> column: the id and the title by their role, all others by their own name without RecBole's type.

    Args:
        columns: their names.
        source: how messages call the table.
    """
    only_id = [name for name in columns if plain(name) == "id"] if not any(plain(name) in KNOWN["item"] for name in columns) else []
    roles = find_columns(columns, {"item": only_id[0] if only_id else None, "title": None}, source)
    rest = {name: name.split(":")[0] for name in columns if name not in roles.values()}
    return {**roles, **{f"{short}_" if short in roles else short: name for name, short in rest.items()}}


def titles_of_frame(source: Any, name: str) -> pl.DataFrame:
    """A table of titles from a frame of any make.

    Args:
        source: the frame.
        name: what messages call it.

    Raises:
        DataError: it is no frame, or no column is clearly the id.
    """
    frame = opened(source)
    return picked(frame, renamed([str(column) for column in frame.columns], name))


def titles_of_columns(path: Path, scan: Callable[[Sequence[Path]], pl.LazyFrame], called: str) -> pl.DataFrame:
    """A table of titles from a file whose columns have types.

    Args:
        path: of the file.
        scan: opens files of this format.
        called: the format's name.

    Raises:
        DataError: the file cannot be read, or no column is clearly the id.
    """
    try:
        return crash_checked([path], lambda: titles_of_frame(scan([path]), path.name), DataError, WHOLE)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as {called} ({str(error).splitlines()[0]}); is it whole?") from None


def fitted(table: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """A table of titles with one row an item: `item`, of the same type as `ids`, then `title` where there is one, then the rest.

    Args:
        table: a column `item`, maybe `title`.
        ids: the item ids of the log.
    """
    table = table.with_columns(item=parse_ids(table["item"], decide=ids.dtype == pl.Int64).cast(ids.dtype, strict=False))
    table = table.drop_nulls("item").unique("item", keep="first", maintain_order=True)
    if "title" not in table.columns:
        return table.select("item", pl.exclude("item"))
    return table.select("item", pl.col("title").cast(pl.String).str.strip_chars(), pl.exclude("item", "title"))
