"""Delimited text: CSV, TSV and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import polars as pl

from recodiff.data.readers.columns import KNOWN, Raw, find_columns, labels_of, plain
from recodiff.data.readers.contents import WHOLE
from recodiff.data.readers.heads import Head, head_of
from recodiff.data.readers.parts import Piece, are_parts, pieces_in, says_parts
from recodiff.data.readers.places import Column, by_place, columns_of, counts_columns, kind_of
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.tables import height
from recodiff.data.readers.text_tables import TextTable, open_table
from recodiff.errors import DataError
from recodiff.runtime import files

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data")


class DelimitedText(Reader):
    """One interaction a line, fields between separators."""

    name = "table"
    streams = True
    quoted: ClassVar[bool | None] = None

    def recognise(self, path: Path) -> Sequence[Piece]:
        """Any file; of a folder its one text file, its pieces or its parts."""
        return pieces_in(path, ENDINGS) if path.is_dir() else [Piece(path)]

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """The columns that have a role, all values still text; a piece without names takes those of the others."""
        heads = [self._head(piece, options) for piece in pieces]
        lead = next((number for number, head in enumerate(heads) if head.header), 0)
        found = self._read(pieces[lead].path, options, heads[lead].header, None)
        like = found if len(pieces) > 1 else None
        read = [
            (
                found if number == lead else self._read(piece.path, options, _has_names(heads[number], heads[lead], options), like)
            ).raw
            for number, piece in enumerate(pieces)
        ]
        return Raw.joined(read, [piece.part for piece in pieces], pieces[0].path.name)

    def _quoted(self, options: Options) -> bool | None:
        return self.quoted if options.quotes is None else options.quotes

    def _head(self, piece: Piece, options: Options) -> Head:
        with files.reading(piece.path, DataError, WHOLE):
            return head_of(
                piece.path,
                separator=options.separator,
                header=options.header,
                encoding=options.encoding,
                quoted=self._quoted(options),
                by_position=options.by_position,
            )

    def _read(self, path: Path, options: Options, header: bool, like: _Read | None) -> _Read:
        with files.reading(path, DataError, WHOLE):
            text = open_table(
                path,
                separator=options.separator,
                header=header,
                encoding=options.encoding,
                quoted=self._quoted(options),
                copies=options.copies,
            )
            columns = text.columns()
            _check_columns(text, options)
            places = None if header or like is None else _places_of(like, text, options)
            return _Read(text, *_collected(text, columns, options, places, like))


class _Read(NamedTuple):
    """A file as it was read: its text, its table, and the positions of the roles."""

    text: TextTable
    raw: Raw
    places: Mapping[str, int]


def _collected(
    text: TextTable, columns: Sequence[str], options: Options, places: Mapping[str, int] | None, like: _Read | None
) -> tuple[Raw, dict[str, int]]:
    """The table, and the positions of its roles: those of another piece, by name, or by what the columns hold."""
    named = text.header and not (counts_columns(text.rows[0]) and len(text.rows) > 1 and not _names_one(options, columns))
    given = options.given if named else places or _placed(text, options)
    roles = find_columns(columns, given, text.path.name, in_lines=True)
    if named:
        _check_plausible(text, columns, roles, options)
    select = [pl.col(name).alias(role) for role, name in roles.items()]
    frame, dropped = text.collect(select, drop_long=options.on_bad_rows == "drop")
    rows = height(frame)
    names = roles if text.header else {role: f"{role} (column {columns.index(name)})" for role, name in roles.items()}
    unread = [name for name in columns if name not in roles.values()]
    shown = [*text.rows[text.header :], *text.late(unread)]
    raw = Raw(
        frame,
        text.path.name,
        names,
        lambda row: text.place(row, rows),
        is_text=True,
        dropped=dropped,
        labels=labels_of(columns, roles, named=text.header),
        unread=tuple(unread if text.header else (f"column {columns.index(name)}" for name in unread)),
        lines=rows + text.header + dropped,
        warnings=tuple(_parts_unread(text, columns, unread, shown)),
        moments=tuple(_moments(text, columns, unread, shown, options)),
        first_line=None if text.header or options.header is not None else text.separator.join(text.rows[0]),
    )
    if places is not None and like is not None:
        raw = replace(raw, labels=like.raw.labels, unread=like.raw.unread, first_line=None)
    return raw, {role: columns.index(name) for role, name in roles.items()}


def _names_one(options: Options, columns: Sequence[str]) -> bool:
    """Whether the caller names a user and an item among the columns."""
    return all(str(options.given.get(role)) in columns for role in ("user", "item"))


def _has_names(head: Head, lead: Head, options: Options) -> bool:
    """Whether a piece has names, as the piece that leads has; text alone may be a row like any other."""
    if options.header is not None or not head.header or head.rows[0] == lead.rows[0]:
        return head.header
    known = {word for role in KNOWN for word in KNOWN[role]}
    return any(plain(cell) in known for cell in head.rows[0]) or not _alike(columns_of(lead.below), columns_of(head.rows))


def _places_of(like: _Read, text: TextTable, options: Options) -> dict[str, int]:
    """The positions of the roles in a piece without names: those of another piece, with which it must agree."""
    theirs, own = like.text, columns_of(text.rows)
    rows = theirs.rows[theirs.header :]
    if rows and _alike(columns_of(rows), own):
        return dict(like.places)
    if not theirs.header:
        places = by_place(text.rows, options.given, text.path.name, counts_time=options.time_unit != "auto")
        if all(places.get(role) == place for role, place in like.places.items() if role in ("user", "item")):
            return places
    raise DataError(
        f"{text.path.name} has no header, and its columns are not like those of {theirs.path.name} ({_kinds(own)}, not "
        f"{_kinds(columns_of(rows)) if rows else 'known'}); give all files the same columns, and a header each"
    )


def _alike(first: Sequence[Column], other: Sequence[Column]) -> bool:
    """Whether columns may be the same ones: as many, and of kinds that can stand in one column."""
    numbers = ("number", "decimal")
    return len(first) == len(other) and all(
        "empty" in (one.kind, two.kind) or one.kind in (two.kind, "text") or (one.kind in numbers and two.kind in numbers)
        for one, two in zip(first, other, strict=True)
    )


def _kinds(columns: Sequence[Column]) -> str:
    return ", ".join(column.kind for column in columns)


def _parts_unread(text: TextTable, columns: Sequence[str], unread: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    values = {name: [row[place] for row in rows if place < len(row)] for place, name in enumerate(columns) if name in unread}
    return [says_parts(text.path.name, name if text.header else columns.index(name)) for name in values if are_parts(values[name])]


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
    rows = text.rows[text.header :]
    return by_place(rows, options.given, text.path.name, counts_time=options.time_unit != "auto")


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


def _moments(
    text: TextTable, columns: Sequence[str], unread: Sequence[str], rows: Sequence[Sequence[str]], options: Options
) -> list[str | int]:
    if options.given.get("time") is not None or not rows:
        return []
    times = [column.place for column in columns_of(rows) if column.kind == "time" and column.place < len(columns)]
    return [columns[place] if text.header else place for place in times if columns[place] in unread]
