"""Files of ids: users to answer, items to rank or to leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import polars as pl

from recodiff.data.ids import IdMap
from recodiff.data.readers.columns import KNOWN, plain
from recodiff.data.readers.contents import start_of
from recodiff.data.readers.json_lines import ENDINGS as JSON_ENDINGS
from recodiff.data.readers.lines import first_lines, read_lines
from recodiff.data.readers.parquet import ENDINGS
from recodiff.data.readers.parts import ending
from recodiff.data.readers.places import is_header, kind_of
from recodiff.data.readers.tables import in_memory
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
        path: `.parquet`, `.csv`, `.tsv`, JSON lines, or text with one id a line.
        known: the ids that there are.
        role: whether users or items are meant.

    Raises:
        ConfigError: the file cannot be read or holds no ids.
    """
    try:
        with files.reading(path, ConfigError, "give one id per line"):
            if path.suffix not in ENDINGS and not start_of(path, BLANK).strip():
                raise ConfigError(f"'{path}' holds no ids; give one id per line")
            ids = _as_known(_found(path, known, role), known)
    except DataError as error:
        raise ConfigError(f"ids cannot be read from '{path}' ({' '.join(str(error).split())}); give one id per line") from None
    ids = ids.drop_nulls()
    if len(ids) == 0:
        raise ConfigError(f"'{path}' holds no ids; give one id per line")
    return ids


def _found(path: Path, known: IdMap, role: str) -> pl.Series:
    if path.suffix in ENDINGS:
        frame = crash_checked([path], lambda: pl.read_parquet(path, glob=False), ConfigError, "give one id per line")
        return frame[_column(frame.columns, role)]
    if ending(path) in JSON_ENDINGS:
        return _of_json(path, role)
    return _of_table(path, known, role) if path.suffix in (".csv", ".tsv") else _of_lines(path, known, role)


def _of_json(path: Path, role: str) -> pl.Series:
    """Ids of JSON lines, each an id or an object that has one."""
    ids: list[str | None] = []
    for number, line in enumerate(read_lines(path, path.name).to_list(), 1):
        try:
            value = json.loads(line) if line else None
        except (ValueError, RecursionError):
            raise DataError(f"line {number}: {line[:40]!r} is no JSON") from None
        if isinstance(value, dict):
            value = value.get(_column(list(value), role)) if value else None
        if isinstance(value, list | dict | bool):
            raise DataError(f"line {number}: {line[:40]!r} holds no single id")
        ids.append(None if value is None else str(value))
    return pl.Series(ids, dtype=pl.String)


def _as_known(ids: pl.Series, known: IdMap) -> pl.Series:
    """Ids as the log has them: where those are numbers, 7.0 is 7."""
    if known.ids.dtype != pl.Int64 or not (ids.dtype == pl.String or ids.dtype.is_float()):
        return ids
    return ids.cast(pl.String).str.replace(r"^(-?\d+)\.0+$", "${1}")


def _of_table(path: Path, known: IdMap, role: str) -> pl.Series:
    rows = open_table(path, header=False, separator=None if path.suffix == ".csv" else "\t").rows
    text = open_table(path, separator="," if len(rows[0]) == 1 else None, header=_names(rows, known, role))
    columns = text.columns()
    frame, _ = text.collect([pl.col(_column(columns, role))])
    return in_memory(frame).to_series().str.strip_chars()


def _names(rows: object, known: IdMap, role: str) -> bool:
    """Whether the first row of a table names its columns."""
    cells = [[str(cell).strip().strip('"') for cell in row] for row in rows]  # type: ignore[attr-defined]
    first = cells[0][0]
    if any(plain(cell) in (*KNOWN[role], "id") for cell in cells[0]) and not _is_known(first, known):
        return True
    return not _is_known(first, known) and is_header(cells, by_position=False) and kind_of(first) == "text"


def _of_lines(path: Path, known: IdMap, role: str) -> pl.Series:
    first_lines(path)
    ids = read_lines(path, path.name).drop_nulls()
    named = plain(str(ids[0])) in (*KNOWN[role], "id") and not _is_known(str(ids[0]), known)
    return ids[1:] if named else ids


def _column(columns: list[str], role: str) -> str:
    for words in (KNOWN[role], ("id", f"{role}s")):
        if found := [name for name in columns if plain(name) in words]:
            return found[0]
    return columns[0]


def _is_known(cell: str, known: IdMap) -> bool:
    return bool(known.positions([cell], unknown="mark")[0] >= 0)
