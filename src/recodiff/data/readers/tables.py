"""Delimited text as it is found: its separator, header and encoding, and the lines that do not fit."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import HOW_TO_DROP, KNOWN, Given, Raw, find_columns, plain
from recodiff.errors import ConfigError, DataError

_SEPARATORS = ("::", "\t", ";", ",", "|", " ")
# Control characters that no sane text holds: one stands in for separators of several letters, the other makes a line one field.
_FIELD, _LINE = "\x1f", "\x1e"
_SAMPLE_BYTES = 1 << 16
_NOT_UTF8 = "{} is not UTF-8; give its encoding, for example encoding='latin-1', or convert the file"


@dataclass(frozen=True)
class TextTable:
    """A delimited text and how to take it apart.

    Args:
        path: the file, for messages.
        content: the file itself, or its content in UTF-8 where it had to be changed.
        separator: one character.
        header: whether the first line names the columns.
        quoted: whether fields may stand in double quotes.
        first: the fields of the first line.
    """

    path: Path
    content: Path | bytes
    separator: str
    header: bool
    quoted: bool
    first: Sequence[str]

    def scan(self, content: Path | bytes) -> pl.LazyFrame:
        """The columns of a text written in this way, lazily, all of them text."""
        return pl.scan_csv(
            content,
            has_header=self.header,
            separator=self.separator,
            quote_char='"' if self.quoted else None,
            infer_schema=False,
            null_values=["NaN", "nan"],
            glob=False,
        )

    def columns(self) -> list[str]:
        """The names of the columns; made-up ones where there is no header."""
        try:
            return self.scan(self.content).collect_schema().names()
        except pl.exceptions.PolarsError as error:
            raise self._unreadable(error) from None

    def collect(self, select: Sequence[pl.Expr], *, drop_long: bool = False) -> tuple[pl.DataFrame, int]:
        """Some columns, and how many lines were dropped for having more fields than the first.

        Raises:
            DataError: a line has more fields and `drop_long` is not set, or the text is no table.
        """
        try:
            return self.scan(self.content).select(select).collect(), 0
        except pl.exceptions.PolarsError as error:
            if "more fields" not in str(error):
                raise self._unreadable(error) from None
        lines, width = read_lines(self.content, self.path.name, strip=False), len(self.first)
        bare = lines.str.replace_all(r'"[^"]*"', "") if self.quoted else lines
        long = (bare.str.count_matches(self.separator, literal=True) >= width).fill_null(False)
        if not (drop_long and long.any()):
            line = int(long.arg_max() or 0)
            shown = (lines[line] or "").replace(_FIELD, "::")[:60]
            raise DataError(
                f"{self.path.name}, line {line + 1}: {shown!r} has more than the {width} fields of the first line; mend the line, "
                f"give the right separator, or {HOW_TO_DROP}"
            )
        kept = "\n".join(lines.filter(~long).fill_null("")).encode()
        return self.scan(kept).select(select).collect(), int(long.sum())

    def place(self, row: int, rows: int) -> str:
        """Where a row of `rows` stands in the file: a line, unless quoted line breaks make lines and rows differ."""
        lines = len(read_lines(self.content, self.path.name))
        return f"line {row + 1 + self.header}" if lines == rows + self.header else f"row {row + 1}"

    def _unreadable(self, error: Exception) -> DataError:
        brief = str(error).strip().splitlines()[0]
        if "utf-8" in brief.lower():
            return DataError(
                f"{self.path.name} is not UTF-8; give its encoding, for example encoding='latin-1', or convert the file"
            )
        return DataError(
            f"{self.path.name} cannot be read as a table ({brief}); is its separator right, and are all quotes closed?"
        )


def open_table(
    path: Path, *, separator: str | None = None, header: bool | None = None, encoding: str | None = None, quoted: bool = True
) -> TextTable:
    """Looks at the first lines of a text table (gzip too) and tells how it is written.

    Args:
        path: the file.
        separator: between fields, one or more characters; told from the first lines unless given.
        header: whether the first line names the columns; told from its words unless given.
        encoding: UTF-8 unless given; where the separator is `::`, Latin-1 is told from UTF-8.
        quoted: whether fields may stand in double quotes.

    Raises:
        DataError: the file is empty, damaged or not in the encoding given.
    """
    head = _first_lines(path, encoding or "utf-8")
    separator = separator.replace("\\t", "\t") if separator else _separator(head)
    first = _fields(head[0], separator)
    header = _is_header(first) if header is None else header
    content: Path | bytes = recoded(path, encoding) if encoding else path
    if len(separator) > 1:
        content = (content if isinstance(content, bytes) else recoded(path)).replace(separator.encode(), _FIELD.encode())
        separator, quoted = _FIELD, False
    return TextTable(path, content, separator, header, quoted, first)


def read_delimited(path: Path, given: Given, table: TextTable, *, drop_long: bool = False) -> Raw:
    """The columns of a text table that have a role, all values still text.

    Args:
        path: the file.
        given: role -> column name or position, False if it has none, or None to detect it.
        table: how the file is written.
        drop_long: leave out lines with too many fields instead of refusing them.

    Raises:
        DataError: the text is no table, or a column cannot be told.
    """
    columns = table.columns()
    roles = find_columns(columns, given if table.header else _by_place(table.first, given, path.name), path.name)
    frame, dropped = table.collect([pl.col(name).alias(role) for role, name in roles.items()], drop_long=drop_long)
    names = roles if table.header else {role: f"{role} (column {columns.index(name)})" for role, name in roles.items()}
    return Raw(frame, path.name, names, lambda row: table.place(row, frame.height), is_text=True, dropped=dropped)


def recoded(path: Path, encoding: str | None = None) -> bytes:
    """The file as UTF-8 bytes; without an encoding, one that is not UTF-8 is taken as Latin-1, as old MovieLens files are."""
    data = path.read_bytes()
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding is not None:
            raise DataError(f"{path.name} is not {encoding}; give its encoding, for example latin-1") from None
        text = data.decode("latin-1")
    return text.encode()


def read_lines(content: Path | bytes, name: str, *, strip: bool = True) -> pl.Series:
    """The lines of a text, without white space at both ends unless told otherwise; null where empty.

    Raises:
        DataError: the text, `name` in the message, is not UTF-8.
    """
    scan = pl.scan_csv(content, has_header=False, separator=_LINE, quote_char=None, infer_schema=False, glob=False)
    try:
        return scan.select((pl.first().str.strip_chars() if strip else pl.first()).alias("line")).collect().to_series()
    except pl.exceptions.NoDataError:
        return pl.Series("line", [], dtype=pl.String)
    except pl.exceptions.ComputeError:
        raise DataError(_NOT_UTF8.format(name)) from None


def _first_lines(path: Path, encoding: str) -> list[str]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            start = file.read(_SAMPLE_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is damaged ({error}); fetch it again") from None
    try:
        lines = start.decode(encoding, errors="ignore").removeprefix("\ufeff").splitlines()
    except LookupError:
        raise ConfigError(f"encoding {encoding!r} is unknown; utf-8 and latin-1 are the usual ones") from None
    lines = lines[:-1] if len(start) == _SAMPLE_BYTES and len(lines) > 1 else lines  # the last one may be cut
    lines = [line for line in lines if line.strip()][:20]
    if not lines:
        raise DataError(f"{path.name} is empty; give a file with one interaction a line")
    return lines


def _fields(line: str, separator: str) -> list[str]:
    return line.split(separator) if len(separator) > 1 else next(csv.reader([line], delimiter=separator))


def _separator(lines: Sequence[str]) -> str:
    counts = {mark: [len(_fields(line, mark)) for line in lines] for mark in _SEPARATORS}
    even = [mark for mark, found in counts.items() if found[0] > 1 and len(set(found)) == 1]
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


def _by_place(first: Sequence[str], given: Given, source: str) -> Given:
    """Without names, columns are user, item, weight, time; a third column alone is a time where it looks like one."""
    if given.get("user") is not None or given.get("item") is not None:
        return {role: place for role, place in given.items() if place is not None}
    if len(first) not in (2, 3, 4):
        raise DataError(
            f"{source} has no header and {len(first)} columns; say which is which by position, the first is 0: user=0, item=1"
        )
    last = first[-1].strip()
    is_time = len(first) == 3 and (last[4:5] == "-" or (_is_number(last) and float(last) >= 1e8))
    roles = ("user", "item", "time") if is_time else ("user", "item", "weight", "time")
    usual = dict(zip(roles, range(len(first)), strict=False))
    return {**usual, **{role: place for role, place in given.items() if place is not None}}
