"""What a reader took for what: reported by `prepare`, and kept in `dataset.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from recodiff.data.readers.columns import Raw, looks_like_time
from recodiff.data.readers.doubts import doubts
from recodiff.data.readers.tables import LogTable, ask, height, in_memory, names_in, type_of
from recodiff.data.readers.times import in_words
from recodiff.data.readers.values import Converted

ROLES = ("user", "item", "weight", "time", "part")
_SHOWN = 40
_LOOK = 100
_NAMED = 12
"""Unread columns and files that are named one by one."""


@dataclass(frozen=True)
class Reading:
    """The roles and meanings that were found in a log.

    Args:
        format: name of the reader; `frame` for a table in memory.
        roles: role -> column, first value and span, in words.
        unread: columns and files that no role uses.
        lines: lines of the files, headers included; None where a file has no lines.
        rows: interactions.
        warnings: what is strange but was read.
        dropped: why -> how many rows were left out.
        moments: unread columns that look like times, where the log has no time.
    """

    format: str
    roles: Mapping[str, str]
    unread: tuple[str, ...]
    lines: int | None
    rows: int
    warnings: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    moments: tuple[str | int, ...] = ()

    def sentences(self) -> list[str]:
        """One line a role, then what was left unread and how many lines became rows."""
        found = [f"{role} = {what}" for role, what in self.roles.items()]
        if self.unread:
            more = f" and {len(self.unread) - _NAMED} more" if len(self.unread) > _NAMED else ""
            found.append(f"unread = {', '.join(name or '(no name)' for name in self.unread[:_NAMED])}{more}")
        lines = f"{self.lines} lines became " if self.lines is not None else ""
        dropped = "".join(f", {count} {why if count > 1 else why.removesuffix('s')} dropped" for why, count in self.dropped.items())
        return [*found, f"{lines}{self.rows} rows (read as {self.format}{dropped})"]

    def as_info(self) -> dict[str, Any]:
        """The same for JSON."""
        counts = {"lines": self.lines, "rows": self.rows}
        return {"format": self.format, **self.roles, "unread": list(self.unread), **counts, "warnings": list(self.warnings)}


def describe(raw: Raw, converted: Converted, format: str) -> Reading:
    """Describe how a table was understood.

    Args:
        raw: the table as found.
        converted: the same with values of the right types.
        format: name of the reader.
    """
    frame, rows = converted.frame, height(converted.frame)
    columns = {*names_in(frame), *(["time"] if converted.time_kind else [])}
    roles = {role: _role(role, raw, converted) for role in ROLES if role in columns and rows}
    unused = tuple(looks_like_time(raw.source, name) for name in raw.moments)
    warnings = (*unused, *raw.warnings, *converted.warnings, *doubts(raw, converted))
    moments = () if "time" in columns else raw.moments
    return Reading(format, roles, raw.unread, raw.lines, rows, warnings, converted.dropped, moments)


def _role(role: str, raw: Raw, converted: Converted) -> str:
    label = raw.labels.get(role) or ("the order of rows" if role == "time" else role)
    first = ""
    if role in names_in(raw.frame) and role in raw.names and role != "time" and raw.labels.get(role, "").startswith("column"):
        first = f", first {_short(_first(in_memory(raw.frame.select(role).head(_LOOK)).to_series()))}"
    said = converted.said.get(role)
    words = f", {said}" if said and said not in label else ""
    return f"{label}{first}{words}, {_span(role, converted)}"


def _first(values: pl.Series) -> Any:
    """The first value that is there; of lists the first item."""
    found = next((value for value in values if value is not None), None)
    return next(iter(found), None) if isinstance(found, pl.Series) else found


def _span(role: str, converted: Converted) -> str:
    frame, values = converted.frame, pl.col(role)
    if role == "part":
        counts = dict(in_memory(frame.lazy().group_by(role).len()).iter_rows())
        return ", ".join(f"{part} {counts[part]}" for part in ("train", "valid", "test") if part in counts)
    if role not in names_in(frame):
        return f"0 .. {_most_of_a_user(frame) - 1}"
    low, high = ask(frame, values.min(), values.max())
    if role == "time" and converted.time_kind == "clock":
        return f"{_day(low)} .. {_day(high)}"
    if type_of(frame, role) == pl.Float32:
        return f"{low:g} .. {high:g}"
    return f"{_short(low)} .. {_short(high)}"


def _most_of_a_user(frame: LogTable) -> int:
    """The rows of the user who has most, of whom the last has the highest rank."""
    return int(in_memory(frame.lazy().group_by("user").len().select(pl.col("len").max())).item())


def _day(seconds: Any) -> str:
    return in_words(int(seconds))[:10] if abs(int(seconds)) < 1e13 else in_words(int(seconds))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
