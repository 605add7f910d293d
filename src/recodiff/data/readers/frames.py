"""Frames of any make: polars, pandas and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl

from recodiff.data.readers.columns import Given, Raw, find_columns, labels_of
from recodiff.data.readers.parts import are_parts, says_parts
from recodiff.data.readers.places import columns_of
from recodiff.errors import DataError

LOOK = 100
"""Rows of an unread column that are looked at."""


def read_frame(source: Any, given: Given) -> Raw:
    """A polars, pandas or Arrow frame; what is text in it stays text.

    Args:
        source: the frame.
        given: role -> column name or position, False if it has none, or None to detect it.

    Raises:
        DataError: `source` is no frame, or a column is not clear or cannot be converted.
    """
    frame = opened(source)
    columns = [str(name) for name in frame.columns]
    if twice := next((name for name in columns if columns.count(name) > 1), None):
        raise DataError(f"the frame has two columns called {twice!r}; rename one")
    roles = find_columns(columns, given, "the frame")
    unread = [name for name in columns if name not in roles.values()]
    sample = _sample(frame, unread)
    return Raw(
        picked(frame, roles),
        "the frame",
        roles,
        lambda row: f"row {row} (the first is 0)",
        is_text=False,
        labels=labels_of(columns, roles),
        unread=tuple(unread),
        warnings=tuple(unused_parts(sample, "the frame")),
        moments=tuple(unused_times(sample, given)),
    )


def may_be_read(kind: pl.DataType) -> bool:
    """Tell whether a column of this type can hold times or words for parts at all.

    Args:
        kind: polars' type of the column.
    """
    return kind.is_numeric() or kind.is_temporal() or isinstance(kind, pl.String | pl.Categorical | pl.Enum)


def unused_times(sample: pl.DataFrame, given: Given) -> list[str]:
    """Columns that look like times, from some rows of unread columns; none where the caller chose a time.

    Args:
        sample: the columns without a role.
        given: role -> column, as the caller said.
    """
    if given.get("time") is not None:
        return []
    moments = [column.name for column in sample if column.dtype in (pl.Date, pl.Datetime) and column.null_count() < len(column)]
    for column in sample:
        values = _texts(column)
        if values and columns_of([[value] for value in values])[0].kind == "time":
            moments.append(column.name)
    return [name for name in sample.columns if name in moments]


def unused_parts(sample: pl.DataFrame, source: str) -> list[str]:
    """A warning for each column that says which part a row belongs to, from some rows of unread columns.

    Args:
        sample: the columns without a role.
        source: what messages call the table.
    """
    return [says_parts(source, column.name) for column in sample if not column.dtype.is_numeric() and are_parts(_texts(column))]


def _texts(column: pl.Series) -> list[str]:
    """What stands in a column of numbers or words, as a text table would have it."""
    if column.dtype.is_temporal() or not may_be_read(column.dtype):
        return []
    column = column.cast(pl.Float64) if column.dtype.is_decimal() else column
    return column.drop_nulls().cast(pl.String).to_list()


def first_values(scan: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The first rows of some columns; of one that has nothing there, the first values that it has.

    Args:
        scan: the table.
        columns: of it.
    """
    sample = scan.select(columns).head(LOOK).collect(engine="streaming")
    late = [column.name for column in sample if len(column) and column.null_count() == len(column)]
    found = [scan.select(name).drop_nulls().head(sample.height).collect(engine="streaming").to_series() for name in late]
    return sample.with_columns(column.extend_constant(None, sample.height - len(column)) for column in found)


def _sample(frame: Any, columns: list[str]) -> pl.DataFrame:
    """Rows from all over some columns, of one that has nothing there the first values that it has.

    Columns that polars does not know are left out, as they stay unread.
    """
    found: dict[str, pl.Series] = {}
    step = max(1, len(frame) // LOOK)
    some = frame.gather_every(step) if isinstance(frame, pl.DataFrame) else frame.iloc[::step]
    for name in columns:
        try:
            column = picked(some, {name: name})[name]
            if column.null_count() == len(column):
                late = picked(frame, {name: name})[name].drop_nulls().head(len(column))
                column = late.extend_constant(None, len(column) - len(late))
            found[name] = column
        except DataError:
            continue
    return pl.DataFrame(found)


def opened(source: Any) -> Any:
    """The source as a polars or pandas frame.

    Args:
        source: a frame, lazy or not, or what makes one.

    Raises:
        DataError: it is no frame.
    """
    if isinstance(source, pl.LazyFrame):
        return _collected(source)
    if isinstance(source, pl.DataFrame) or (hasattr(source, "iloc") and hasattr(source, "columns")):
        return source
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        try:
            return pl.DataFrame(source)
        except BaseException as error:  # polars panics at columns of some Arrow types, and a panic is no Exception
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                reason = " ".join(str(error).split())[:120]
                raise DataError(f"the frame cannot be taken over from Arrow ({reason}); leave out or convert that column") from None
            raise
    if hasattr(source, "toPandas"):
        raise DataError("a DataFrame of Spark is not in memory; give its toArrow() or toPandas(), or a folder that it wrote")
    raise DataError(f"a {type(source).__name__} is no frame; give a path, or a polars, pandas or Arrow frame")


def _collected(source: pl.LazyFrame) -> pl.DataFrame:
    try:
        return source.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"the lazy frame cannot be collected ({reason}); give one that can") from None


def picked(frame: Any, names: Mapping[str, str]) -> pl.DataFrame:
    """Columns of what `opened` gave, under new names.

    Args:
        frame: what `opened` gave.
        names: new name -> name.

    Raises:
        DataError: a column holds several types, or one that polars does not know.
    """
    if isinstance(frame, pl.DataFrame):
        return frame.select(pl.col(name).alias(new) for new, name in names.items())
    own = {str(name): name for name in frame.columns}
    columns: dict[str, pl.Series] = {}
    for new, name in names.items():
        try:
            columns[new] = _from_pandas(frame[own[name]])
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"column {name!r} of the frame cannot be converted ({reason}); give it one plain type") from None
    return pl.DataFrame(columns)


def _from_pandas(column: Any) -> pl.Series:
    """A pandas column through numpy, so that pandas serves without pyarrow."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    if getattr(column.dtype, "kind", "O") in "iufbM" and not hasattr(column.dtype, "na_value"):
        values = column.to_numpy()
        if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] == "s":  # polars has no time of whole seconds
            values = values.astype("datetime64[ms]")
        return pl.Series(values)
    values = column.astype(object).where(column.notna(), None).tolist()
    if any(isinstance(value, UUID) for value in values[:LOOK]):
        values = [None if value is None else str(value) for value in values]
    return pl.Series(values, strict=True)
