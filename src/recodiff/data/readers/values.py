"""From what stands in a column to ids, weights and times; malformed rows are refused, or dropped and counted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.data.readers.columns import HOW_TO_DROP, BadRows, Raw
from recodiff.data.readers.missing import is_mark, marks_in
from recodiff.data.readers.text_lists import split_lists
from recodiff.data.readers.times import UNITS, Times, TimeUnit, parse_time
from recodiff.errors import ConfigError, DataError

PART_WORDS: dict[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "validate", "validating", "val", "dev", "development", "eval", "evaluation"), "valid"),
    **dict.fromkeys(("test", "testing", "holdout", "heldout"), "test"),
}
"""Word -> the part that it means."""
_EXPECTED = {
    "weight": "a finite number",
    "time": "a time (a number, or ISO text such as 2024-05-01 12:30:00)",
    "part": "train, valid or test",
}
WHOLE_NUMBER = r"^(?:0|-?[1-9][0-9]{0,18})$"
WHOLE_FLOAT = r"^(?:0|-?[1-9][0-9]{0,14})\.0+$"
"""Whole numbers as programs write them that hold them as floats."""
_WHOLE_BEYOND = r"^-?[0-9]{16,}\.0*$"
"""The same, from about 2^53 on."""
_CUT = r"^-?[0-9]\.[0-9]+[eE]\+[0-9]+$"
_QUOTED = r"^\s*'.*'\s*$"
_LOOK = 100
"""Values from all over a column that are looked at before all are."""


@dataclass(frozen=True)
class Converted:
    """A log's table with values of the right types.

    Args:
        frame: ids Int64 or String, weights Float32, times Int64 seconds or ranks, parts as text.
        time_kind: what `time` is; None without time.
        dropped: why -> how many rows were left out.
        said: role -> what its values are, in words, where there is something to say.
        warnings: what is strange but was read.
    """

    frame: pl.DataFrame
    time_kind: TimeKind | None
    dropped: dict[str, int]
    said: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def convert(raw: Raw, time_unit: TimeUnit, on_bad_rows: BadRows, item_lists: bool | None = None) -> Converted:
    """Values of the right types, and what was dropped.

    Rows keep the log's order, unless its clock is finer than a second: then they stand in time order, which whole seconds
    no longer have.

    Args:
        raw: the table as found.
        time_unit: what a number in the time column counts; `order` means that only the sequence counts, which is that of the
            rows where no column has it.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them.
        item_lists: whether texts such as `[8, 9]` are lists of items; asked for where they look like it, unless given.

    Raises:
        DataError: a row is malformed and `on_bad_rows` is `refuse`, or a column is of a type that cannot serve.
        ConfigError: `on_bad_rows` or `time_unit` is unknown.
    """
    if on_bad_rows not in ("refuse", "drop") or time_unit not in ("auto", "order", *UNITS):
        raise ConfigError(
            f"on_bad_rows={on_bad_rows!r} or time_unit={time_unit!r} is unknown: refuse or drop; auto, s, ms, us, ns or order"
        )
    unit: TimeUnit = "order" if raw.time_kind == "order" else time_unit
    raw = split_lists(raw, item_lists).exploded()
    # Polars reads an empty line as a row of nulls; it stays until the end so that row numbers remain line numbers.
    named = pl.all_horizontal(pl.col(role).is_null() for role in raw.names)
    blank = raw.frame.select(named & raw.is_text).to_series()
    bad, times = pl.repeat(False, raw.frame.height, eager=True), None
    columns: dict[str, pl.Series] = {}
    for role in raw.frame.columns:
        parsed = _parsed(raw, role, unit)
        if isinstance(parsed, Times):
            times = parsed
            columns |= {"time": times.seconds} | ({} if times.fine is None else {"fine": times.fine})
        else:
            columns[role] = parsed
        wrong = columns[role].is_null() & ~blank
        if on_bad_rows == "refuse" and wrong.any():
            raise DataError(_complaint(raw, role, wrong, times))
        bad |= wrong
    frame = pl.DataFrame(columns).filter(~(bad | blank)) if (bad | blank).any() else pl.DataFrame(columns)
    frame = _ordered(frame, unit)
    kind: TimeKind | None = None if "time" not in frame.columns else "order" if unit == "order" else "clock"
    counts = {"malformed rows": int(bad.sum()) + raw.dropped, "blank lines": int(blank.sum()), "empty baskets": raw.empty}
    said = {"time": times.said if times is not None else "the order of rows"} if kind else {}
    said |= {role: "without its single quotes" for role in ("user", "item") if raw.is_text and _was_quoted(raw.frame[role])}
    return Converted(frame, kind, {why: n for why, n in counts.items() if n}, said, tuple(_warnings(raw, times, bad, blank)))


def _was_quoted(values: pl.Series) -> bool:
    return values.dtype == pl.String and _in_single_quotes(values)


def _ordered(frame: pl.DataFrame, unit: TimeUnit) -> pl.DataFrame:
    if "fine" in frame.columns:
        frame = frame.sort("fine", maintain_order=True).drop("fine")
    if unit == "order" and "time" not in frame.columns:
        # Items that come as one list are one event, and have one rank.
        row = pl.col("basket") if "basket" in frame.columns else pl.int_range(pl.len(), dtype=pl.Int64)
        frame = frame.with_columns(time=(row.rank("dense") - 1).cast(pl.Int64).over("user"))
    return frame.drop("basket", strict=False)


def _warnings(raw: Raw, times: Times | None, bad: pl.Series, blank: pl.Series) -> list[str]:
    found, rows = [], len(bad) - int(blank.sum())
    if times is not None and times.odd:
        row, why = next(iter(times.odd.items()))
        more = f" (and {len(times.odd) - 1} more like it)" if len(times.odd) > 1 else ""
        found.append(f"{raw.source}, {raw.place(row)}: {raw.names['time']} {why}{more}, far from the others")
    if times is not None and times.early is not None:
        found.append(
            f"{raw.source}: {raw.names['time']} holds numbers such as {times.early:g}, which as {times.said} lie before 1980; if "
            "only their sequence counts, say time_unit='order' (--time-unit order)"
        )
    if 2 * int(bad.sum()) > rows > 1:
        found.append(f"{raw.source}: {bad.sum()} of {rows} rows were dropped; a column or its format is likely to be another")
    return found


def _parsed(raw: Raw, role: str, unit: TimeUnit) -> pl.Series | Times:
    values = raw.frame[role]
    try:
        if role == "basket":
            return values
        if values.dtype == pl.String:
            values = _bare(values, raw.is_text)
        if role == "time":
            return parse_time(values, unit)
        if role == "part":
            return values.cast(pl.String).str.to_lowercase().replace_strict(PART_WORDS, default=None, return_dtype=pl.String)
        return parse_weight(values) if role == "weight" else parse_ids(values, decide=raw.is_text)
    except TypeError as error:
        raise DataError(f"{raw.source}: column {raw.names[role]!r} {error}") from None


def _bare(values: pl.Series, is_text: bool) -> pl.Series:
    """Text without the single quotes around all of it, null where it marks what is missing.

    Text files lose their marks where they are parsed, but for those among blanks.
    """
    if is_text:
        some = _some(values)
        if _in_single_quotes(values):
            values = values.str.strip_chars().str.slice(1).str.head(-1)
        elif (some.str.starts_with(" ") | some.str.ends_with(" ")).any():
            values = values.str.strip_chars()
        else:
            return values
    return _where(values, ~values.is_in(marks_in(values)))


def _some(values: pl.Series) -> pl.Series:
    """Values from all over a column."""
    return values.gather_every(max(1, len(values) // _LOOK)).drop_nulls()


def _in_single_quotes(values: pl.Series) -> bool:
    """Whether every text stands in single quotes; the first is looked at before all are."""
    return _all_match(values, _QUOTED) and values.null_count() < len(values)


def _all_match(values: pl.Series, form: str) -> bool:
    """Whether every text has a form; some are looked at before all are."""
    return _some(values).str.contains(form).all() and bool(values.str.contains(form).all())


def _complaint(raw: Raw, role: str, wrong: pl.Series, times: Times | None) -> str:
    row, count, rows = int(wrong.arg_max() or 0), int(wrong.sum()), raw.frame.height
    value, name = raw.frame[role][row], raw.names[role]
    clash = times.clashes.get(row) if role == "time" and times is not None else None
    if isinstance(value, str) and value.strip() and is_mark(value):
        fault = f"is missing ({value.strip()!r} marks that)"
    elif value is None or value != value or (isinstance(value, str) and not value.strip()):
        fault = "is missing (empty, NaN or a mark such as NA)"
    else:
        fault = clash or f"is {value!r}, not {_EXPECTED.get(role, 'a whole number or text')}"
    more = f" (and {count - 1} more like it)" if count > 1 else ""
    if count > 1 and 2 * count > rows:
        remedy = (
            f"{count} of {rows} rows are like it, so the column or its format is not what it seems: "
            f"name the right column with {role}= (--{role}-column), or convert this one"
        )
    else:
        remedy = f"mend the row, or {HOW_TO_DROP}"
    return f"{raw.source}, {raw.place(row)}: {name} {fault}{more}; {remedy}"


def parse_ids(values: pl.Series, *, decide: bool) -> pl.Series:
    """Ids as Int64 or String; null where an id is missing or a number is not whole.

    Args:
        values: ids as found; whole floats are numbers, as pandas makes them where a column has gaps; 16 bytes are a UUID.
        decide: text becomes numbers where all of it is plain whole numbers; one `007` keeps all of it text.

    Raises:
        TypeError: the column holds neither numbers nor text, or floats that may have merged ids.
    """
    kind = values.dtype
    if kind.is_float():
        return _from_floats(values)
    if kind == pl.Binary:
        return _from_bytes(values)
    if kind.is_decimal():
        whole = values.cast(pl.Int128, strict=False)
        # Without a scale all are whole, and the largest do not fit back.
        values = whole if getattr(kind, "scale", None) == 0 else _where(whole, whole.cast(kind, strict=False) == values)
    elif isinstance(kind, pl.Categorical | pl.Enum | pl.Null):
        values = values.cast(pl.String)
    elif not (kind.is_integer() or kind == pl.String):
        raise TypeError(f"is of type {kind}, and ids are whole numbers or text; convert it")
    if values.dtype == pl.String:
        values = values.str.strip_chars() if decide else values
        values = _where(values, values != "")
        if not decide:
            return values
        if (cut := _some(values).filter(_some(values).str.contains(_CUT))).len():
            raise TypeError(
                f"holds numbers such as {cut[0]}, of which a spreadsheet kept the first digits, so that different ones are equal; "
                "export them as text"
            )
        if not _all_match(values, WHOLE_NUMBER):
            values = _where(values, ~values.is_in(marks_in(values)))
            if _all_match(values, WHOLE_FLOAT):
                values = values.str.replace(r"\.0+$", "")
            elif not _all_match(values, WHOLE_NUMBER):
                _refuse_floats_beyond(values)
                return values
    numbers = values.cast(pl.Int64, strict=False)
    # Whole numbers beyond 64 bits stay what they are as text.
    return numbers if numbers.null_count() == values.null_count() else values.cast(pl.String)


def _refuse_floats_beyond(values: pl.Series) -> None:
    """Refuse text of whole floats of which some are beyond 2^53: the program that wrote them had merged them before."""
    if _all_match(values, r"^-?[0-9]+\.0*$") and (beyond := values.filter(values.str.contains(_WHOLE_BEYOND))).len():
        raise TypeError(
            f"holds numbers such as {beyond[0]}, which were floats, and from 2^53 on different ones are equal; "
            "export them as whole numbers or text"
        )


def _from_floats(values: pl.Series) -> pl.Series:
    digits = 24 if values.dtype == pl.Float32 else 53
    if (values.is_finite() & (values.abs() >= 2**digits)).any():
        raise TypeError(
            f"holds numbers from 2^{digits} on as {values.dtype}, in which different ones are equal; "
            "read them as whole numbers or text"
        )
    return _where(values.cast(pl.Int64, strict=False), values == values.floor())


def _from_bytes(values: pl.Series) -> pl.Series:
    """UUIDs where all are 16 bytes, else text."""
    if len(values) and (values.bin.size() == 16).all():
        return pl.Series(values.name, [None if one is None else str(uuid.UUID(bytes=one)) for one in values], dtype=pl.String)
    try:
        return parse_ids(values.cast(pl.String), decide=False)
    except pl.exceptions.PolarsError:
        return values.bin.encode("hex")


def parse_weight(values: pl.Series) -> pl.Series:
    """Weights as Float32; null where missing, NaN, infinite or no number.

    Args:
        values: of a column, of any type.

    Raises:
        TypeError: the column holds neither numbers nor text.
    """
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean, pl.Null)):
        raise TypeError(
            f"is of type {values.dtype}, and weights are numbers; convert it, or name another with weight= (--weight-column)"
        )
    numbers = (values.str.strip_chars() if values.dtype == pl.String else values).cast(pl.Float32, strict=False)
    return _where(numbers, numbers.is_finite())


def _where(values: pl.Series, condition: pl.Series) -> pl.Series:
    """The values, null where the condition is not true."""
    sound = condition.fill_null(False)
    return values if sound.all() else values.to_frame("kept").select(pl.when(sound).then("kept")).to_series().alias(values.name)
