"""Reading an interaction log, whatever its format, into one table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.data.readers.columns import BadRows, Raw
from recodiff.data.readers.doubts import few_titles
from recodiff.data.readers.formats import locate, read_items
from recodiff.data.readers.frames import read_frame
from recodiff.data.readers.packed import unpacked
from recodiff.data.readers.parts import left_out, unread_parts
from recodiff.data.readers.reader import Options, PartOrder
from recodiff.data.readers.reading import Reading, describe
from recodiff.data.readers.sql import read_sql
from recodiff.data.readers.tables import LogTable, ask, names_in
from recodiff.data.readers.times import TimeUnit
from recodiff.data.readers.values import ROW, convert
from recodiff.errors import ConfigError, DataError
from recodiff.runtime.spill import Spill
from recodiff.runtime.sql import EXAMPLES, is_url, shown

TERMS_FILE = "TERMS.txt"


@dataclass(frozen=True)
class Log:
    """A log as it was read: external ids, in the order of the log (of time, where its clock is finer than a second).

    Args:
        frame: `user` and `item` (Int64 or String); where the source has them `weight` (Float32), `time` (Int64), `part`
            ("train", "valid" or "test", of a source that comes split).
        time_kind: what `time` is: seconds (`clock`) or a rank within the user (`order`); None without time.
        items: `item`, `title` and whatever else is known of the items; None where nothing is.
        source: where it came from.
        dropped: what was left out while reading, and how many rows of it.
        terms: the terms of use that stand beside the data, if any.
        reading: which column was taken for what, and what is strange; None for a log that was put together by hand.
        large: the rows of a log that streams, see `Large`; None for one that is held. `frame` has the columns alone then.
    """

    frame: pl.DataFrame
    time_kind: TimeKind | None
    items: pl.DataFrame | None
    source: str
    dropped: dict[str, int]
    terms: str | None
    reading: Reading | None = None
    large: Large | None = None

    @property
    def rows(self) -> LogTable:
        """All rows, held or not."""
        return self.frame if self.large is None else self.large.rows

    def head(self, most: int) -> LogTable:
        """The first rows of the log.

        Args:
            most: at most so many.
        """
        if self.large is None or "fine" not in names_in(self.large.rows):
            return self.rows.head(most)
        return self.large.rows.bottom_k(most, by=["fine", ROW])


@dataclass(frozen=True)
class Large:
    """The rows of a log that streams.

    Args:
        rows: the columns of `Log.frame`, in the order of the source, and their places there in `row`; no `time` where this order
            is the time; and beside it, where a clock is finer than a second, `fine`, by which they are to be sorted.
        spill: where they are kept.
    """

    rows: pl.LazyFrame
    spill: Spill


def read_log(
    source: Any,
    *,
    format: str = "auto",
    user: str | int | None = None,
    item: str | int | None = None,
    weight: str | int | None = None,
    time: str | int | None = None,
    part: str | int | None = None,
    items: Any = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    quotes: bool | None = None,
    time_unit: TimeUnit = "auto",
    on_bad_rows: BadRows = "refuse",
    part_order: PartOrder = "auto",
    item_lists: bool | None = None,
    table: str | None = None,
    query: str | None = None,
    spill: Spill | None = None,
) -> Log:
    """Read interactions from a file, a folder, an archive, a frame or a database.

    Recognised by their contents are CSV, TSV and other delimited text, Parquet, Arrow, JSON lines; MovieLens (`u.data`,
    `ratings.dat`, `ratings.csv`); RecBole (`.inter`); LightGCN text; and the DiffRec release (`train_list.npy` ...). Each may be
    compressed, in pieces, or in parts (train, valid, test) in a folder or an archive. Frames are of polars, pandas or Arrow.

    Args:
        source: a path, a frame, or the URL of a database.
        format: one of `FORMATS`, recognised unless given.
        user, item, weight, time: a column's name or position (0-based), recognised by the usual names, or without names by what
            the columns hold, unless given; False for a log that has none.
        part: the column that names the part of each row (train, valid or test); none unless given.
        items: a path or frame with titles; unless given, the table that stands beside the log, if any.
        separator, header, encoding: how delimited text is written, recognised from its first lines unless given (UTF-8).
        quotes: whether fields may stand in double quotes; recognised unless given.
        time_unit: what a number in the time column counts (s, ms, us, ns), recognised by the size of most; `order`: only the
            sequence counts, which is that of the rows where there is no such column.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them in `Log.dropped`.
        part_order: which of the parts valid and test of a release folder is the later one.
        item_lists: whether texts such as `[8, 9]`, `8 9` or `a|b` are lists of items; asked for where they look like it, unless
            given.
        table: of a database, `schema.name` in another schema; rows have no order but that of their times.
        query: of a database, in place of a table; its rows keep their order.
        spill: where the rows are kept for a log that streams; they are held in memory unless given.

    Raises:
        DataError: there is nothing to read, a column is not clear, or a row is malformed: file, line and value are named.
        ConfigError: a table or a query is given of what is no database, or the order of rows of a table.
    """
    given = {"user": user, "item": item, "weight": weight, "time": time} | ({} if part is None else {"part": part})
    options = Options(given, separator, header, encoding, quotes, time_unit, on_bad_rows, part_order, item_lists, spill)
    if spill is not None and (not isinstance(source, str | Path) or is_url(str(source))):
        what = "a frame" if not isinstance(source, str | Path) else "a database"
        raise ConfigError(f"{what} is not read within a bound; write it to a Parquet file, or leave memory= (--memory) out")
    if not isinstance(source, str | Path):
        return _log("the frame", read_frame(source, given), "frame", options, items, None)
    if is_url(str(source)):
        if time_unit == "order" and query is None and time in (None, False):
            raise ConfigError("a table has no order of rows; give --query with ORDER BY, or name the time column")
        raw = read_sql(str(source), given, name=table, query=query)
        return _log(f"{shown(str(source))}, {raw.source}", raw, "sql", options, items, None)
    if table is not None or query is not None:
        raise ConfigError(f"'{source}' is no database, which a table and a query are of; give a URL such as {EXAMPLES}")
    with unpacked(Path(source).expanduser()) as path:
        reader, pieces = locate(path, format)
        if spill is not None and not reader.streams:
            raise ConfigError(
                f"{source} is read as {reader.name}, which is not read within a bound; convert it to Parquet or CSV, or leave "
                "memory= (--memory) out"
            )
        titles = reader.titles_beside(pieces[0].path) if items is None else items
        terms = _terms(path, published=path.is_dir() or reader.name == "movielens")
        raw = reader.read(pieces, options)
        if path.is_dir():
            left = left_out(path, pieces, titles)
            alike = unread_parts(path, pieces, left)
            raw = replace(raw, unread=(*raw.unread, *left), warnings=(*raw.warnings, *alike))
        return _log(str(source), raw, reader.name, options, titles, terms)


def _log(source: str, raw: Raw, format: str, options: Options, items: Any, terms: str | None) -> Log:
    converted = convert(raw, options.time_unit, options.on_bad_rows, options.item_lists)
    table, dropped, kind = converted.frame, converted.dropped, converted.time_kind
    if not ask(table, pl.len() > 0)[0]:
        why = f" ({', '.join(f'{n} {what} dropped' for what, n in dropped.items())})" if dropped else ""
        raise DataError(f"{source} holds no interactions{why}; give a log with at least one")
    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(schema=_columns(table, kind))
    titles = None if items is None else read_items(items, frame["item"], drop_long=options.on_bad_rows == "drop")
    reading = describe(raw, converted, format)
    if titles is not None and (few := few_titles(items, titles, table)):
        reading = replace(reading, warnings=(*reading.warnings, few))
    large = None if options.copies is None else Large(options.copies.keep_alone(table.lazy()), options.copies)
    return Log(frame, kind, titles, source, dropped, terms, reading, large)


def _columns(table: LogTable, kind: TimeKind | None) -> dict[str, Any]:
    """The columns that a log's table would have if it were held."""
    found = {name: dtype for name, dtype in table.collect_schema().items() if name not in (ROW, "fine")}
    return found | ({"time": pl.Int64} if kind else {})


def _terms(path: Path, *, published: bool) -> str | None:
    """The terms beside the data; a licence beside a single file of the user's own speaks of something else."""
    folder = path if path.is_dir() else path.parent
    if (folder / TERMS_FILE).is_file():
        return (folder / TERMS_FILE).read_text("utf-8", "replace").strip()
    if not published:
        return None
    beside = [name for name in ("LICENSE", "LICENSE.txt", "README", "README.txt") if (folder / name).exists()]
    return f"see {beside[0]} beside the source" if beside else None
