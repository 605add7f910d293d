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
from recodiff.data.readers.contents import as_unzipped, unzipped
from recodiff.data.readers.heads import Head, head_of
from recodiff.data.readers.lines import NOT_UTF8, lines_of, read_lines
from recodiff.data.readers.missing import MARKS, RARE_MARKS, is_mark
from recodiff.data.readers.tables import LogTable, ask, first_where, height, in_memory, value_at
from recodiff.errors import DataError
from recodiff.runtime.spill import Spill

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
        copies: where columns are copied to, to be read as a table that streams; they are held unless given.
    """

    path: Path
    content: Path | bytes
    separator: str
    header: bool
    quoted: bool | None
    rows: Sequence[Sequence[str]]
    copies: Spill | None = None

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

    def late(self, unread: Sequence[str]) -> list[list[str]]:
        """Rows that hold, of each column that is empty in the first lines, the first values that it has, and nothing else.

        Args:
            unread: the columns that are asked for.
        """
        columns, rows = self.columns(), self.rows[self.header :]
        places = [columns.index(name) for name in unread]
        empty = [place for place in places if all(place >= len(row) or is_mark(row[place].strip()) for row in rows)]
        found = [["" for _ in columns] for _ in rows] if empty else []
        for place in empty:
            values = self.scan(self.content).select(columns[place]).drop_nulls().head(len(rows))
            try:
                present = values.collect(engine="streaming").to_series().to_list()
            except pl.exceptions.PolarsError:  # what is wrong with the text is said where it is read
                continue
            for row, value in zip(found, present, strict=False):
                row[place] = value
        return found

    def collect(self, select: Sequence[pl.Expr], *, drop_long: bool = False) -> tuple[LogTable, int]:
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
        if self.quoted is not False and self._has_quotes() and quotes.count_lines(self.content) != height(frame) + self.header:
            mended = self.mended()
            if mended is not self:
                return mended.collect(select, drop_long=drop_long)
        return frame, 0

    def _collected(self, select: Sequence[pl.Expr]) -> LogTable:
        """Some columns; polars looks for lines with too many fields only where it parses all columns."""
        scan = self.scan(self.content)
        if len(select) < self.width and isinstance(self.content, Path) and not self._has_quotes():
            last = pl.col(self.columns()[-1]).alias(_LAST)
            frame = self._kept(scan.select(*select, last))
            if not ask(frame, pl.col(_LAST).has_nulls())[0] and quotes.is_even(self.content, self.separator, self.width):
                return frame.drop(_LAST)
        return self._kept(scan).select(select)

    def _kept(self, scan: pl.LazyFrame) -> LogTable:
        return scan.collect() if self.copies is None else self.copies.keep(scan)

    def mended(self) -> TextTable:
        """The same table where quotes are what they seem; itself where nothing is wrong with them.

        Raises:
            DataError: a quote does not close, and the text is not one in which quotes are letters.
        """
        lines = self._lines()
        line = quotes.first_open(lines, self.separator)
        if line is None:
            return self
        if not quotes.opens_a_field(lines, self.separator):
            return replace(self, quoted=False)
        content = self.content
        if self.copies is not None:
            raise DataError(
                f"{self.path.name}, line {line + 1}: {_shown(lines, line)!r} has a quote that does not close in it, and fields of "
                "several lines are not read within a bound; convert the file to Parquet, or prepare it without memory= (--memory)"
            )
        text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", errors="replace")
        content = quotes.rewritten(text.removeprefix("\ufeff"), self.separator)
        if content is not None:
            return self if content == text.encode() else replace(self, content=content, quoted=True)
        if self.separator == "\t":
            return replace(self, quoted=False)
        raise DataError(
            f"{self.path.name}, line {line + 1}: {_shown(lines, line)!r} has a quote that does not close; mend the line, or "
            "take quotes as letters with quotes=False (--no-quotes)"
        )

    def _has_quotes(self) -> bool:
        return quotes.has_quotes(self.content)

    def _lines(self) -> LogTable:
        if self.copies is None:
            return read_lines(self.content, self.path.name, strip=False).to_frame("line")
        return lines_of(self.content, self.path.name, strip=False)

    def _without_long(self, select: Sequence[pl.Expr], drop_long: bool) -> tuple[LogTable, int]:
        lines, line = self._lines(), pl.col("line")
        bare = line if self.quoted is False else line.str.replace_all(r'"[^"]*"', "")
        long = (bare.str.count_matches(self.separator, literal=True) >= self.width).fill_null(False)
        count, rows = ask(lines, long.sum(), pl.len())
        if rows > 1 and 2 * count > rows:
            raise DataError(
                f"{self.path.name}: its first line has {self.width} fields, and most others have more; name the column that has no "
                "name (of R's row names, for one), or leave it out"
            )
        if not (drop_long and count):
            at = first_where(lines, long) if count else 0
            raise DataError(
                f"{self.path.name}, line {at + 1}: {_shown(lines, at)!r} has more than the {self.width} fields of the first line; "
                f"mend the line, give the right separator, or {HOW_TO_DROP}"
            )
        return self._kept(self.scan(self._without(lines, long)).select(select)), count

    def _without(self, lines: LogTable, long: pl.Expr) -> Path | bytes:
        """The text without some lines."""
        kept = lines.filter(~long).with_columns(pl.col("line").fill_null(""))
        if self.copies is None:
            return "\n".join(in_memory(kept)["line"]).encode()
        path = self.copies.file(".txt")
        with path.open("w", encoding="utf-8", newline="") as file:
            for batch in self.copies.batches(kept.lazy()):
                file.writelines(f"{text}\n" for text in batch["line"])
        return path

    def place(self, row: int, rows: int) -> str:
        """The place of a row of `rows` in the file: a line, unless quoted line breaks make lines and rows differ.

        Args:
            row: from 0.
        """
        lines = height(lines_of(self.content, self.path.name))
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
    copies: Spill | None = None,
) -> TextTable:
    """Look at the first lines of a text table (gzip too) and find how it is written.

    Args:
        path: the file.
        separator: between fields, one or more characters; recognised from the first lines unless given.
        header: whether the first line names the columns; it is compared with the others unless given.
        encoding: UTF-8 unless given; where the separator is `::`, Latin-1 is recognised too.
        quoted: whether fields may stand in double quotes; see `TextTable`.
        by_position: the caller names columns by position.
        copies: as for `TextTable`.

    Raises:
        DataError: the file is empty, damaged or not in the encoding given.
    """
    head = head_of(path, separator=separator, header=header, encoding=encoding, quoted=quoted, by_position=by_position)
    separator, header, rows = head.separator, head.header, head.rows
    content = _changed(path, head, encoding) if copies is None else _rewritten(path, copies, head, encoding)
    if len(separator) > 1:
        separator, quoted = _FIELD, False
    return TextTable(path, content, separator, header, quoted, rows, copies)


def _changed(path: Path, head: Head, encoding: str | None) -> Path | bytes:
    """The file, or its content where it is packed, of another encoding, or has several characters between fields."""
    content = recoded(path, encoding) if encoding or len(head.separator) > 1 else unzipped(path)
    if head.runs:
        content = _in_one_form(content if isinstance(content, bytes) else content.read_bytes(), head)
    return _in_one_form(content, head) if isinstance(content, bytes) else content


def _in_one_form(text: bytes, head: Head) -> bytes:
    """A text, or a line of it, with one character between fields."""
    text = _RUNS.sub(b" ", _AROUND.sub(b"", text)) if head.runs else text
    return text.replace(head.separator.encode(), _FIELD.encode()) if len(head.separator) > 1 else text


def _rewritten(path: Path, copies: Spill, head: Head, encoding: str | None) -> Path:
    """As `_changed`, line by line into a file."""
    plain = as_unzipped(path, copies.file(".txt"))
    if not (encoding or len(head.separator) > 1 or head.runs):
        return plain
    copy, recode = copies.file(".txt"), bool(encoding or len(head.separator) > 1)
    for known in [encoding] if encoding else ["utf-8", "latin-1"]:
        try:
            with copy.open("wb") as file:
                if recode:
                    with plain.open(encoding=known, newline="") as text:
                        file.writelines(_in_one_form(line.encode(), head) for line in text)
                else:
                    with plain.open("rb") as lines:
                        file.writelines(_in_one_form(line, head) for line in lines)
            return copy
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path.name} is not {encoding}; give its encoding, for example latin-1")


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


def _shown(lines: LogTable, line: int) -> str:
    return (value_at(lines, "line", line) or "").replace(_FIELD, "::")[:60]
