"""Delimited text: CSV, TSV and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl

from recodiff.data.readers.columns import Raw, find_columns, labels_of
from recodiff.data.readers.contents import WHOLE
from recodiff.data.readers.parts import Piece, pieces_in
from recodiff.data.readers.places import by_place, columns_of, kind_of
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.text_tables import TextTable, open_table
from recodiff.errors import DataError
from recodiff.runtime import files

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data")


class DelimitedText(Reader):
    """One interaction a line, fields between separators."""

    name = "table"
    quoted: ClassVar[bool | None] = None

    def recognise(self, path: Path) -> Sequence[Piece]:
        """Any file; of a folder its one text file, its pieces or its parts."""
        return pieces_in(path, ENDINGS) if path.is_dir() else [Piece(path)]

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """The columns that have a role, all values still text."""
        read = []
        for piece in pieces:
            with files.reading(piece.path, DataError, WHOLE):
                read.append(self._read(piece.path, options))
        return Raw.joined(read, [piece.part for piece in pieces], pieces[0].path.name)

    def _read(self, path: Path, options: Options) -> Raw:
        text = open_table(
            path,
            separator=options.separator,
            header=options.header,
            encoding=options.encoding,
            quoted=self.quoted if options.quotes is None else options.quotes,
            by_position=options.by_position,
        )
        columns = text.columns()
        roles = find_columns(columns, options.given if text.header else _placed(text, options), path.name)
        if text.header:
            _check_plausible(text, columns, roles, options)
        select = [pl.col(name).alias(role) for role, name in roles.items()]
        frame, dropped = text.collect(select, drop_long=options.on_bad_rows == "drop")
        names = roles if text.header else {role: f"{role} (column {columns.index(name)})" for role, name in roles.items()}
        unread = [name for name in columns if name not in roles.values()]
        return Raw(
            frame,
            path.name,
            names,
            lambda row: text.place(row, frame.height),
            is_text=True,
            dropped=dropped,
            labels=labels_of(columns, roles, named=text.header),
            unread=tuple(unread if text.header else (f"column {columns.index(name)}" for name in unread)),
            lines=frame.height + text.header + dropped,
            moments=tuple(_moments(text, columns, roles, options)),
        )


def _placed(text: TextTable, options: Options) -> dict[str, int]:
    named = [wanted for wanted in options.given.values() if isinstance(wanted, str) and not wanted.isdigit()]
    if named:
        raise DataError(
            f"{text.path.name} has no header, so no column is called {named[0]!r}; give positions, the first is 0, or header=True "
            "(--header) if its first line names them"
        )
    return by_place(text.rows, options.given, text.path.name, counts_time=options.time_unit != "auto")


def _check_plausible(text: TextTable, columns: Sequence[str], roles: dict[str, str], options: Options) -> None:
    """Refuse a measure or a moment as an id that the caller did not name."""
    sample = columns_of(text.rows[1:]) if len(text.rows) > 1 else []
    for role in ("user", "item"):
        place = columns.index(roles[role])
        if options.given.get(role) is not None or place >= len(sample):
            continue
        column = sample[place]
        fraction = column.kind == "decimal" and any(float(value) % 1 for value in column.values if kind_of(value) == "decimal")
        moment = column.kind == "time" and not column.example.isdigit()
        if fraction or moment:
            raise DataError(
                f"{text.path.name}: column {roles[role]!r} holds {column.example!r}, which is no {role}; name the right one with "
                f"{role}= (--{role}-column)"
            )


def _moments(text: TextTable, columns: Sequence[str], roles: dict[str, str], options: Options) -> list[str | int]:
    if options.given.get("time") is not None:
        return []
    sample = columns_of(text.rows[text.header :]) if len(text.rows) > text.header else []
    times = [column.place for column in sample if column.kind == "time" and column.place < len(columns)]
    unread = [place for place in times if columns[place] not in roles.values()]
    return [columns[place] if text.header else place for place in unread]
