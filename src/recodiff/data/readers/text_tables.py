"""Delimited text as it is found: its separator, header and encoding, and the lines that do not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from recodiff.data.readers import quotes
from recodiff.data.readers.columns import HOW_TO_DROP
from recodiff.data.readers.contents import unzipped
from recodiff.data.readers.heads import head_of
from recodiff.data.readers.lines import NOT_UTF8, read_lines
from recodiff.data.readers.missing import MARKS, RARE_MARKS
from recodiff.errors import DataError

# A control character that no sane text holds stands in for separators of several letters.
_FIELD = "\x1f"
_RUNS, _AROUND = re.compile(rb"[ \t]+"), re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
_LAST = "\x00last"


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
            return DataError(NOT_UTF8.format(self.path.name))
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
    head = head_of(path, separator=separator, header=header, encoding=encoding, quoted=quoted, by_position=by_position)
    separator, header, rows = head.separator, head.header, head.rows
    content = recoded(path, encoding) if encoding or len(separator) > 1 else unzipped(path)
    if head.runs:
        text = content if isinstance(content, bytes) else content.read_bytes()
        content = _RUNS.sub(b" ", _AROUND.sub(b"", text))
    if len(separator) > 1 and isinstance(content, bytes):
        content = content.replace(separator.encode(), _FIELD.encode())
        separator, quoted = _FIELD, False
    return TextTable(path, content, separator, header, quoted, rows)


def recoded(path: Path, encoding: str | None = None) -> bytes:
    """The file as UTF-8 bytes; without an encoding, one that is not UTF-8 is taken as Latin-1, as old MovieLens files are.

    Args:
        path: of the file.
        encoding: its name; recognised unless given.

    Raises:
        DataError: the file is not of that encoding.
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
