"""Tables without names: what each column holds, whether the first line is a header, and which column has which role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from recodiff.data.readers.columns import KNOWN, Given, plain
from recodiff.data.readers.missing import is_mark
from recodiff.errors import DataError

Kind = Literal["text", "number", "decimal", "time", "empty"]
_DATES = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:[T ].*)?$|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) .*\d"
)
"""Dates as people and programs write them; not all of these can be read, but they are times."""
_DIGITS = re.compile(
    r"(?:199\d|20[0-3]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\d{3})?)?)?(?:\.0*)?$"
)
"""Dates in digits alone, such as 20190401, to the day, the minute, the second or the millisecond."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?$")
# 1990 to 2040: narrower than what a time may be, so that ids of nine digits or of ten are not taken for one.
_FROM, _UPTO = 631_152_000, 2_208_988_800
_MOST = 0.8
"""Share of a column's values that make it what it is."""
_USERS = re.compile(r"(?:u|usr|user|customer|member|visitor)[_-]?\d+$|A[0-9A-Z]{9,20}$", re.IGNORECASE)
"""Users of whom the id itself says so; the second form is Amazon's."""
_PRODUCTS = re.compile(r"(?:\d{9}[\dX]|B[0-9A-Z]{9})$")
HIGHEST_RATING = 10
_WIDEST = 40
_LEAST_COUNTED = 3
"""Rows from which on 0, 1, 2 ... in the first column may be an index."""
_LEAST_WORDS, _EACH_WORD = 20, 10
"""Rows from which on a column may be one of few words, and how often each has to come."""
_CODES = 10_000
"""No count or rating has all its values from here on; categories and other codes have."""
_BEHAVIOURS = frozenset(("pv", "buy", "cart", "fav"))
"""What happened, in the logs that Taobao published."""


@dataclass(frozen=True)
class Column:
    """The common form of a sample of a column's values.

    Args:
        place: its position.
        kind: a decimal has a point somewhere, and is no id.
        example: the first value that is of this kind.
        values: the sample, without what is missing.
    """

    place: int
    kind: Kind
    example: str
    values: Sequence[str]

    def all_match(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether every value has this form.

        Args:
            pattern: of the whole value's beginning.
        """
        return bool(self.values) and all(pattern.match(value) for value in self.values)

    def is_scale(self) -> bool:
        """Tell whether the values may be ratings: whole numbers up to 10."""
        return self.kind == "number" and all(abs(float(value)) <= HIGHEST_RATING for value in self.values if _NUMBER.match(value))

    def counts_rows(self) -> bool:
        """Tell whether the values are whole numbers, each one more than the one before, from 0 or 1 on."""
        start = {"0": 0, "1": 1}.get(self.values[0] if self.values else "")
        if start is None or len(self.values) < _LEAST_COUNTED:
            return False
        return all(value == str(start + row) for row, value in enumerate(self.values))

    def is_few_words(self) -> bool:
        """Tell whether the values are some words that come again and again, such as what happened; not users in their order."""
        words = len(set(self.values))
        if self.kind != "text" or len(self.values) < max(_LEAST_WORDS, _EACH_WORD * words) or self.all_match(_USERS):
            return False
        runs = 1 + sum(one != other for one, other in pairwise(self.values))
        return words == 1 or runs > words

    def is_code(self) -> bool:
        """Tell whether the values are whole numbers that are too large to be counts."""
        return self.kind == "number" and all(float(value) >= _CODES for value in self.values if _NUMBER.match(value))

    def is_coordinate(self) -> bool:
        """Tell whether the values may be a latitude or longitude: decimals of some precision."""
        within = self.kind == "decimal" and all(abs(float(value)) <= 180 for value in self.values if _NUMBER.match(value))
        return within and any(len(value.partition(".")[2]) >= 3 for value in self.values)


def kind_of(value: str) -> Kind:
    """The kind of one value by itself.

    Args:
        value: a cell's text.
    """
    value = value.strip()
    if is_mark(value):
        return "empty"
    if _DATES.match(value) or _DIGITS.match(value):
        return "time"
    if not _NUMBER.match(value):
        return "text"
    whole = value.isdigit()
    if not (whole and value.startswith("0")) and any(_FROM <= float(value) / per < _UPTO for per in (1, 10**3, 10**6, 10**9)):
        return "time"
    return "number" if whole or value.lstrip("+-").isdigit() else "decimal"


def columns_of(rows: Sequence[Sequence[str]]) -> list[Column]:
    """The columns of some rows, as wide as the first.

    Args:
        rows: at least one.
    """
    return [_column(place, [row[place].strip() for row in rows if place < len(row)]) for place in range(len(rows[0]))]


def _column(place: int, values: Sequence[str]) -> Column:
    present = [value for value in values if kind_of(value) != "empty"]
    kinds = [kind_of(value) for value in present]
    if not present:
        return Column(place, "empty", "", [])
    enough = _MOST * len(present)
    kind: Kind = "text"
    if kinds.count("time") >= enough:
        kind = "time"
    elif len(present) - kinds.count("text") >= enough:
        # 7.0 is an id that was held as a float, and 5.0 a rating.
        numbers = [value for value, each in zip(present, kinds, strict=True) if each != "text"]
        floats = all(_WHOLE.match(value) for value in numbers) and max(float(value) for value in numbers) > HIGHEST_RATING
        kind = "number" if "decimal" not in kinds or floats else "decimal"
    example = next((value for value, each in zip(present, kinds, strict=True) if each == kind), present[0])
    return Column(place, kind, example[:_WIDEST], present)


def is_header(rows: Sequence[Sequence[str]], *, by_position: bool) -> bool:
    """Tell whether the first of some rows names the columns: it is compared with the others.

    Args:
        rows: at least one.
        by_position: the caller named columns by position, so that names are not needed.
    """
    first, rest = [kind_of(value) for value in rows[0]], rows[1:]
    named = {role for role, names in KNOWN.items() for value in rows[0] if plain(value) in names}
    if len(named - {"title"}) >= 2:
        return True
    if not rest:
        return bool(named) or not {"number", "decimal", "time"} & set(first)
    below = [column.kind for column in columns_of([rows[0], *rest])]
    if counts_columns(rows[0]):
        return any(kind in ("text", "decimal", "time") for kind in (column.kind for column in columns_of(rest)))
    below = [column.kind for column in columns_of(rest)] if len(rest[0]) >= len(first) else below
    numeric = ("number", "decimal", "time")
    if any(own in numeric and kind in numeric for own, kind in zip(first, below, strict=False)) and not named:
        return False
    if any(own == "text" and kind in numeric for own, kind in zip(first, below, strict=False)):
        return True
    if any(own in numeric for own in first) and not named:
        return False
    return bool(named) or not by_position


def counts_columns(names: Sequence[str]) -> bool:
    """Tell whether names are 0, 1, 2 ..., as pandas writes them where columns have none.

    Args:
        names: of columns, or what stands in a first line.
    """
    return len(names) > 1 and list(names) == [str(place) for place in range(len(names))]


def by_place(rows: Sequence[Sequence[str]], given: Given, source: str, *, counts_time: bool = False) -> dict[str, int]:
    """Role -> position, by what the columns hold.

    Two columns of ids are user and item, in this order unless their ids say otherwise; what remains is a time where it looks
    like one, and a weight where it is a single number.

    Args:
        rows: the first rows.
        given: role -> position, False if there is none, or None to recognise it.
        source: what messages call the table.
        counts_time: the caller says what a time counts, so that small numbers may be one.

    Raises:
        DataError: two readings are plausible, or none.
    """
    columns = columns_of(rows)
    roles = {role: int(place) for role, place in given.items() if place is not None and place is not False}
    for role, place in roles.items():
        if not 0 <= place < len(columns):
            last = len(columns) - 1
            raise DataError(
                f"{source} has no column at position {place} for the {role}; its {len(columns)} columns are 0 to {last}"
            )
    for missing, other in (("item", "user"), ("user", "item")):
        if missing not in roles and other in roles:
            raise DataError(
                f"{source} has no header and no column that is clearly the {missing}; give its position too, with "
                f"{missing}= (--{missing}-column), the first is 0"
            )
    said = "user" in roles
    free = [column for column in columns if column.place not in roles.values()]
    if not said and _is_taobao(columns):
        roles |= {"user": 0, "item": 1}
        free = columns[4:]
    elif not said:
        if len(free) > 2 and free[0].place == 0 and free[0].counts_rows():
            why = f"column 0 counts the rows ({free[0].values[0]}, {free[0].values[1]}, ...), so it may be an index and no user"
            raise _ask(source, len(columns), why)
        roles |= _pair(free, source, len(columns))
        free = [column for column in free if column.place not in roles.values()]
    wanted = [role for role in ("weight", "time") if role in given and given[role] is None]
    return roles | _rest(free, wanted, source, len(columns), said=said, counts_time=counts_time)


def _ask(source: str, width: int, why: str) -> DataError:
    return DataError(
        f"{source} has no header and {width} columns; say which is which by position, the first is 0, as in user=0, item=1, time=2 "
        f"(--user-column 0 --item-column 1 --time-column 2): {why}"
    )


def _is_taobao(columns: Sequence[Column]) -> bool:
    """Whether the columns are user, item, category, what happened and when, as in Taobao's published logs."""
    return [column.kind for column in columns] == ["number", "number", "number", "text", "time"] and _BEHAVIOURS.issuperset(
        columns[3].values
    )


def _pair(free: Sequence[Column], source: str, width: int) -> dict[str, int]:
    """The user and the item among columns without names."""
    ids = [column for column in free if column.kind in ("number", "text")]
    if len(free) < 2:
        raise _ask(source, width, "a user and an item are needed")
    more = [column for column in free[2:] if column.kind in ("number", "text") and not (column.is_scale() or column.is_few_words())]
    if words := [column for column in free[:2] if more and column.is_few_words()]:
        why = f"column {words[0].place} holds few words ({words[0].example!r} for one), so it may say what happened and be no item"
        raise _ask(source, width, why)
    for user, item in ((free[0], free[1]), (free[1], free[0])):
        is_user = user.all_match(_USERS) and not user.all_match(_PRODUCTS)
        if is_user and item.kind in ("number", "text") and not item.all_match(_USERS):
            return {"user": user.place, "item": item.place}
    between = len(ids) == 2 and free[0] is ids[0] and ids[1] is not free[1]
    if between and not ids[1].is_scale() and _times_and_coordinates(free, ids):
        return {"user": ids[0].place, "item": ids[1].place}
    for column, role in zip(free, ("user", "item"), strict=False):
        if column.kind not in ("number", "text"):
            looks = {"time": f"looks like a time and is no {role}", "empty": "is empty"}.get(column.kind, f"is no {role}")
            raise _ask(source, width, f"column {column.place} holds {column.example!r}, which {looks}")
    if free[0].kind == free[1].kind == "text":
        both = f"columns {free[0].place} ({free[0].example!r}) and {free[1].place} ({free[1].example!r})"
        raise _ask(source, width, f"which of {both} is the user is not clear")
    return {"user": free[0].place, "item": free[1].place}


def _times_and_coordinates(free: Sequence[Column], ids: Sequence[Column]) -> bool:
    """Whether one column is a time and the others, where there are any, the two of a place on earth."""
    others = [column for column in free if column not in ids]
    spots = [column for column in others if column.kind != "time"]
    return len(others) - len(spots) == 1 and len(spots) in (0, 2) and all(column.is_coordinate() for column in spots)


def _rest(
    free: Sequence[Column], wanted: Sequence[str], source: str, width: int, *, said: bool, counts_time: bool
) -> dict[str, int]:
    """Weight and time among what remains; where the caller gave user and item, what is not clear stays unread."""
    times = [column for column in free if column.kind == "time"]
    spots = [column for column in free if column.is_coordinate()] if times else []
    numbers = [
        column for column in free if column.kind in ("number", "decimal") and column not in (spots if len(spots) == 2 else ())
    ]
    if not times and counts_time and len(numbers) == 2:
        times, numbers = [numbers[1]], numbers[:1]
    numbers = [column for column in numbers if not column.is_code()]
    for role, fitting in (("time", times), ("weight", numbers)):
        if len(fitting) > 1 and role in wanted and not said:
            each = " and ".join(f"{column.place} ({column.example})" for column in fitting[:3])
            looks = "look like times" if role == "time" else "hold numbers that are no time"
            raise _ask(source, width, f"columns {each} both {looks}")
    fits = {"time": times, "weight": numbers}
    return {role: fits[role][0].place for role in wanted if len(fits[role]) == 1}
