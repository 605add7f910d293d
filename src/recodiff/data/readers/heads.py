"""How a text table is written, by its first lines: its separator, and whether they name the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recodiff.data.readers.lines import first_lines
from recodiff.data.readers.places import is_header
from recodiff.errors import DataError

_SEPARATORS = ("::", "\t", ";", ",", "|", " ")
_LOOK = 20
"""Lines by which the separator is recognised."""
_IN_RUNS = re.compile(r"^ |  | $")


class Head(NamedTuple):
    """The form of a text table, by its first lines.

    Args:
        separator: between fields.
        header: whether the first line names the columns.
        rows: the fields of the first lines.
        runs: whether several blanks are one separator.
    """

    separator: str
    header: bool
    rows: Sequence[Sequence[str]]
    runs: bool

    @property
    def below(self) -> Sequence[Sequence[str]]:
        """The rows below the header, where there is one."""
        return self.rows[self.header :] or self.rows


def head_of(
    path: Path,
    *,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    quoted: bool | None = None,
    by_position: bool = False,
) -> Head:
    """Look at the first lines of a text table.

    Args:
        path: the file.
        separator, header, encoding, quoted, by_position: as for `open_table`.

    Raises:
        DataError: the file is empty or damaged, or runs of blanks part unlike numbers of fields.
    """
    lines = first_lines(path, encoding or "utf-8")
    runs = False
    if separator:
        separator = separator.replace("\\t", "\t")
    else:
        separator = _separator(lines[:_LOOK])
        runs = separator == " " and any(_IN_RUNS.search(line) for line in lines) and not any('"' in line for line in lines)
    if runs:
        rows = [line.split() for line in lines]
        if odd := next((number for number, row in enumerate(rows) if len(row) != len(rows[0])), None):
            raise DataError(
                f"{path.name}: runs of blanks part its fields, {len(rows[0])} on the first line and {len(rows[odd])} on another "
                f"({lines[odd].strip()[:40]!r}); write one mark between fields, such as a tab"
            )
    else:
        rows = [fields(line, separator, quoted) for line in lines]
    return Head(separator, is_header(rows, by_position=by_position) if header is None else header, rows, runs)


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
