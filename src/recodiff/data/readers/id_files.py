"""Files of ids: users to answer, items to rank or to leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from recodiff.data.ids import IdMap
from recodiff.data.readers.columns import KNOWN, plain
from recodiff.data.readers.contents import start_of
from recodiff.data.readers.lines import first_lines, read_lines
from recodiff.data.readers.parquet import ENDINGS
from recodiff.data.readers.places import is_header, kind_of
from recodiff.data.readers.text_tables import open_table
from recodiff.errors import ConfigError, DataError
from recodiff.runtime import files
from recodiff.runtime.crash_check import crash_checked

BLANK = 4096
"""Bytes at the beginning of a file that has some id among them, unless it is blank."""


def read_ids(path: Path, known: IdMap, role: Literal["user", "item"]) -> pl.Series:
    """External ids from a file: of a table the column that is called like the role, else the first column; or one id a line.

    A first cell that is a known id is an id, whatever it looks like; else it is compared with the others.

    Args:
        path: `.parquet`, `.csv`, `.tsv`, or text with one id a line.
        known: the ids that there are.
        role: whether users or items are meant.

    Raises:
        ConfigError: the file cannot be read or holds no ids.
    """
    try:
        with files.reading(path, ConfigError, "give one id per line"):
            if path.suffix not in ENDINGS and not start_of(path, BLANK).strip():
                raise ConfigError(f"'{path}' holds no ids; give one id per line")
            ids = _of_table(path, known, role) if path.suffix in (*ENDINGS, ".csv", ".tsv") else _of_lines(path, known, role)
    except DataError as error:
        raise ConfigError(f"ids cannot be read from '{path}' ({' '.join(str(error).split())}); give one id per line") from None
    ids = ids.drop_nulls()
    if len(ids) == 0:
        raise ConfigError(f"'{path}' holds no ids; give one id per line")
    return ids


def _of_table(path: Path, known: IdMap, role: str) -> pl.Series:
    if path.suffix in ENDINGS:
        frame = crash_checked([path], lambda: pl.read_parquet(path, glob=False), ConfigError, "give one id per line")
        return frame[_column(frame.columns, role)]
    rows = open_table(path, header=False, separator=None if path.suffix == ".csv" else "\t").rows
    text = open_table(path, separator="," if len(rows[0]) == 1 else None, header=_names(rows, known, role))
    columns = text.columns()
    frame, _ = text.collect([pl.col(_column(columns, role))])
    return frame.to_series().str.strip_chars()


def _names(rows: object, known: IdMap, role: str) -> bool:
    """Whether the first row of a table names its columns."""
    cells = [[str(cell).strip() for cell in row] for row in rows]  # type: ignore[attr-defined]
    first = cells[0][0]
    if any(plain(cell) in KNOWN[role] for cell in cells[0]) and not _is_known(first, known):
        return True
    return not _is_known(first, known) and is_header(cells, by_position=False) and kind_of(first) == "text"


def _of_lines(path: Path, known: IdMap, role: str) -> pl.Series:
    first_lines(path)
    ids = read_lines(path, path.name).drop_nulls()
    named = plain(str(ids[0])) in KNOWN[role] and not _is_known(str(ids[0]), known)
    return ids[1:] if named else ids


def _column(columns: list[str], role: str) -> str:
    return next((name for name in columns if plain(name) in KNOWN[role]), columns[0])


def _is_known(cell: str, known: IdMap) -> bool:
    return bool(known.positions([cell], unknown="mark")[0] >= 0)
