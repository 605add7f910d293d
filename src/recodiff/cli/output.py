"""What commands print: tables for people, JSON for scripts, warnings on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from recodiff.data.readers.diffrec import RELEASE_FILES
from recodiff.data.saving import MANIFEST
from recodiff.errors import ConfigError
from recodiff.runtime import files
from recodiff.runtime.progress import printable, speaks

WIDE = 10_000
"""Columns of a file, which folds nothing."""
ROOM_FOR_ERRORS = 100
"""Columns from which on a mean and its error stand on one line."""


def say(text: str) -> None:
    """Print a line for people on standard error, so that standard output stays the command's answer.

    Args:
        text: one sentence; control characters in it become visible.
    """
    if speaks():
        Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True).print(printable(text))


def warn(text: str) -> None:
    """Print a warning on standard error.

    Args:
        text: one sentence, without a full stop.
    """
    say(f"warning: {text}")


def print_json(value: Any) -> None:
    """Print one JSON value on standard output.

    Args:
        value: anything that JSON holds.
    """
    if speaks():
        print(json.dumps(value, indent=2, ensure_ascii=False))


def print_line(text: str = "") -> None:
    """A line on standard output, between tables."""
    if speaks():
        print(printable(text))


def refuse_taken(out: Path, what: str) -> None:
    """Refuse to mix results with a model or with data.

    Args:
        out: the folder that was asked for.
        what: is to be written, in words.

    Raises:
        ConfigError: `out` is a model or a data folder.
    """
    from recodiff.models.saving import CONFIG  # brings torch, which `prepare` and `info` of data do without

    for marker in (CONFIG, MANIFEST, RELEASE_FILES["train"]):
        if (out / marker).exists():
            raise ConfigError(f"'{out}' is a model or data folder (it holds {marker}); write {what} to another folder")


class Estimate(NamedTuple):
    """A mean and its standard error, as one cell of a table."""

    mean: float
    error: float


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str | None = None,
    right: Collection[str] = (),
    widest: int | None = None,
) -> None:
    """A table on standard output. A file has nothing folded; on a narrow terminal rows become columns if these fit.

    Args:
        headers: one per column.
        rows: cells; numbers stand to the right.
        title: a line above.
        right: headers of further columns that stand to the right.
        widest: characters of a column, beyond which its text goes on below; as many as there are unless given.
    """
    rows = [list(row) for row in rows]
    if not speaks():
        return
    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(highlight=False, markup=False, emoji=False, width=WIDE if free else None)
    numeric = {header for column, header in enumerate(headers) if all(_is_number(row[column]) for row in rows)}
    cells = [[_text(cell, console.width) for cell in row] for row in rows]
    table = _table(headers, cells, numeric | set(right), widest)
    if _width(table, console) > console.width:
        turned = [[header, *column] for header, *column in zip(headers, *cells, strict=True)]
        upright = _table(turned[0], turned[1:], set(turned[0][1:]))
        table = upright if _width(upright, console) <= console.width else table
    if title:
        console.print(printable(title), style="bold")
    console.print(table)


def _table(headers: Sequence[str], cells: Iterable[Sequence[str]], right: Collection[str], widest: int | None = None) -> Table:
    table = Table(header_style="bold", pad_edge=False, box=None)
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold", max_width=widest)
    for row in cells:
        table.add_row(*row)
    return table


def _width(table: Table, console: Console) -> int:
    return Measurement.get(console, console.options.update(max_width=WIDE), table).maximum


def _is_number(cell: Any) -> bool:
    return cell is None or isinstance(cell, int | float | Estimate)


def _text(cell: Any, width: int) -> str:
    match cell:
        case None:
            return "-"
        case Estimate(mean, error):
            return f"{mean:.4f}{' ' if width >= ROOM_FOR_ERRORS else chr(10)}±{error:.4f}"
        case float():
            return f"{cell:.4f}"
        case _:
            return printable(str(cell))


def write_frame(frame: pl.DataFrame, path: Path, *, overwrite: bool) -> None:
    """Write a table in the format that the ending of its name says.

    Args:
        frame: the table.
        path: a file; its folder is made.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ConfigError: the ending is none of .parquet, .csv, .tsv, .jsonl, or the file is there and may not be replaced.
    """
    writers = {
        ".parquet": lambda partial: frame.write_parquet(partial),
        ".csv": lambda partial: frame.write_csv(partial),
        ".tsv": lambda partial: frame.write_csv(partial, separator="\t"),
        ".jsonl": lambda partial: frame.write_ndjson(partial),
    }
    if path.suffix not in writers:
        raise ConfigError(f"'{path}' ends in none of {', '.join(writers)}; choose one of these endings")
    if not speaks():
        return
    refuse_file(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace_with(path.resolve(), writers[path.suffix], (pl.exceptions.PolarsError,))


def refuse_file(path: Path, overwrite: bool) -> None:
    """Refuse a file that is there and may not be replaced: raises ConfigError.

    Args:
        path: of the file.
        overwrite: whether it may be replaced.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"'{path}' is no file, and is left alone; choose another name")
    if path.exists() and not overwrite:
        raise ConfigError(f"'{path}' is already there; choose another name, or say --overwrite")
