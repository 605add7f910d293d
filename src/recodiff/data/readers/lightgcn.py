"""LightGCN's text: a user and then its items on each line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.lines import first_lines, read_lines
from recodiff.data.readers.parts import Piece, ending, pieces_in, stem
from recodiff.data.readers.places import HIGHEST_RATING, columns_of
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.values import PART_WORDS
from recodiff.errors import DataError

_LINE = r"^\d{1,18}( +\d{1,18})*$"
_LABELS = {"user": "the first number of each line", "item": "the other numbers of each line"}


class LightGCNLines(Reader):
    """Lines of `user item item ...`, whatever the file is called; several files are parts."""

    name = "lightgcn"

    def recognise(self, path: Path) -> Sequence[Piece]:
        """A text of such lines, or the one or the parts of a folder; what may as well be a table of ratings is asked for."""
        pieces = [piece for piece in self.candidates(path) if ending(piece.path) == ".txt"]
        looks = {_looks(piece.path) for piece in pieces}
        if not pieces or "table" in looks or not looks & {"lists", "either"}:
            return []
        if "lists" not in looks:
            if pieces[0].part is None and stem(pieces[0].path) not in PART_WORDS:
                return []
            raise DataError(
                f"{pieces[0].path.name} may hold `user item item` (LightGCN) or `user item rating` on each line; say which with "
                "format='lightgcn' or format='table' (--format)"
            )
        return pieces

    def candidates(self, path: Path) -> Sequence[Piece]:
        """A file itself; the one text or the parts of a folder."""
        return pieces_in(path, (".txt",)) if path.is_dir() else [Piece(path)]

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """The columns `user`, `item`, and `part` where there are several files.

        The order of a line is that of time where the caller says so.

        Raises:
            DataError: a line holds anything but whole numbers from 0 on.
        """
        frames, count = [], 0
        for path, part in pieces:
            lines = read_lines(path, path.name)
            count += len(lines)
            _check(lines, path.name)
            numbers = lines.drop_nulls().str.replace_all(" +", " ").str.split(" ").cast(pl.List(pl.Int64))
            pairs = pl.DataFrame({"user": numbers.list.first(), "item": numbers.list.slice(1)}).explode("item").drop_nulls()
            frames.append(pairs if part is None else pairs.with_columns(part=pl.lit(part)))
        labels = _LABELS if pieces[0].part is None else _LABELS | {"part": "the names of the files"}
        return Raw.clean(pl.concat(frames), pieces[0].path.name, labels, lines=count)


def _looks(path: Path) -> str:
    """What a text seems to be: lists, a table, or either."""
    lines = [line.strip() for line in first_lines(path)]
    if not all(re.match(_LINE, line) for line in lines):
        # Lines that are no lists among as many that are, in a file of that name, are malformed.
        named = stem(path) in PART_WORDS and 2 * sum(bool(re.match(_LINE, line)) for line in lines) >= len(lines)
        return "lists" if named else "table"
    rows = [line.split() for line in lines]
    widths, users = {len(row) for row in rows}, [row[0] for row in rows]
    once = len(set(users)) == len(users)
    if len(widths) > 1 or max(widths) > 4:
        return "lists" if once else "table"
    columns = columns_of(rows)
    if not once or any(column.kind == "time" for column in columns[2:]):
        return "table"
    if widths == {2} or widths == {1}:
        return "same"
    if widths == {4}:
        return "lists"
    top = [max(int(value) for value in column.values) for column in columns[1:]]
    return "table" if top[1] <= HIGHEST_RATING < top[0] else "either"


def _check(lines: pl.Series, name: str) -> None:
    bad = ~lines.str.contains(_LINE).fill_null(True)
    if bad.any():
        line = int(bad.arg_max() or 0)
        raise DataError(
            f"{name}, line {line + 1}: {lines[line][:60]!r} is not LightGCN's `user item item ...` in whole numbers; "
            "mend the line, or say format='table' if it is a table"
        )
