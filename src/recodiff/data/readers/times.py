"""What the values of a time column mean: their form, their unit, and those that cannot be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "days", "excel", "order"]
UNITS = {
    **{"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"},
    **{"days": "days since 1970", "excel": "days as Excel counts them", "order": "ranks"},
}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ISO = r"^\d{4}[-/]\d{2}[-/]\d{2}(?:[T ]|$)"
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


@dataclass(frozen=True)
class Times:
    """Times as Int64 seconds, null where they cannot be read.

    Args:
        seconds: seconds since 1970 (ranks, where the unit is `order`).
        fine: times that keep the order which whole seconds lose; None where nothing is lost.
        said: what the values are, in words: "milliseconds", "ISO text".
        clashes: row -> why its number cannot be a time of this unit; it is null in `seconds`.
        odd: row -> what is strange about it.
        early: one of the numbers, where most lie before 1980 in the unit that was recognised.
    """

    seconds: pl.Series
    fine: pl.Series | None
    said: str
    clashes: Mapping[int, str] = field(default_factory=dict)
    odd: Mapping[int, str] = field(default_factory=dict)
    early: float | None = None


def parse_time(values: pl.Series, unit: TimeUnit = "auto") -> Times:
    """Times as seconds; the form and the unit are those of most values.

    Args:
        values: dates, numbers or text; text is numbers or ISO 8601 (UTC unless it says otherwise).
        unit: what numbers count; `auto` recognises s, ms, us and ns by the size of most (1e11 s is the year 5138).

    Raises:
        TypeError: the column holds none of these, or numbers that look like dates (20240501).
    """
    said = "dates"
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        iso = _mostly_iso(values)
        dashed = values.str.replace_all("/", "-", literal=True) if iso and "/" in str(values.drop_nulls().first()) else values
        values = dashed.str.to_datetime(time_zone="UTC", time_unit="us", strict=False) if iso else _numbers(values)
        said = "ISO text"
    values = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        seconds, fine = _in_seconds(values.to_physical(), kind.time_unit)
        return Times(seconds, fine, said, odd=_odd(seconds))
    if not (kind.is_numeric() or kind == pl.Null):
        raise TypeError(
            f"is of type {kind}, and times are dates, numbers or ISO text; convert it, or name another with time= (--time-column)"
        )
    numbers = values.cast(pl.Float64 if kind.is_float() else pl.Int64, strict=False)
    counted, clashes = _unit(numbers) if unit == "auto" else (unit, {})
    if clashes:
        wrong = pl.Series(np.isin(np.arange(len(numbers)), list(clashes)))
        numbers = numbers.to_frame("n").select(pl.when(~wrong).then("n")).to_series()
    if counted in _DAYS:
        numbers = ((numbers.cast(pl.Float64) - _DAYS[counted]) * _DAY).round().cast(pl.Int64, strict=False)
    seconds, fine = _in_seconds(numbers, "s" if counted in _DAYS else counted)
    early = _early(seconds, numbers) if unit == "auto" else None
    return Times(seconds, fine, UNITS[counted], clashes, {} if counted == "order" else _odd(seconds), early)


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


def _sample(values: pl.Series) -> pl.Series:
    present = values.drop_nulls()
    return present.gather_every(max(1, len(present) // _SAMPLE))


def _mostly_iso(text: pl.Series) -> bool:
    some = _sample(text)
    iso = int(some.str.contains(_ISO).sum())
    return iso > 0 and iso >= int(some.cast(pl.Float64, strict=False).is_not_null().sum())


def _numbers(text: pl.Series) -> pl.Series:
    whole = text.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == text.null_count() else text.cast(pl.Float64, strict=False)


def _unit(numbers: pl.Series) -> tuple[str, dict[int, str]]:
    """The unit of most numbers, and the rows whose number is of another."""
    some = np.abs(_sample(numbers).to_numpy())
    some = some[(some < 1e19) & (some > 1)]
    if not len(some):
        return "s", {}
    _refuse_calendars(some)
    unit = unit_of(float(np.median(some)))
    low, high = (float(value or 0) for value in (numbers.min(), numbers.max()))  # type: ignore[arg-type]
    if unit_of(max(abs(low), abs(high))) == unit and unit_of(low) == unit:
        return unit, {}
    return unit, _clashes(numbers.fill_null(0).to_numpy(), unit)


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


def _clashes(numbers: NDArray[Any], unit: str) -> dict[int, str]:
    """Rows that make sense in another unit only: beyond the year 9999 in this one, or a time of today in a smaller one."""
    found: dict[int, str] = {}
    with np.errstate(invalid="ignore"):
        beyond = np.abs(numbers) / PER_SECOND[unit] > _LAST_OF_9999
        below = np.zeros(len(numbers), dtype=bool)
        for per_second in PER_SECOND.values():
            if per_second < PER_SECOND[unit]:
                below |= (numbers / per_second >= _EARLIEST) & (numbers / per_second < _LATEST)
    for row in np.flatnonzero((beyond | below) & np.isfinite(numbers)):
        other = unit_of(float(numbers[row]))
        found[int(row)] = (
            f"is {numbers[row]}, a time in {UNITS[other]} where most are {UNITS[unit]}: two units in one column"
            if other != unit
            else f"is {numbers[row]}, far beyond the others: two units in one column"
        )
    return found


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


def _early(seconds: pl.Series, numbers: pl.Series) -> float | None:
    """A number, where most times lie between 1970 and 1980, in which no log was written."""
    some = _sample(seconds).to_numpy()
    return float(numbers.drop_nulls()[0]) if len(some) > 1 and 0 <= float(np.median(some)) < _EARLIEST else None


def _odd(seconds: pl.Series) -> dict[int, str]:
    """Rows at the start of the clock, or after 2100, where most times lie between."""
    some = _sample(seconds)
    median = float(np.median(some.to_numpy())) if len(some) else 0.0
    if not _EARLIEST <= median < _LATEST:
        return {}
    low, high = int(seconds.min()), int(seconds.max())  # type: ignore[arg-type]
    if low > 86_400 and high < _LATEST:
        return {}
    rows = ((seconds <= 86_400) | (seconds >= _LATEST)).fill_null(False).arg_true()
    return {int(row): f"is the time {in_words(seconds[int(row)])}" for row in rows}


def _in_seconds(numbers: pl.Series, unit: str) -> tuple[pl.Series, pl.Series | None]:
    per_second = PER_SECOND.get(unit, 1)
    if not numbers.dtype.is_float():
        return numbers // per_second, None if (numbers % per_second == 0).all() else numbers
    whole = numbers == numbers.floor()
    seconds = (numbers / per_second).floor().cast(pl.Int64, strict=False)
    if unit == "order":  # a rank is whole or it is no rank; a time may have a fraction
        seconds = seconds.to_frame("s").select(pl.when(whole.fill_null(False)).then("s")).to_series()
    return seconds, None if per_second == 1 and whole.all() else numbers
