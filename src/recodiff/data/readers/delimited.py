"""Delimited text: CSV, TSV and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl

from recodiff.data.readers.columns import KNOWN, Raw, find_columns, labels_of, plain
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
        _check_columns(text, options)
        roles = find_columns(columns, options.given if text.header else _placed(text, options), path.name, in_lines=True)
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


def _check_columns(text: TextTable, options: Options) -> None:
    """Refuse what is no table of several columns, and a name that two columns have and one would be chosen by."""
    name, first = text.path.name, text.rows[0]
    if len(first) == 1:
        remedy = f"{options.separator!r} does not stand in it; give the right" if options.separator else "give the"
        raise DataError(
            f"{name} has one column ({first[0][:40]!r}), and a user and an item are needed; {remedy} separator (--separator)"
        )
    if first[0].startswith(("#", "%")) and len(text.rows) > 1 and len(text.rows[1]) != len(first):
        raise DataError(f"{name}: its first line ({first[0][:40]!r}) seems to be a comment and no row; remove such lines")
    twice = {each for each in first if first.count(each) > 1} if text.header else ()
    usual = {word for role, words in KNOWN.items() if role in options.given and options.given[role] is None for word in words}
    if odd := [each for each in first if each in twice and (each in options.given.values() or plain(each) in usual)]:
        raise DataError(
            f"{name} has two columns called {odd[0]!r}; give the position of the right one, the first is 0, or rename one"
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
