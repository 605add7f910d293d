"""Tables as they are found: delimited text, Parquet and frames of any make, with their columns named by role."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.columns import KNOWN, Raw, find_columns, plain
from recodiff.errors import DataError

Given = Mapping[str, str | int | None]
_SEPARATORS = ("::", "\t", ";", ",", "|", " ")
# Two control characters that no sane text holds: one replaces separators longer than a letter, with the other a line is one field.
_FIELD, _LINE = "\x1f", "\x1e"


@dataclass(frozen=True)
class TextTable:
    """A delimited text and how to take it apart.

    Args:
        path: the file, for messages.
        content: the file itself, or its content in UTF-8 where it had to be changed.
        separator: one character.
        header: whether the first line names the columns.
        quoted: whether a field may stand in double quotes.
    """

    path: Path
    content: Path | bytes
    separator: str
    header: bool
    quoted: bool

    def scan(self, content: Path | bytes | None = None) -> pl.LazyFrame:
        """The columns as text, lazily; `content` stands in for the file's own."""
        return pl.scan_csv(
            content if content is not None else self.content,
            has_header=self.header,
            separator=self.separator,
            quote_char='"' if self.quoted else None,
            infer_schema=False,
            null_values=["NaN", "nan"],
            glob=False,
        )

    def place(self, row: int, rows: int) -> str:
        """Where a row of `rows` stands in the file: a line, unless quoted line breaks make lines and rows differ."""
        lines = len(read_lines(self.content))
        return f"line {row + 1 + self.header}" if lines == rows + self.header else f"row {row + 1}"


def read_delimited(
    path: Path,
    given: Given,
    *,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    drop_long: bool = False,
) -> Raw:
    """A text table (CSV, TSV, `::`-separated; gzip too), all values still text.

    Args:
        path: the file.
        given: role -> column name or position, or None to detect it.
        separator: between fields, one or more characters; told from the first lines unless given.
        header: whether the first line names the columns; told from its words unless given.
        encoding: UTF-8 unless given.
        drop_long: leave out lines with too many fields instead of refusing them.

    Raises:
        DataError: the file is missing, empty, in another encoding or no table, or a column cannot be told.
    """
    first, table = open_text(path, separator=separator, header=header, encoding=encoding)
    columns = columns_of(table)
    wanted = given if table.header else _by_place(first, given, path.name)
    roles = find_columns(columns, wanted, path.name)
    frame, dropped = collect(table, [pl.col(name).alias(role) for role, name in roles.items()], len(columns), drop_long=drop_long)
    names = roles if table.header else {role: f"{role} (column {columns.index(name)})" for role, name in roles.items()}
    return Raw(frame, path.name, names, lambda row: table.place(row, frame.height), is_text=True, dropped=dropped)


def open_text(
    path: Path, *, separator: str | None = None, header: bool | None = None, encoding: str | None = None, quoted: bool = True
) -> tuple[list[str], TextTable]:
    """The fields of a text table's first line, and the table; arguments as for `read_delimited`."""
    head = _first_lines(path, encoding or "utf-8")
    separator = separator or _separator(head)
    first = _fields(head[0], separator)
    header = _is_header(first) if header is None else header
    content: Path | bytes = recoded(path, encoding) if encoding else path
    if len(separator) > 1:
        content = (content if isinstance(content, bytes) else recoded(path)).replace(separator.encode(), _FIELD.encode())
        separator, quoted = _FIELD, False
    return first, TextTable(path, content, separator, header, quoted)


def columns_of(table: TextTable) -> list[str]:
    """The table's column names; made-up ones where it has no header."""
    try:
        return table.scan().collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table, error) from None


def collect(table: TextTable, select: Sequence[pl.Expr], width: int, *, drop_long: bool = False) -> tuple[pl.DataFrame, int]:
    """Some columns of a table of `width` columns, and how many lines were dropped for having more fields.

    Raises:
        DataError: a line has more fields and `drop_long` is not set, or the text is no table.
    """
    try:
        return table.scan().select(select).collect(), 0
    except pl.exceptions.PolarsError as error:
        if "more fields" not in str(error):
            raise _unreadable(table, error) from None
    lines = read_lines(table.content, strip=False)
    bare = lines.str.replace_all(r'"[^"]*"', "") if table.quoted else lines
    long = (bare.str.count_matches(table.separator, literal=True) >= width).fill_null(False)
    if not drop_long or not long.any():
        line = int(long.arg_max() or 0)
        shown = (lines[line] or "").replace(_FIELD, "::")[:80]
        raise DataError(
            f"{table.path.name}, line {line + 1}: more than the {width} fields of the first line ({shown!r}); mend the line, "
            "name the separator, or drop malformed rows with on_bad_rows='drop'"
        )
    kept = "\n".join(lines.filter(~long).fill_null("")).encode()
    return table.scan(kept).select(select).collect(), int(long.sum())


def _unreadable(table: TextTable, error: Exception) -> DataError:
    brief = str(error).strip().splitlines()[0]
    if "utf-8" in brief.lower():
        return DataError(f"{table.path.name} is not UTF-8; give its encoding, for example encoding='latin-1'")
    return DataError(f"{table.path.name} cannot be read as a table ({brief}); are its separator right and all its quotes closed?")


def recoded(path: Path, encoding: str | None = None) -> bytes:
    """The file as UTF-8 bytes; without an encoding, one that is not UTF-8 is taken as Latin-1, as old MovieLens files are."""
    data = path.read_bytes()
    try:
        return data.decode(encoding or "utf-8").encode()
    except UnicodeDecodeError:
        if encoding is None:
            return data.decode("latin-1").encode()
        raise DataError(f"{path.name} is not {encoding}; give its encoding, for example latin-1") from None


def read_lines(content: Path | bytes, *, strip: bool = True) -> pl.Series:
    """The lines of a text, without white space at both ends unless told otherwise; null where empty."""
    scan = pl.scan_csv(content, has_header=False, separator=_LINE, quote_char=None, infer_schema=False, glob=False)
    line = pl.first().str.strip_chars() if strip else pl.first()
    return scan.select(line.alias("line")).collect().to_series()


def _first_lines(path: Path, encoding: str) -> list[str]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        start = file.read(1 << 16)
    # The last line may be cut, even inside a character.
    lines = start.decode(encoding, errors="ignore").removeprefix("\ufeff").splitlines()
    lines = [line for line in (lines if len(start) < 1 << 16 else lines[:-1]) if line.strip()][:20]
    if not lines:
        raise DataError(f"{path.name} is empty; give a file with one interaction a line")
    return lines


def _fields(line: str, separator: str) -> list[str]:
    return line.split(separator) if len(separator) > 1 else next(csv.reader([line], delimiter=separator))


def _separator(lines: Sequence[str]) -> str:
    counts = {mark: [len(_fields(line, mark)) - 1 for line in lines] for mark in _SEPARATORS}
    even = [mark for mark, found in counts.items() if found[0] and len(set(found)) == 1]
    return even[0] if even else max(_SEPARATORS, key=lambda mark: counts[mark][0])


def _is_header(first: Sequence[str]) -> bool:
    known = {name for names in KNOWN.values() for name in names}
    return any(plain(field) in known for field in first) or not any(_is_number(field) for field in first)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _by_place(first: Sequence[str], given: Given, source: str) -> dict[str, str | int | None]:
    """Without names, columns are user, item, weight, time; a third column alone is a time where it looks like one."""
    if any(place is not None for role, place in given.items() if role in ("user", "item")):
        return {role: place for role, place in given.items() if place is not None}
    if len(first) not in (2, 3, 4):
        raise DataError(f"{source} has no header and {len(first)} columns; say which is which: user=0, item=1, ...")
    last = first[-1].strip()
    is_time = len(first) == 3 and (last[4:5] == "-" or (_is_number(last) and float(last) >= 1e8))
    roles = ("user", "item", "time") if is_time else ("user", "item", "weight", "time")[: len(first)]
    return {role: place for place, role in enumerate(roles)} | {role: place for role, place in given.items() if place is not None}


def read_parquet(path: Path, given: Given, files: Sequence[Path] = ()) -> Raw:
    """A Parquet file, or several of one make as one table.

    Args:
        path: the file, or the folder that holds the files.
        given: as for `read_delimited`.
        files: the pieces, in order.

    Raises:
        DataError: a file is damaged, the pieces differ in columns, or a column cannot be told.
    """
    try:
        scan = pl.scan_parquet(list(files) or path, glob=False)
        roles = find_columns(scan.collect_schema().names(), given, path.name)
        frame = scan.select(pl.col(name).alias(role) for role, name in roles.items()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet ({str(error).splitlines()[0]}); is it whole?") from None
    return Raw(frame, path.name, roles, lambda row: f"row {row}", is_text=False)


def read_frame(source: Any, given: Given) -> Raw:
    """A polars, pandas or Arrow frame; its text stays text.

    Args:
        source: the frame (lazy ones are collected).
        given: as for `read_delimited`.

    Raises:
        DataError: `source` is no frame, or a column cannot be told or converted.
    """
    roles = find_columns(frame_columns(source), given, "the frame")
    return Raw(as_polars(source, roles), "the frame", roles, lambda row: f"row {row}", is_text=False)


def frame_columns(source: Any) -> list[str]:
    """The column names of any frame."""
    if isinstance(source, pl.LazyFrame):
        return source.collect_schema().names()
    names = getattr(source, "column_names", None) or getattr(source, "columns", None)
    if names is None or callable(names):
        raise DataError(f"a {type(source).__name__} is no frame; give a path, or a polars, pandas or Arrow frame")
    return [str(name) for name in names]


def as_polars(source: Any, roles: Mapping[str, str]) -> pl.DataFrame:
    """The columns `roles` (new name -> name) of any frame."""
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        return source.lazy().select(pl.col(name).alias(role) for role, name in roles.items()).collect()
    try:
        return pl.DataFrame({role: _series(source[name]) for role, name in roles.items()})
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(
            f"the frame's columns {', '.join(roles.values())} cannot be converted ({error}); give plain types"
        ) from None


def _series(column: Any) -> pl.Series:
    if not hasattr(column, "iloc"):
        return pl.Series(column)
    # A pandas column: through numpy, so that pandas serves without pyarrow.
    values = column.to_numpy()
    if values.dtype.kind in "OSUT":
        return pl.Series([None if value != value else value for value in values.tolist()], strict=True)
    return pl.Series(values)
