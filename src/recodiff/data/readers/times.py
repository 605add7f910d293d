"""What the values of a time column mean: their form, their unit, and those that cannot be right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.readers.missing import is_mark
from recodiff.data.readers.tables import LogTable, ask, first_where, in_memory, some_present, type_of, value_at

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "days", "excel", "order"]
UNITS = {
    **{"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"},
    **{"days": "days since 1970", "excel": "days as Excel counts them", "order": "ranks"},
}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ISO = r"^\d{4}[-/]\d{2}[-/]\d{2}(?:[T ]|$)"
_WITH_ZONE = r"\d:\d.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_SAMPLE = 10_000
# No log of today has real times outside: 1980-01-01 to 2100-01-01.
_EARLIEST, _LATEST = 315_532_800, 4_102_444_800
_LAST_OF_9999 = 253_402_300_799
_DAY, _MOST = 86_400, 0.8
_DAYS = {"days": 0, "excel": 25_569}
"""Unit -> the day of 1970-01-01 in it."""
_DAYS_FROM, _DAYS_UPTO = 7_305, 25_567
"""Days since 1970 in which logs of today lie: 1990 to 2040."""
_DATE_DIGITS = {8: 1, 12: 10**4, 14: 10**6, 17: 10**9}
"""Digits of a date (YYYYMMDD, with HHMM, with HHMMSS, with milliseconds) -> what one day is worth in them."""


CLASH = "clash"
"""A column beside that of times, where there are any: numbers that cannot be times of the unit."""


@dataclass(frozen=True)
class Times:
    """The meaning of a column of times.

    Args:
        said: what the values are, in words: "milliseconds", "ISO text".
        unit: what its numbers count.
        odd: the first row that is strange, why, and how many are; None where none is.
        early: one of the numbers, where most lie before 1980 in the unit that was recognised.
    """

    said: str
    unit: str = "s"
    odd: tuple[int, str, int] | None = None
    early: float | None = None


class Parsed(NamedTuple):
    """Times as Int64 seconds (ranks, of the unit `order`), null where they cannot be read, and `fine` as for `with_times`."""

    seconds: pl.Series
    fine: pl.Series | None


def parse_time(values: pl.Series, unit: TimeUnit = "auto") -> Parsed:
    """Times of one column; see `with_times`.

    Args:
        values: dates, numbers or text.
        unit: what numbers count.

    Raises:
        TypeError: as for `with_times`.
    """
    found = in_memory(with_times(values.to_frame("time"), unit)[0])
    return Parsed(found["time"], found["fine"] if "fine" in found.columns else None)


def with_times(table: LogTable, unit: TimeUnit = "auto") -> tuple[LogTable, Times]:
    """The table with its times as Int64 seconds (ranks, of the unit `order`), null where they cannot be read.

    The form and the unit are those of most values. Beside `time` stands `fine` where whole seconds lose an order: times that keep
    it; and `CLASH` where there are two units in one column.

    Args:
        table: with a column `time` of dates, numbers or text; text is numbers or ISO 8601 (UTC unless it says otherwise).
        unit: what numbers count; `auto` recognises s, ms, us and ns by the size of most (1e11 s is the year 5138).

    Raises:
        TypeError: the column holds none of these, or numbers that look like dates (20240501).
    """
    time, said = pl.col("time"), "dates"
    if type_of(table, "time") == pl.String:
        table = _from_text(table)
        said = "ISO text"
    table = table.with_columns(time.cast(pl.Datetime("us"))) if type_of(table, "time") == pl.Date else table
    kind = type_of(table, "time")
    if isinstance(kind, pl.Datetime):
        table = _in_seconds(table.with_columns(time.to_physical()), kind.time_unit)
        return table, Times(said, odd=_odd(table))
    if not (kind.is_numeric() or kind == pl.Null):
        raise TypeError(
            f"is of type {kind}, and times are dates, numbers or ISO text; convert it, or name another with time= (--time-column)"
        )
    table = table.with_columns(time.cast(pl.Float64 if kind.is_float() else pl.Int64, strict=False))
    counted, clash = _unit(table) if unit == "auto" else (unit, None)
    if clash is not None:
        table = table.with_columns(pl.when(clash).then(time).alias(CLASH))
        table = table.with_columns(pl.when(pl.col(CLASH).is_null()).then(time))
    if counted in _DAYS:
        days = (time.cast(pl.Float64) - _DAYS[counted]) * _DAY
        table = table.with_columns(days.round().cast(pl.Int64, strict=False))
    numbers = table
    table = _in_seconds(table, "s" if counted in _DAYS else counted)
    early = _early(table, numbers) if unit == "auto" else None
    return table, Times(UNITS[counted], counted, None if counted == "order" else _odd(table), early)


def _from_text(table: LogTable) -> LogTable:
    time = pl.col("time")
    table = table.with_columns(time.str.strip_chars())
    if not _mostly_iso(table):
        whole = time.cast(pl.Int64, strict=False)
        fit = ask(table, whole.null_count() == time.null_count())[0]
        return table.with_columns(whole if fit else time.cast(pl.Float64, strict=False))
    first = str(in_memory(table.select("time").drop_nulls().head(1)).to_series()[0])
    if re.match(_ISO, first):  # polars takes its form from the first; of nearly all logs all others have it
        read = table.with_columns(_moments(time, first))
        if _nulls(read) == _nulls(table):
            return read
    iso, zoned = time.str.contains(_ISO), time.str.contains(_WITH_ZONE)
    bare, with_zone = (_moments(pl.when(iso & each).then(time), "/") for each in (~zoned, zoned))
    return table.with_columns(time=pl.coalesce(bare, with_zone))


def _moments(text: pl.Expr, first: str) -> pl.Expr:
    dashed = text.str.replace_all("/", "-", literal=True) if "/" in first else text
    return dashed.str.to_datetime(time_zone="UTC", time_unit="us", strict=False)


def _nulls(table: LogTable) -> int:
    return int(ask(table, pl.col("time").null_count())[0])


def in_words(seconds: int) -> str:
    """A moment as a date, and as a number of seconds where no calendar reaches it.

    Args:
        seconds: since 1970.
    """
    if abs(seconds) > 1e13:
        return f"{seconds} s"
    moment = np.datetime64(int(seconds), "s")
    return str(moment.astype("datetime64[D]") if seconds % 86_400 == 0 else moment)


def unit_of(number: float) -> str:
    """The unit in which a number is a time of this age: seconds below 1e11 (the year 5138), and so on a thousand times as far.

    Args:
        number: a time since 1970, or one before it.
    """
    size = abs(number)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def _mostly_iso(table: LogTable) -> bool:
    some = some_present(table, "time", _SAMPLE)
    iso, missing = int(some.str.contains(_ISO).sum()), sum(map(is_mark, some))  # of frames marks are text still
    return iso > 0 and 2 * iso >= len(some) - missing


def _unit(table: LogTable) -> tuple[str, pl.Expr | None]:
    """The unit of most numbers, and which rows have a number of another; None where none can."""
    some = np.abs(some_present(table, "time", _SAMPLE).to_numpy())
    some = some[(some < 1e19) & (some > 1)]
    if not len(some):
        return "s", None
    _refuse_calendars(some)
    unit = unit_of(float(np.median(some)))
    low, high = (float(value or 0) for value in ask(table, pl.col("time").min(), pl.col("time").max()))
    if unit_of(max(abs(low), abs(high))) == unit and unit_of(low) == unit:
        return unit, None
    clash = _clashes(unit)
    return unit, clash if ask(table, clash.any())[0] else None


def _refuse_calendars(numbers: NDArray[Any]) -> None:
    """Refuse numbers that count days or spell dates, which as seconds would all lie in 1970."""
    spelt = _like_dates(numbers)
    if 2 * int(spelt.sum()) > len(numbers):
        shown = f"holds numbers like {int(numbers[spelt][0])}, which look like dates"
        raise TypeError(f"{shown}; write 2024-05-01, or say time_unit='s' or 'order' (--time-unit)")
    for unit, epoch in _DAYS.items():
        counted = (numbers >= _DAYS_FROM + epoch) & (numbers < _DAYS_UPTO + epoch)
        if len(numbers) > 1 and counted.mean() > _MOST:
            shown = f"holds numbers like {numbers[counted][0]:g}, which look like {UNITS[unit]}"
            raise TypeError(f"{shown}; say time_unit='{unit}', or 's' or 'order' if they are none (--time-unit {unit})")


def _clashes(unit: str) -> pl.Expr:
    """Which rows make sense in another unit only: beyond the year 9999 in this one, or a time of today in a smaller one."""
    number = pl.col("time").cast(pl.Float64)
    found = number.abs() / PER_SECOND[unit] > _LAST_OF_9999
    for per_second in PER_SECOND.values():
        if per_second < PER_SECOND[unit]:
            found |= (number / per_second >= _EARLIEST) & (number / per_second < _LATEST)
    return (found & number.is_finite()).fill_null(False)


def why_clash(number: float | None, times: Times | None) -> str | None:
    """The reason why a number is no time like the others; None where it is not its unit.

    Args:
        number: what stands in `CLASH`.
        times: what the column holds.
    """
    if number is None or times is None:
        return None
    other = unit_of(float(number))
    if other == times.unit:
        return f"is {number}, far beyond the others: two units in one column"
    return f"is {number}, a time in {UNITS[other]} where most are {UNITS[times.unit]}: two units in one column"


def _like_dates(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Which numbers spell a date, a month (201904) or a year of 1900 to 2100."""
    year, month = numbers // 100, numbers % 100
    alike = (year >= 1900) & (year <= 2100) & (month >= 1) & (month <= 12)
    alike |= (numbers >= 1900) & (numbers <= 2100) & (numbers % 1 == 0)
    for digits, one_day in _DATE_DIGITS.items():
        whole = numbers // one_day  # YYYYMMDD
        year, month, day = whole // 10_000, whole // 100 % 100, whole % 100
        fits = (year >= 1900) & (year <= 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
        alike |= fits & (numbers >= 10 ** (digits - 1)) & (numbers < 10**digits)
    return alike


def _early(seconds: LogTable, numbers: LogTable) -> float | None:
    """A number, where most times lie between 1970 and 1980, in which no log was written."""
    some = some_present(seconds, "time", _SAMPLE).to_numpy()
    if len(some) < 2 or not 0 <= float(np.median(some)) < _EARLIEST:
        return None
    return float(in_memory(numbers.select("time").drop_nulls().head(1)).item())


def _odd(table: LogTable) -> tuple[int, str, int] | None:
    """The first row at the start of the clock, or after 2100, where most times lie between, and how many there are."""
    some, time = some_present(table, "time", _SAMPLE), pl.col("time")
    median = float(np.median(some.to_numpy())) if len(some) else 0.0
    if not _EARLIEST <= median < _LATEST:
        return None
    odd = (time <= _DAY) | (time >= _LATEST)
    count = ask(table, odd.sum())[0]
    if not count:
        return None
    row = first_where(table, odd)
    return row, f"is the time {in_words(value_at(table, 'time', row))}", count


def _in_seconds(table: LogTable, unit: str) -> LogTable:
    """Whole seconds in place of numbers; `fine` keeps the order that they lose."""
    per_second, number = PER_SECOND.get(unit, 1), pl.col("time")
    if not type_of(table, "time").is_float():
        exact = ask(table, (number % per_second == 0).all())[0]
        return table.with_columns(*([] if exact else [number.alias("fine")]), time=number // per_second)
    whole = number == number.floor()
    exact = per_second == 1 and ask(table, whole.all())[0]
    seconds = (number / per_second).floor().cast(pl.Int64, strict=False)
    if unit == "order":  # a rank is whole or it is no rank; a time may have a fraction
        seconds = pl.when(whole.fill_null(False)).then(seconds)
    return table.with_columns(*([] if exact else [number.alias("fine")]), time=seconds)
