"""From what stands in a column to ids, weights and times; malformed rows are refused, or dropped and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.data.readers.columns import HOW_TO_DROP, BadRows, Raw
from recodiff.data.readers.missing import is_mark, marks_in
from recodiff.data.readers.tables import (
    LogTable,
    ask,
    every_so_often,
    first_where,
    height,
    names_in,
    streams,
    type_of,
    value_at,
    where,
)
from recodiff.data.readers.text_lists import split_lists
from recodiff.data.readers.times import CLASH, UNITS, Times, TimeUnit, why_clash, with_times
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
BLANK_LINE, ROW = "blank line", "row"
"""Columns beside those of roles: empty lines, and the place in the log of the rows of a table that streams."""


@dataclass(frozen=True)
class Converted:
    """A log's table with values of the right types.

    Args:
        frame: ids Int64 or String, weights Float32, times Int64 seconds or ranks, parts as text. A table that streams has its
            rows as they stood, their places in `row`; where its clock is finer than a second, what orders them in `fine`; and no
            time where this is the order of rows.
        time_kind: what `time` is; None without time.
        dropped: why -> how many rows were left out.
        said: role -> what its values are, in words, where there is something to say.
        warnings: what is strange but was read.
    """

    frame: LogTable
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
    table = raw.frame.with_columns((named & raw.is_text).alias(BLANK_LINE))
    wrong, times, roles = [], None, names_in(raw.frame)
    for role in roles:
        table, found = _parsed(raw, table, role, unit)
        times = times or found
        wrong.append(pl.col(role).is_null() & ~pl.col(BLANK_LINE))
        if on_bad_rows == "refuse" and ask(table, wrong[-1].any())[0]:
            raise DataError(_complaint(raw, table, role, wrong[-1], times))
    bad, blank, rows = ask(table, pl.any_horizontal(wrong).sum(), pl.col(BLANK_LINE).sum(), pl.len())
    table = table.with_row_index(ROW) if streams(table) else table
    table = table.filter(~pl.any_horizontal(BLANK_LINE, *wrong)) if bad or blank else table
    frame = _ordered(table.drop(BLANK_LINE, CLASH, strict=False), unit)
    kind: TimeKind | None = "order" if unit == "order" else None if times is None else "clock"
    counts = {"malformed rows": bad + raw.dropped, "blank lines": blank, "empty baskets": raw.empty}
    said = {"time": times.said if times is not None else "the order of rows"} if kind else {}
    said |= {role: "without its single quotes" for role in ("user", "item") if raw.is_text and _was_quoted(raw.frame, role)}
    warnings = tuple(_warnings(raw, times, bad, rows - blank))
    return Converted(frame, kind, {why: n for why, n in counts.items() if n}, said, warnings)


def _was_quoted(table: LogTable, name: str) -> bool:
    return type_of(table, name) == pl.String and _in_single_quotes(table, name)


def _ordered(frame: LogTable, unit: TimeUnit) -> LogTable:
    if streams(frame):
        return frame
    if "fine" in frame.columns:
        frame = frame.sort("fine", maintain_order=True).drop("fine")
    if unit == "order" and "time" not in frame.columns:
        # Items that come as one list are one event, and have one rank.
        row = pl.col("basket") if "basket" in frame.columns else pl.int_range(pl.len(), dtype=pl.Int64)
        frame = frame.with_columns(time=(row.rank("dense") - 1).cast(pl.Int64).over("user"))
    return frame.drop("basket", strict=False)


def _warnings(raw: Raw, times: Times | None, bad: int, rows: int) -> list[str]:
    found = []
    if times is not None and times.odd:
        row, why, count = times.odd
        more = f" (and {count - 1} more like it)" if count > 1 else ""
        found.append(f"{raw.source}, {raw.place(row)}: {raw.names['time']} {why}{more}, far from the others")
    if times is not None and times.early is not None:
        found.append(
            f"{raw.source}: {raw.names['time']} holds numbers such as {times.early:g}, which as {times.said} lie before 1980; if "
            "only their sequence counts, say time_unit='order' (--time-unit order)"
        )
    if 2 * bad > rows > 1:
        found.append(f"{raw.source}: {bad} of {rows} rows were dropped; a column or its format is likely to be another")
    return found


def _parsed(raw: Raw, table: LogTable, role: str, unit: TimeUnit) -> tuple[LogTable, Times | None]:
    try:
        if role == "basket":
            return table, None
        if type_of(table, role) == pl.String:
            table = _bare(table, role, raw.is_text)
        if role == "time":
            return with_times(table, unit)
        if role == "part":
            words = pl.col(role).cast(pl.String).str.to_lowercase()
            return table.with_columns(words.replace_strict(PART_WORDS, default=None, return_dtype=pl.String)), None
        return (_with_weights(table, role) if role == "weight" else _with_ids(table, role, decide=raw.is_text)), None
    except TypeError as error:
        raise DataError(f"{raw.source}: column {raw.names[role]!r} {error}") from None


def _bare(table: LogTable, name: str, is_text: bool) -> LogTable:
    """Text without the single quotes around all of it, null where it marks what is missing.

    Text files lose their marks where they are parsed, but for those among blanks.
    """
    values = pl.col(name)
    if is_text:
        some = _some(table, name)
        if _in_single_quotes(table, name):
            table = table.with_columns(values.str.strip_chars().str.slice(1).str.head(-1))
        elif (some.str.starts_with(" ") | some.str.ends_with(" ")).any():
            table = table.with_columns(values.str.strip_chars())
        else:
            return table
    return where(table, name, ~values.is_in(marks_in(table, name)))


def _some(table: LogTable, name: str) -> pl.Series:
    """Values from all over a column."""
    return every_so_often(table, name, _LOOK)


def _in_single_quotes(table: LogTable, name: str) -> bool:
    """Whether every text stands in single quotes; the first is looked at before all are."""
    return _all_match(table, name, _QUOTED) and not ask(table, pl.col(name).is_null().all())[0]


def _all_match(table: LogTable, name: str, form: str) -> bool:
    """Whether every text has a form; some are looked at before all are."""
    return _some(table, name).str.contains(form).all() and bool(ask(table, pl.col(name).str.contains(form).all())[0])


def _complaint(raw: Raw, table: LogTable, role: str, wrong: pl.Expr, times: Times | None) -> str:
    row, count, rows = first_where(table, wrong), int(ask(table, wrong.sum())[0]), height(table)
    value, name = value_at(raw.frame, role, row), raw.names[role]
    clash = why_clash(value_at(table, CLASH, row), times) if role == "time" and CLASH in names_in(table) else None
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
    return _series(_with_ids(values.to_frame("ids"), "ids", decide=decide)).alias(values.name)


def _series(table: LogTable) -> pl.Series:
    return table.lazy().collect().to_series()


def _with_ids(table: LogTable, name: str, *, decide: bool) -> LogTable:
    kind, values = type_of(table, name), pl.col(name)
    if kind.is_float():
        return _from_floats(table, name)
    if kind == pl.Binary:
        return _from_bytes(table, name)
    if kind.is_decimal():
        whole = values.cast(pl.Int128, strict=False)
        # Without a scale all are whole, and the largest do not fit back.
        fits = pl.lit(True) if getattr(kind, "scale", None) == 0 else whole.cast(kind, strict=False) == values
        table = where(table, name, fits, whole)
    elif isinstance(kind, pl.Categorical | pl.Enum | pl.Null):
        table = table.with_columns(values.cast(pl.String))
    elif not (kind.is_integer() or kind == pl.String):
        raise TypeError(f"is of type {kind}, and ids are whole numbers or text; convert it")
    if type_of(table, name) == pl.String:
        table = table.with_columns(values.str.strip_chars()) if decide else table
        table = where(table, name, values != "")
        if not decide:
            return table
        if (cut := _some(table, name).filter(_some(table, name).str.contains(_CUT))).len():
            raise TypeError(
                f"holds numbers such as {cut[0]}, of which a spreadsheet kept the first digits, so that different ones are equal; "
                "export them as text"
            )
        if not _all_match(table, name, WHOLE_NUMBER):
            table = where(table, name, ~values.is_in(marks_in(table, name)))
            if _all_match(table, name, WHOLE_FLOAT):
                table = table.with_columns(values.str.replace(r"\.0+$", ""))
            elif not _all_match(table, name, WHOLE_NUMBER):
                _refuse_floats_beyond(table, name)
                return table
    numbers = values.cast(pl.Int64, strict=False)
    # Whole numbers beyond 64 bits stay what they are as text.
    fit = ask(table, numbers.null_count() == values.null_count())[0]
    return table.with_columns(numbers if fit else values.cast(pl.String))


def _refuse_floats_beyond(table: LogTable, name: str) -> None:
    """Refuse text of whole floats of which some are beyond 2^53: the program that wrote them had merged them before."""
    beyond = pl.col(name).str.contains(_WHOLE_BEYOND)
    if _all_match(table, name, r"^-?[0-9]+\.0*$") and ask(table, beyond.any())[0]:
        raise TypeError(
            f"holds numbers such as {value_at(table, name, first_where(table, beyond))}, which were floats, and from 2^53 on "
            "different ones are equal; export them as whole numbers or text"
        )


def _from_floats(table: LogTable, name: str) -> LogTable:
    kind, values = type_of(table, name), pl.col(name)
    digits = 24 if kind == pl.Float32 else 53
    if ask(table, (values.is_finite() & (values.abs() >= 2**digits)).any())[0]:
        raise TypeError(
            f"holds numbers from 2^{digits} on as {kind}, in which different ones are equal; read them as whole numbers or text"
        )
    return where(table, name, values == values.floor(), values.cast(pl.Int64, strict=False))


def _from_bytes(table: LogTable, name: str) -> LogTable:
    """UUIDs where all are 16 bytes, else text."""
    values, digits = pl.col(name), pl.col(name).bin.encode("hex")
    if height(table) and ask(table, (values.bin.size() == 16).all())[0]:
        groups = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
        return table.with_columns(pl.concat_str([digits.str.slice(*group) for group in groups], separator="-").alias(name))
    try:
        ask(table, values.cast(pl.String).null_count())
    except pl.exceptions.PolarsError:
        return table.with_columns(digits)
    return _with_ids(table.with_columns(values.cast(pl.String)), name, decide=False)


def parse_weight(values: pl.Series) -> pl.Series:
    """Weights as Float32; null where missing, NaN, infinite or no number.

    Args:
        values: of a column, of any type.

    Raises:
        TypeError: the column holds neither numbers nor text.
    """
    return _series(_with_weights(values.to_frame("weight"), "weight")).alias(values.name)


def _with_weights(table: LogTable, name: str) -> LogTable:
    kind, values = type_of(table, name), pl.col(name)
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise TypeError(f"is of type {kind}, and weights are numbers; convert it, or name another with weight= (--weight-column)")
    numbers = (values.str.strip_chars() if kind == pl.String else values).cast(pl.Float32, strict=False)
    return where(table, name, numbers.is_finite(), numbers)
