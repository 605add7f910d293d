"""Which column is the user, the item, the weight and the time, and what the values in them mean."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.data.readers.tables import LogTable, height, in_memory, names_in, streams, type_of
from recodiff.errors import DataError
from recodiff.moved import old_names

BadRows = Literal["refuse", "drop"]
Given = Mapping[str, str | int | None]

# Lower case without punctuation. The first name of a role wins over the others; two of the others are ambiguous.
KNOWN: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "uid", "customer", "customerid", "visitorid", "memberid", "reviewerid", "accountid", "personid"),
    "item": (
        *("item", "itemid", "iid", "movie", "movieid", "product", "productid", "stockcode", "sku", "asin", "article", "articleid"),
        *("trackid", "songid", "artistid", "bookid", "isbn", "businessid", "contentid", "newsid", "gameid", "videoid", "poiid"),
        *("parentasin", "items"),
    ),
    "weight": ("weight", "rating", "count", "quantity", "score", "stars", "plays", "playcount", "listens", "clicks", "overall"),
    "time": (
        *("time", "timestamp", "ts", "datetime", "date", "unixtime", "unixtimestamp", "unixreviewtime", "eventtime"),
        *("invoicedate", "createdat", "created", "ratedat", "watchedat"),
    ),
    "title": ("title", "itemtitle", "movietitle", "booktitle", "producttitle", "name", "itemname", "productname", "description"),
}
HOW_TO_DROP = "drop malformed rows with on_bad_rows='drop' (--drop-bad-rows)"


@dataclass(frozen=True)
class Raw:
    """A table as it was found, its columns already named by role, its values not yet judged.

    Args:
        frame: columns `user`, `item`, and `weight`, `time`, `part` as present; `item` may hold lists.
        source: what messages call the table.
        names: role -> the column's own name, for messages.
        place: row -> where it stands, such as "line 5".
        is_text: values come from a text file, so blank rows mean nothing and ids may be numbers in disguise.
        dropped: malformed lines that are already left out.
        time_kind: what `time` is, where the format says so.
        labels: role -> where its values come from, such as "column 3 'ts'".
        unread: columns and files that no role uses.
        lines: lines of the files, headers included; None where a file has no lines.
        warnings: what is strange but was read.
        moments: unread columns that look like times, by name or position; none where the caller chose a time.
        empty: rows whose list of items is empty, and which are left out.
        first_line: the first line of a text that is taken to have no header.
    """

    frame: LogTable
    source: str
    names: Mapping[str, str]
    place: Callable[[int], str]
    is_text: bool
    dropped: int = 0
    time_kind: TimeKind | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    lines: int | None = None
    warnings: tuple[str, ...] = ()
    moments: tuple[str | int, ...] = ()
    empty: int = 0
    first_line: str | None = None

    @classmethod
    def clean(
        cls,
        frame: pl.DataFrame,
        source: str,
        labels: Mapping[str, str],
        *,
        time_kind: TimeKind | None = None,
        lines: int | None = None,
    ) -> Raw:
        """A table of whole numbers in which nothing is missing.

        Args:
            frame: columns by role.
            source: what messages call the table.
            labels: role -> where its values come from.
            time_kind: what `time` is, if there is one.
            lines: lines of the files.
        """
        names = {name: name for name in frame.columns}
        return cls(frame, source, names, lambda row: f"row {row}", is_text=False, time_kind=time_kind, labels=labels, lines=lines)

    def refuse_lists(self) -> None:
        """Refuse lists of items in a table that streams.

        Raises:
            DataError: the table streams.
        """
        if streams(self.frame):
            raise DataError(
                f"{self.source}: column {self.names['item']!r} holds lists of items, which are not read within a bound; "
                "write a row an item, or prepare without memory= (--memory)"
            )

    def exploded(self) -> Raw:
        """The table with one row an item where items come as lists; `basket` is then the row that an item stood in."""
        if not isinstance(type_of(self.frame, "item"), pl.List | pl.Array):
            return self
        self.refuse_lists()
        frame = in_memory(self.frame).with_row_index("basket").with_columns(pl.col("basket").cast(pl.Int64))
        frame = frame.with_columns(pl.col("item").arr.to_list()) if isinstance(frame["item"].dtype, pl.Array) else frame
        full = frame.filter((pl.col("item").list.len() > 0).fill_null(True))
        empty, frame = frame.height - full.height, full.explode("item")
        rows = frame["basket"]
        return replace(self, frame=frame, empty=empty, place=lambda row: self.place(int(rows[row])))

    @staticmethod
    def joined(pieces: Sequence[Raw], parts: Sequence[str | None], source: str) -> Raw:
        """Several tables as one, with the part that each is, if it is one.

        Args:
            pieces: at least one, in order.
            parts: the part of each, or None.
            source: what messages call the whole.

        Raises:
            DataError: the pieces differ in their roles, or in types that cannot stand in one column.
        """
        first = pieces[0]
        for piece in pieces[1:]:
            if set(piece.names) != set(first.names):
                raise DataError(
                    f"{source}: {first.source} has {', '.join(first.names)}, and {piece.source} has {', '.join(piece.names)}; "
                    "give all files the same columns, or leave the rest out, for example weight=False"
                )
        frames: list[Any] = [piece.frame.select(names_in(first.frame)) for piece in pieces]
        if any(part is not None for part in parts):
            frames = [frame.with_columns(part=pl.lit(part)) for frame, part in zip(frames, parts, strict=True)]
        starts = [0, *accumulate(height(frame) for frame in frames)]

        def place(row: int) -> str:
            number = bisect_right(starts, row) - 1
            where = pieces[number].place(row - starts[number])
            return where if len(pieces) == 1 else f"{pieces[number].source}, {where}"

        try:
            frame: LogTable = pl.concat(frames, how="vertical_relaxed") if len(frames) > 1 else frames[0]
            columns = names_in(frame)
        except pl.exceptions.PolarsError as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"{source}: its files differ in the types of their columns ({reason}); give all the same") from None
        lines = [piece.lines for piece in pieces if piece.lines is not None]
        by_file = {"part": "the names of the files"} if "part" in columns and "part" not in first.names else {}
        if "time" not in first.names and len(pieces) > 1:
            by_file["time"] = in_files([piece.source for piece in pieces])
        return replace(
            first,
            frame=frame,
            source=source,
            place=place,
            dropped=sum(piece.dropped for piece in pieces),
            labels={**first.labels, **by_file},
            lines=sum(lines) if lines else None,
            warnings=tuple(dict.fromkeys(warning for piece in pieces for warning in piece.warnings)),
            moments=tuple(dict.fromkeys(moment for piece in pieces for moment in piece.moments)),
        )


def in_files(names: Sequence[str]) -> str:
    """The place that a time comes from which is the order of rows in several files.

    Args:
        names: of the files, in their order.
    """
    return f"the order of rows in {', '.join(names[:3])}" + (f" .. {names[-1]}" if len(names) > 3 else "")


def labels_of(columns: Sequence[str], roles: Mapping[str, str], *, named: bool = True) -> dict[str, str]:
    """Role -> where its values come from, in words.

    Args:
        columns: the table's columns.
        roles: role -> column.
        named: whether the columns have names of their own.
    """
    places = {role: list(columns).index(column) for role, column in roles.items()}
    return {role: f"column {place}" + (f" '{columns[place]}'" if named else "") for role, place in places.items()}


def looks_like_time(source: str, name: str | int) -> str:
    """The warning that an unread column holds times.

    Args:
        source: how the table is called.
        name: of the column.
    """
    shown = repr(name) if isinstance(name, str) else name
    return f"{source}: column {shown} looks like a time and is not used; use it with time={shown} (--time-column {name})"


def plain(name: str) -> str:
    """A column's name without case, punctuation and RecBole's `:type`.

    Args:
        name: as the table has it.
    """
    return "".join(letter for letter in name.split(":")[0].lower() if letter.isalnum())


def find_columns(columns: Sequence[str], given: Given, source: str, *, in_lines: bool = False) -> dict[str, str]:
    """Role -> column, from what was given and otherwise from the usual names.

    Args:
        columns: the table's column names.
        given: role -> name or position (0-based) of its column, False if it has none, or None to detect it.
        source: what messages call the table.
        in_lines: the names are the first line of a text, which may be data.

    Raises:
        DataError: a given column is absent, user or item is not clear, or a role fits two columns.
    """
    found = {
        role: _given(columns, role, wanted, source) for role, wanted in given.items() if wanted is not None and wanted is not False
    }
    # A table of titles has no user, and no option that names its columns.
    remedy = "name it with {0}= (--{0}-column)" if "user" in given else "rename its column to '{0}'"
    for role in [role for role, wanted in given.items() if wanted is None]:
        guess = _guess([name for name in columns if name not in found.values()], role)
        if len(guess) > 1 and role != "title":
            raise DataError(f"{source}: {_listed(guess)} could each be the {role}; {remedy.format(role)}")
        if guess:
            found[role] = guess[0]
    for role in ("user", "item"):
        if role in given and role not in found:
            raise DataError(
                f"{source} has no column that is clearly the {role}: it has {_listed(columns)}; {remedy.format(role)}"
                + (", or give positions and header=False (--no-header) if its first line is data" if in_lines else "")
            )
    twice = [name for name in found.values() if list(found.values()).count(name) > 1]
    if twice:
        raise DataError(f"{source}: column {twice[0]!r} was named for two of {', '.join(found)}; give each its own")
    return found


def _given(columns: Sequence[str], role: str, wanted: str | int, source: str) -> str:
    if isinstance(wanted, str) and wanted in columns:
        return wanted
    if isinstance(wanted, int) or wanted.isdigit():
        if 0 <= int(wanted) < len(columns):
            return columns[int(wanted)]
        raise DataError(
            f"{source} has no column at position {wanted} for the {role}; its {len(columns)} columns are 0 to {len(columns) - 1}"
        )
    raise DataError(f"{source} has no column {wanted!r} for the {role}; it has {_listed(columns)}")


def _guess(columns: Sequence[str], role: str) -> list[str]:
    """The columns that a role fits, the likeliest first; one of its very name leaves no other."""
    names = KNOWN[role]
    fitting = sorted((name for name in columns if plain(name) in names), key=lambda name: names.index(plain(name)))
    return [name for name in fitting if plain(name) == names[0]] or fitting


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in columns[:12]) + (", ..." if len(columns) > 12 else "")


__getattr__ = old_names(__name__)
