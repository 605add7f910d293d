"""Quotes in delimited text: whether they close, and texts in which they are letters like any other."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import polars as pl

from recodiff.data.readers.tables import LogTable, ask, first_where

_BREAK = ord("\n")
_STEP = 1 << 18
_STRICT = {"strict": True, "doublequote": True}


def has_quotes(content: Path | bytes) -> bool:
    """Tell whether a text holds a double quote at all.

    Args:
        content: a file, or its bytes.
    """
    return has_bytes(content, b'"')


def has_bytes(content: Path | bytes, part: bytes) -> bool:
    """Tell whether a text holds some bytes anywhere.

    Args:
        content: a file, or its bytes.
        part: the bytes.
    """
    if isinstance(content, bytes):
        return part in content
    kept = b""
    with content.open("rb") as file:
        while piece := file.read(_STEP):
            if part in (kept + piece if kept else piece):
                return True
            kept = piece[-(len(part) - 1) :] if len(part) > 1 else b""
    return False


def count_lines(content: Path | bytes) -> int:
    """The number of lines of a text, the last one too where it does not end.

    Args:
        content: a file, or its bytes.
    """
    return _counts(content)[0]


def is_even(content: Path | bytes, separator: str, width: int) -> bool:
    """Tell whether a text without quotes has as many separators as `width` fields on each line come to.

    Args:
        content: a file, or its bytes.
        separator: one character.
    """
    lines, separators = _counts(content, separator.encode())
    return separators == lines * (width - 1)


def _counts(content: Path | bytes, mark: bytes = b"\n") -> tuple[int, int]:
    """Lines, and how often one byte occurs."""
    lines, marks, last = 0, 0, b"\n"
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        while piece := file.read(_STEP):
            letters = np.frombuffer(piece, dtype=np.uint8)
            lines += int(np.count_nonzero(letters == _BREAK))
            marks += int(np.count_nonzero(letters == ord(mark)))
            last = piece[-1:]
    return lines + (last != b"\n"), marks


def first_open(lines: LogTable, separator: str) -> int | None:
    """The first line whose quotes are not those of whole fields; None where all are.

    Args:
        lines: a column `line`, the lines of the text.
        separator: one character.
    """
    mark, line = re.escape(separator), pl.col("line")
    field = f'(?:"(?:[^"]|"")*"|[^"{mark}]*)'
    wrong = line.str.contains('"', literal=True) & ~line.str.contains(rf"^(?:{field}{mark})*{field}\r?$")
    return first_where(lines, wrong) if ask(lines, wrong.any())[0] else None


def opens_a_field(lines: LogTable, separator: str) -> bool:
    """Tell whether a quote stands at the start of any field.

    Args:
        lines: a column `line`, of the text.
        separator: one character.
    """
    return bool(ask(lines, pl.col("line").str.contains(rf'(?:^|{re.escape(separator)})"').any())[0])


def rewritten(text: str, separator: str) -> bytes | None:
    """The same table with quotes only where a field needs them; None where a quote does not close as it should.

    Args:
        text: the whole text.
        separator: one character.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, **_STRICT):  # pyright: ignore[reportArgumentType]
            if row:
                writer.writerow(row)
            else:
                out.write("\n")
    except csv.Error:
        return None
    return out.getvalue().encode()
