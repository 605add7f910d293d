"""Reading an interaction log, whatever its format, into one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.data.readers.columns import BadRows, TimeUnit, convert
from recodiff.data.readers.formats import locate, read_items
from recodiff.data.readers.frames import read_frame
from recodiff.data.readers.reader import Options
from recodiff.errors import DataError

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
    """

    frame: pl.DataFrame
    time_kind: TimeKind | None
    items: pl.DataFrame | None
    source: str
    dropped: dict[str, int]
    terms: str | None


def read_log(
    source: Any,
    *,
    format: str = "auto",
    user: str | int | None = None,
    item: str | int | None = None,
    weight: str | int | None = None,
    time: str | int | None = None,
    items: Any = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    time_unit: TimeUnit = "auto",
    on_bad_rows: BadRows = "refuse",
) -> Log:
    """Reads interactions from a file, a folder or a frame.

    Known at sight: CSV, TSV and other delimited text, Parquet (also a folder of pieces), MovieLens (`u.data`,
    `ratings.dat`, `ratings.csv`), RecBole (`.inter`), LightGCN text (`train.txt`, `test.txt`), the DiffRec release
    (`train_list.npy` ...), and polars, pandas and Arrow frames.

    Args:
        source: a path or a frame.
        format: one of `FORMATS`, told from names and contents unless given.
        user, item, weight, time: a column's name or position (0-based), told from the usual names unless given; False for a
            log that has none.
        items: a path or frame with titles; unless given, the table that stands beside the log, if any.
        separator, header, encoding: how delimited text is written, told from its first lines unless given (UTF-8).
        time_unit: what a number in the time column counts (s, ms, us, ns), told by size; `order`: only the sequence counts.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them in `Log.dropped`.

    Raises:
        DataError: there is nothing to read, a column cannot be told, or a row is malformed: file, line and value are named.
    """
    given = {"user": user, "item": item, "weight": weight, "time": time}
    if not isinstance(source, str | Path):
        return _log("the frame", convert(read_frame(source, given), time_unit, on_bad_rows), items, None, on_bad_rows)
    path = Path(source).expanduser()
    reader, files = locate(path, format)
    raw = reader.read(files, Options(given, separator, header, encoding, time_unit, on_bad_rows))
    titles = reader.titles_beside(files[0]) if items is None else items
    return _log(str(source), convert(raw, time_unit, on_bad_rows), titles, _terms(path), on_bad_rows)


def _log(
    source: str, table: tuple[pl.DataFrame, TimeKind | None, dict[str, int]], items: Any, terms: str | None, on_bad_rows: BadRows
) -> Log:
    frame, time_kind, dropped = table
    if frame.is_empty():
        why = f" ({', '.join(f'{n} {what} dropped' for what, n in dropped.items())})" if dropped else ""
        raise DataError(f"{source} holds no interactions{why}; give a log with at least one")
    titles = None if items is None else read_items(items, frame["item"], drop_long=on_bad_rows == "drop")
    return Log(frame, time_kind, titles, source, dropped, terms)


def _terms(path: Path) -> str | None:
    folder = path if path.is_dir() else path.parent
    if (folder / TERMS_FILE).exists():
        return (folder / TERMS_FILE).read_text(encoding="utf-8").strip()
    beside = [name for name in ("LICENSE", "LICENSE.txt", "README", "README.txt") if (folder / name).exists()]
    return f"see {beside[0]} beside the source" if beside else None
