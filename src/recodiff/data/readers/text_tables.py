"""Delimited text as it is found: its separator, header and encoding, and the lines that do not fit."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from recodiff.data.readers import quotes
from recodiff.data.readers.columns import HOW_TO_DROP
from recodiff.data.readers.contents import WHOLE, refuse_other_than_text, start_of, unzipped
from recodiff.data.readers.places import is_header
from recodiff.data.readers.values import MARKS, RARE_MARKS
from recodiff.errors import ConfigError, DataError
from recodiff.runtime import files

_SEPARATORS = ("::", "\t", ";", ",", "|", " ")
# Control characters that no sane text holds: one stands in for separators of several letters, the other makes a line one field.
_FIELD, _LINE = "\x1f", "\x1e"
_SAMPLE_BYTES, _SAMPLE_LINES = 1 << 16, 200
_LOOK = 20
"""Lines by which the separator is recognised."""
_LAST = "\x00last"
_NOT_UTF8 = "{} is not UTF-8; give its encoding, for example encoding='latin-1', or convert the file"


@dataclass(frozen=True)
class TextTable:
    """A delimited text and how it is written.

    Args:
        path: the file, for messages.
        content: the file itself, or its content in UTF-8 where it had to be changed.
        separator: one character.
        header: whether the first line names the columns.
        quoted: whether fields may stand in double quotes; None for yes, unless they do not close and the separator is a tab.
        rows: the fields of the first lines.
    """

    path: Path
    content: Path | bytes
    separator: str
    header: bool
    quoted: bool | None
    rows: Sequence[Sequence[str]]

    @property
    def width(self) -> int:
        """Fields of the first line."""
        return len(self.rows[0])

    def scan(self, content: Path | bytes) -> pl.LazyFrame:
        """The columns of a text written in this way, lazily, all of them text.

        Args:
            content: a file, or its bytes.
        """
        return pl.scan_csv(
            content,
            has_header=self.header,
            separator=self.separator,
            quote_char=None if self.quoted is False else '"',
            infer_schema=False,
            null_values=self._marks,
            glob=False,
        )

    @cached_property
    def _marks(self) -> list[str]:
        """What marks a missing value; each costs time, so the rare ones are left out where a look says that they are absent."""
        rare = any(quotes.has_bytes(self.content, part) for part in (b"#", b"(null)"))
        return [*MARKS, *(RARE_MARKS if rare else ())]

    def columns(self) -> list[str]:
        """The names of the columns; made-up ones where there is no header."""
        try:
            return self.scan(self.content).collect_schema().names()
        except pl.exceptions.PolarsError as error:
            raise self._unreadable(error) from None

    def collect(self, select: Sequence[pl.Expr], *, drop_long: bool = False) -> tuple[pl.DataFrame, int]:
        """The chosen columns, and how many lines were dropped for having more fields than the first.

        Args:
            select: what to collect, over the names of `scan`.

        Raises:
            DataError: a line has more fields and `drop_long` is not set, a quote does not close, or the text is no table.
        """
        try:
            frame = self._collected(select)
        except pl.exceptions.PolarsError as error:
            if self.quoted is not False and "utf-8" not in str(error).lower() and self._has_quotes():
                mended = self.mended()
                if mended is not self:
                    return mended.collect(select, drop_long=drop_long)
            if "more fields" not in str(error):
                raise self._unreadable(error) from None
            return self._without_long(select, drop_long)
        if self.quoted is not False and self._has_quotes() and quotes.count_lines(self.content) != frame.height + self.header:
            mended = self.mended()
            if mended is not self:
                return mended.collect(select, drop_long=drop_long)
        return frame, 0

    def _collected(self, select: Sequence[pl.Expr]) -> pl.DataFrame:
        """Some columns; polars looks for lines with too many fields only where it parses all columns."""
        scan = self.scan(self.content)
        if len(select) < self.width and isinstance(self.content, Path) and not self._has_quotes():
            last = pl.col(self.columns()[-1]).alias(_LAST)
            frame = scan.select(*select, last).collect()
            if not frame[_LAST].has_nulls() and quotes.is_even(self.content, self.separator, self.width):
                return frame.drop(_LAST)
        return scan.collect().select(select)

    def mended(self) -> TextTable:
        """The same table where quotes are what they seem; itself where nothing is wrong with them.

        Raises:
            DataError: a quote does not close, and the text is not one in which quotes are letters.
        """
        lines = read_lines(self.content, self.path.name, strip=False)
        line = quotes.first_open(lines, self.separator)
        if line is None:
            return self
        if not quotes.opens_a_field(lines, self.separator):
            return replace(self, quoted=False)
        content = self.content
        text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", errors="replace")
        content = quotes.rewritten(text.removeprefix("\ufeff"), self.separator)
        if content is not None:
            return self if content == text.encode() else replace(self, content=content, quoted=True)
        if self.separator == "\t":
            return replace(self, quoted=False)
        raise DataError(
            f"{self.path.name}, line {line + 1}: {(lines[line] or '')[:60]!r} has a quote that does not close; mend the line, or "
            "take quotes as letters with quotes=False (--no-quotes)"
        )

    def _has_quotes(self) -> bool:
        return quotes.has_quotes(self.content)

    def _without_long(self, select: Sequence[pl.Expr], drop_long: bool) -> tuple[pl.DataFrame, int]:
        lines = read_lines(self.content, self.path.name, strip=False)
        bare = lines if self.quoted is False else lines.str.replace_all(r'"[^"]*"', "")
        long = (bare.str.count_matches(self.separator, literal=True) >= self.width).fill_null(False)
        if len(long) > 1 and 2 * long.sum() > len(long):
            raise DataError(
                f"{self.path.name}: its first line has {self.width} fields, and most others have more; name the column that has no "
                "name (of R's row names, for one), or leave it out"
            )
        if not (drop_long and long.any()):
            line = int(long.arg_max() or 0)
            shown = (lines[line] or "").replace(_FIELD, "::")[:60]
            raise DataError(
                f"{self.path.name}, line {line + 1}: {shown!r} has more than the {self.width} fields of the first line; mend the "
                f"line, give the right separator, or {HOW_TO_DROP}"
            )
        kept = "\n".join(lines.filter(~long).fill_null("")).encode()
        return self.scan(kept).select(select).collect(), int(long.sum())

    def place(self, row: int, rows: int) -> str:
        """The place of a row of `rows` in the file: a line, unless quoted line breaks make lines and rows differ.

        Args:
            row: from 0.
        """
        lines = len(read_lines(self.content, self.path.name))
        return f"line {row + 1 + self.header}" if lines == rows + self.header else f"row {row + 1}"

    def _unreadable(self, error: Exception) -> DataError:
        brief = str(error).strip().splitlines()[0]
        if "utf-8" in brief.lower():
            return DataError(_NOT_UTF8.format(self.path.name))
        return DataError(
            f"{self.path.name} cannot be read as a table ({brief}); is its separator right, and are all quotes closed?"
        )


def open_table(
    path: Path,
    *,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    quoted: bool | None = None,
    by_position: bool = False,
) -> TextTable:
    """Look at the first lines of a text table (gzip too) and find how it is written.

    Args:
        path: the file.
        separator: between fields, one or more characters; recognised from the first lines unless given.
        header: whether the first line names the columns; it is compared with the others unless given.
        encoding: UTF-8 unless given; where the separator is `::`, Latin-1 is recognised too.
        quoted: whether fields may stand in double quotes; see `TextTable`.
        by_position: the caller names columns by position.

    Raises:
        DataError: the file is empty, damaged or not in the encoding given.
    """
    head = first_lines(path, encoding or "utf-8")
    separator = separator.replace("\\t", "\t") if separator else _separator(head[:_LOOK])
    rows = [fields(line, separator, quoted) for line in head]
    header = is_header(rows, by_position=by_position) if header is None else header
    content = recoded(path, encoding) if encoding or len(separator) > 1 else unzipped(path)
    if len(separator) > 1 and isinstance(content, bytes):
        content = content.replace(separator.encode(), _FIELD.encode())
        separator, quoted = _FIELD, False
    return TextTable(path, content, separator, header, quoted, rows)


def recoded(path: Path, encoding: str | None = None) -> bytes:
    """The file as UTF-8 bytes; without an encoding, one that is not UTF-8 is taken as Latin-1, as old MovieLens files are.

    Args:
        path: of the file.
        encoding: its name; recognised unless given.
    """
    content = unzipped(path)
    data = content if isinstance(content, bytes) else content.read_bytes()
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding is not None:
            raise DataError(f"{path.name} is not {encoding}; give its encoding, for example latin-1") from None
        text = data.decode("latin-1")
    return text.encode()


def read_lines(content: Path | bytes, name: str, *, strip: bool = True) -> pl.Series:
    """The lines of a text; null where empty.

    Args:
        content: a file, or its bytes.
        strip: whether white space at both ends goes.

    Raises:
        DataError: the text, `name` in the message, is not UTF-8, or damaged.
    """
    if isinstance(content, Path):
        content = unzipped(content)
    scan = pl.scan_csv(content, has_header=False, separator=_LINE, quote_char=None, infer_schema=False, glob=False)
    try:
        return scan.select((pl.first().str.strip_chars() if strip else pl.first()).alias("line")).collect().to_series()
    except pl.exceptions.NoDataError:
        return pl.Series("line", [], dtype=pl.String)
    except pl.exceptions.ComputeError:
        raise DataError(_NOT_UTF8.format(name)) from None


def first_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The first lines of a text that are not blank.

    Args:
        path: of the file.
        encoding: its name.

    Raises:
        DataError: the file is empty, damaged, no text, or no file (a pipe, a folder).
        ConfigError: the encoding is unknown.
    """
    with files.reading(path, DataError, WHOLE):
        start = start_of(path, _SAMPLE_BYTES)
    if not encoding.lower().startswith(("utf-16", "utf_16", "utf16", "utf-32")):
        refuse_other_than_text(path.name, start)
    try:
        lines = start.decode(encoding, errors="ignore").removeprefix("\ufeff").splitlines()
    except LookupError:
        raise ConfigError(f"encoding {encoding!r} is unknown; utf-8 and latin-1 are the usual ones") from None
    lines = lines[:-1] if len(start) == _SAMPLE_BYTES and len(lines) > 1 else lines  # the last one may be cut
    lines = [line for line in lines if line.strip()][:_SAMPLE_LINES]
    if not lines:
        raise DataError(f"{path.name} is empty; give a file with one interaction a line")
    return lines


def fields(line: str, separator: str, quoted: bool | None = True) -> list[str]:
    """The fields of one line.

    Args:
        line: without its end.
        separator: one or more characters.
        quoted: whether a quote may enclose a field.
    """
    if len(separator) > 1 or quoted is False:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator))


def _separator(lines: Sequence[str]) -> str:
    counts = {mark: [len(fields(line, mark)) for line in lines] for mark in _SEPARATORS}
    even = [mark for mark, widths in counts.items() if widths[0] > 1 and len(set(widths)) == 1]
    return even[0] if even else max(_SEPARATORS, key=lambda mark: counts[mark][0])
