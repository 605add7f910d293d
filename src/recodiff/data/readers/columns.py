"""Which column is the user, the item, the weight and the time, and what the values in them mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.errors import ConfigError, DataError

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "order"]
BadRows = Literal["refuse", "drop"]
Given = Mapping[str, str | int | None]

# Lower case without punctuation. The first name of a role wins over the others; two of the others are ambiguous.
KNOWN: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "uid", "customer", "customerid", "visitorid", "memberid", "reviewerid", "accountid", "personid"),
    "item": (
        *("item", "itemid", "iid", "movie", "movieid", "product", "productid", "stockcode", "sku", "asin", "article", "articleid"),
        *("trackid", "songid", "artistid", "bookid", "isbn", "businessid", "contentid", "newsid", "gameid", "videoid", "poiid"),
    ),
    "weight": ("weight", "rating", "count", "quantity", "score", "stars", "plays", "playcount", "listens", "clicks", "overall"),
    "time": (
        *("time", "timestamp", "ts", "datetime", "date", "unixtime", "unixtimestamp", "unixreviewtime", "eventtime"),
        *("invoicedate", "createdat", "created", "ratedat", "watchedat"),
    ),
    "title": ("title", "itemtitle", "movietitle", "booktitle", "producttitle", "name", "itemname", "productname", "description"),
}
HOW_TO_DROP = "drop malformed rows with on_bad_rows='drop' (--drop-bad-rows)"
_EXPECTED = {"weight": "a finite number", "time": "a time (a number, or ISO text such as 2024-05-01 12:30:00)"}
_INTEGER = r"^(?:0|-?[1-9][0-9]{0,18})$"
_ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Raw:
    """A table as it was found, its columns already named by role, its values not yet judged.

    Args:
        frame: columns `user`, `item`, and `weight`, `time` as present.
        source: what messages call the table.
        names: role -> the column's own name, for messages.
        place: row -> where it stands, such as "line 5".
        is_text: values come from a text file, so blank rows mean nothing and ids may be numbers in disguise.
        dropped: malformed lines that are already left out.
        time_kind: what `time` is, where the format says so.
    """

    frame: pl.DataFrame
    source: str
    names: Mapping[str, str]
    place: Callable[[int], str]
    is_text: bool
    dropped: int = 0
    time_kind: TimeKind | None = None

    @classmethod
    def clean(cls, frame: pl.DataFrame, source: str, time_kind: TimeKind | None = None) -> Raw:
        """A table of whole numbers in which nothing is missing.

        Args:
            frame: columns by role.
            source: what messages call the table.
            time_kind: what `time` is, if there is one.
        """
        names = {name: name for name in frame.columns}
        return cls(frame, source, names, lambda row: f"row {row}", is_text=False, time_kind=time_kind)


def plain(name: str) -> str:
    """A column's name without case, punctuation and RecBole's `:type`."""
    return "".join(letter for letter in name.split(":")[0].lower() if letter.isalnum())


def find_columns(columns: Sequence[str], given: Given, source: str) -> dict[str, str]:
    """Role -> column, from what was given and otherwise from the usual names.

    Args:
        columns: the table's column names.
        given: role -> name or position (0-based) of its column, False if it has none, or None to detect it.
        source: what messages call the table.

    Raises:
        DataError: a given column is absent, user or item cannot be told, or a role fits two columns.
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
                f"{source} has no column that is clearly the {role}: it has {_listed(columns)}; {remedy.format(role)}, or give "
                "positions and header=False if its first line is data"
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


def convert(raw: Raw, time_unit: TimeUnit, on_bad_rows: BadRows) -> tuple[pl.DataFrame, TimeKind | None, dict[str, int]]:
    """Values of the right types: ids Int64 or String, weights Float32, times Int64 seconds; and what was dropped.

    Rows keep the log's order, unless its clock is finer than a second: then they stand in time order, which whole seconds
    no longer tell.

    Args:
        raw: the table as found.
        time_unit: what a number in the time column counts; `order` means that only the sequence counts.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them.

    Raises:
        DataError: a row is malformed and `on_bad_rows` is `refuse`, or a column is of a type that cannot serve.
    """
    if on_bad_rows not in ("refuse", "drop") or time_unit not in ("auto", "order", *_PER_SECOND):
        raise ConfigError(
            f"on_bad_rows={on_bad_rows!r} or time_unit={time_unit!r} is unknown: refuse or drop; auto, s, ms, us, ns or order"
        )
    # Polars reads an empty line as a row of nulls; it stays until the end so that row numbers remain line numbers.
    blank = raw.frame.select(pl.all_horizontal(pl.all().is_null()) & raw.is_text).to_series()
    bad = pl.repeat(False, raw.frame.height, eager=True)
    columns: dict[str, pl.Series] = {}
    unit = raw.time_kind if raw.time_kind == "order" else time_unit
    for role in raw.frame.columns:
        try:
            parsed = _parsed(role, raw.frame[role], unit, raw.is_text)
        except TypeError as error:
            raise DataError(f"{raw.source}: column {raw.names[role]!r} {error}") from None
        wrong = parsed[role].is_null() & ~blank
        if on_bad_rows == "refuse" and wrong.any():
            raise DataError(_complaint(raw, role, wrong))
        bad |= wrong
        columns |= parsed
    frame = pl.DataFrame(columns).filter(~(bad | blank)) if (bad | blank).any() else pl.DataFrame(columns)
    if "fine" in columns:
        frame = frame.sort("fine", maintain_order=True).drop("fine")
    kind: TimeKind | None = None if "time" not in columns else "order" if unit == "order" else "clock"
    counts = {"malformed rows": int(bad.sum()) + raw.dropped, "blank lines": int(blank.sum())}
    return frame, kind, {why: n for why, n in counts.items() if n}


def _parsed(role: str, values: pl.Series, unit: TimeUnit, is_text: bool) -> dict[str, pl.Series]:
    if role == "time":
        seconds, fine = parse_time(values, unit)
        return {role: seconds} if fine is None else {role: seconds, "fine": fine}
    if role == "part":
        return {role: values}
    return {role: parse_weight(values) if role == "weight" else parse_ids(values, decide=is_text)}


def _complaint(raw: Raw, role: str, wrong: pl.Series) -> str:
    row = int(wrong.arg_max() or 0)
    value = raw.frame[role][row]
    fault = (
        "is missing (empty or NaN)" if value in (None, "") else f"is {value!r}, not {_EXPECTED.get(role, 'a whole number or text')}"
    )
    more = f" (and {wrong.sum() - 1} more like it)" if wrong.sum() > 1 else ""
    return f"{raw.source}, {raw.place(row)}: {raw.names[role]} {fault}{more}; mend the row, or {HOW_TO_DROP}"


def parse_ids(values: pl.Series, *, decide: bool) -> pl.Series:
    """Ids as Int64 or String; null where an id is missing or a number is not whole.

    Args:
        values: ids as found; whole floats are numbers, as pandas makes them where a column has gaps.
        decide: text becomes numbers where all of it is plain whole numbers; one `007` keeps all of it text.

    Raises:
        TypeError: the column holds neither numbers nor text.
    """
    kind = values.dtype
    if kind.is_float():
        return _where(values.cast(pl.Int64, strict=False), values == values.floor())
    if isinstance(kind, pl.Categorical | pl.Enum | pl.Null):
        values = values.cast(pl.String)
    elif not (kind.is_integer() or kind == pl.String):
        raise TypeError(f"is of type {kind}, and ids are whole numbers or text; convert it")
    if values.dtype == pl.String:
        values = values.str.strip_chars() if decide else values
        values = _where(values, values != "")
        if not (decide and values.str.contains(_INTEGER).all()):
            return values
    numbers = values.cast(pl.Int64, strict=False)
    # Whole numbers beyond 64 bits stay what they are as text.
    return numbers if numbers.null_count() == values.null_count() else values.cast(pl.String)


def parse_weight(values: pl.Series) -> pl.Series:
    """Weights as Float32; null where missing, NaN, infinite or no number.

    Raises:
        TypeError: the column holds neither numbers nor text.
    """
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean, pl.Null)):
        raise TypeError(
            f"is of type {values.dtype}, and weights are numbers; convert it, or name another with weight= (--weight-column)"
        )
    numbers = (values.str.strip_chars() if values.dtype == pl.String else values).cast(pl.Float32, strict=False)
    return _where(numbers, numbers.is_finite())


def parse_time(values: pl.Series, unit: TimeUnit = "auto") -> tuple[pl.Series, pl.Series | None]:
    """Times as Int64 seconds, null where they cannot be read; and, where seconds lose their order, times that keep it.

    Args:
        values: dates, numbers or text; text is numbers or ISO 8601 (UTC unless it says otherwise).
        unit: what numbers count; `auto` tells s, ms, us and ns by their size (1e11 s is the year 5138).

    Raises:
        TypeError: the column holds none of these, or numbers that look like dates (20240501).
    """
    if values.dtype == pl.String:
        text = values.str.strip_chars()
        if text.drop_nulls().head(1).str.contains(_ISO).any():
            values = text.str.to_datetime(time_zone="UTC", time_unit="us", strict=False)
        else:
            whole = text.cast(pl.Int64, strict=False)
            values = whole if whole.null_count() == text.null_count() else text.cast(pl.Float64, strict=False)
    values = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        return _in_seconds(values.to_physical(), kind.time_unit)
    if not (kind.is_numeric() or kind == pl.Null):
        raise TypeError(
            f"is of type {kind}, and times are dates, numbers or ISO text; convert it, or name another with time= (--time-column)"
        )
    numbers = values.cast(pl.Float64 if kind.is_float() else pl.Int64, strict=False)
    return _in_seconds(numbers, _unit(numbers) if unit == "auto" else unit)


def _unit(numbers: pl.Series) -> str:
    finite = numbers.filter(numbers.abs() < 1e19).to_numpy()
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    if low >= 19000101 and high <= 21001231:
        raise TypeError(
            f"holds numbers like {low:.0f}, which look like dates; write 2024-05-01, or say time_unit='s' (--time-unit)"
        )
    size = max(-low, high)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def _in_seconds(numbers: pl.Series, unit: str) -> tuple[pl.Series, pl.Series | None]:
    per_second = _PER_SECOND.get(unit, 1)
    if not numbers.dtype.is_float():
        return numbers // per_second, None if (numbers % per_second == 0).all() else numbers
    whole = numbers == numbers.floor()
    seconds = (numbers / per_second).floor().cast(pl.Int64, strict=False)
    # A rank is whole or it is no rank; a time may have a fraction.
    return _where(seconds, whole) if unit == "order" else seconds, None if per_second == 1 and whole.all() else numbers


def _where(values: pl.Series, condition: pl.Series) -> pl.Series:
    """The values, null where the condition is not true."""
    sound = condition.fill_null(False)
    return values if sound.all() else values.to_frame("kept").select(pl.when(sound).then("kept")).to_series()
