"""What frames bring: each type of column, of each library."""

from __future__ import annotations

from datetime import UTC, date, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recodiff.data import read_log
from recodiff.errors import DataError
from two_rows import LOG, NOON, ONE, OTHER, ROWS, T, read_rows, times_of, users_of


def with_user(values: Any) -> pl.DataFrame:
    return pl.DataFrame({"user": values, "item": [1, 2]})


def with_time(values: Any) -> pl.DataFrame:
    return pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": values})


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])), ["b", "a"]),
        (pl.Series([Decimal(7), Decimal(12)], dtype=pl.Decimal(38, 0)), [7, 12]),
        (pl.Series([Decimal("7.00"), Decimal("12.00")], dtype=pl.Decimal(10, 2)), [7, 12]),
        (pl.Series([2**63 + 5, 1], dtype=pl.UInt64), [str(2**63 + 5), "1"]),
        (pl.Series([-(2**62) - 1, 2**62 + 1]), [-(2**62) - 1, 2**62 + 1]),
        (pl.Series([2**70, 1], dtype=pl.Int128), [str(2**70), "1"]),
        (pl.Series([ONE.bytes, OTHER.bytes]), [str(ONE), str(OTHER)]),
        (pl.Series([b"ann", b"bob"]), ["ann", "bob"]),
        (pl.Series([b"\xff\x01", b"\xfe\x02"]), ["ff01", "fe02"]),
        (pl.Series([1, 2], dtype=pl.Int8), [1, 2]),
        (pl.Series([1.0, 2.0], dtype=pl.Float32), [1, 2]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_ids_of_every_type(values: pl.Series, ids: list) -> None:
    assert users_of(with_user(values)) == ids


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pl.Series([2.0**53, 2.0**53 + 2]), r"numbers from 2\^53 on as Float64"),
        (pl.Series([2.0**24, 1.0], dtype=pl.Float32), r"numbers from 2\^24 on as Float32"),
        (pl.Series([Decimal("7.5"), Decimal(1)]), r"row 0 .*: user is Decimal\('7.5.*not a whole number"),
        (pl.Series([True, False]), "of type Boolean"),
        (pl.Series([timedelta(1), timedelta(2)]), "of type Duration"),
        (pl.Series([date(2020, 1, 1)] * 2), "of type Date"),
        (pl.Series(["a", "None"]), "row 1 .*: user is missing"),
        (pl.Series(["<NA>", "b"]), "row 0 .*: user is missing"),
        (pl.Series([ONE.bytes, None]), "row 1 .*: user is missing"),
        (pl.Series([{"a": 1}, {"a": 2}]), "of type Struct"),
    ],
)
def test_ids_that_are_none_are_refused(values: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_log(with_user(values))


@pytest.mark.parametrize(
    "users",
    [
        pd.Series(["a", "b"], dtype="string"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(["a", "b"], dtype=object),
        pd.Series(["a", "b"]),
    ],
    ids=lambda users: str(users.dtype),
)
def test_texts_of_pandas(users: pd.Series) -> None:
    assert users_of(pd.DataFrame({"user": users, "item": [1, 2]})) == ["a", "b"]


@pytest.mark.parametrize(
    "users",
    [
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1.0, None]),
        pd.Series(["a", None]).astype(object).astype(str),
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    ],
    ids=lambda users: str(users.dtype),
)
def test_missing_ids_of_pandas_are_refused_or_counted(users: pd.Series) -> None:
    frame = pd.DataFrame({"user": users, "item": [1, 2]})
    with pytest.raises(DataError, match=r"row 1 .*: user is missing"):
        read_log(frame)
    log = read_log(frame, on_bad_rows="drop")
    assert (log.frame.height, log.dropped) == (1, {"malformed rows": 1})


def test_uuids_of_pandas() -> None:
    assert users_of(pd.DataFrame({"user": [ONE, OTHER], "item": [1, 2]})) == [str(ONE), str(OTHER)]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([NOON] * 2),
        pl.Series([NOON] * 2).dt.cast_time_unit("ns"),
        pl.Series([NOON] * 2).dt.cast_time_unit("ms"),
        pl.Series([NOON.replace(tzinfo=UTC)] * 2),
        pl.Series([NOON.replace(tzinfo=UTC)] * 2).dt.convert_time_zone("Asia/Shanghai"),
        pl.Series([T * 10**9] * 2),
        pl.Series([float(T)] * 2),
        pl.Series([Decimal(T)] * 2),
        pl.Series(["2020-09-13T14:26:40+02:00"] * 2),
        pl.Series([str(T * 1000)] * 2),
    ],
    ids=lambda values: f"{values.dtype} {values[0]}",
)
def test_times_of_every_type(values: pl.Series) -> None:
    assert times_of(with_time(values)) == [T, T]


def test_times_of_pandas() -> None:
    times = pd.Series([NOON.replace(tzinfo=timezone(timedelta(hours=8)))] * 2)
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": times})) == [T - 8 * 3600] * 2
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": [date(2020, 9, 13)] * 2})) == [1_599_955_200] * 2
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": pd.to_datetime([NOON] * 2).as_unit("s")})) == [T, T]


def test_dates_are_times_and_durations_are_none() -> None:
    assert times_of(with_time([date(2020, 9, 13)] * 2)) == [1_599_955_200] * 2
    with pytest.raises(DataError, match=r"column 'time' is of type Duration.*times are dates, numbers or ISO text"):
        read_log(with_time([timedelta(1)] * 2))


def test_lists_of_items_are_one_event() -> None:
    baskets = pl.DataFrame({"user": [1, 1, 2], "items": [["a", "b"], ["c"], []], "time": [T, T + 9, T]})
    assert read_log(baskets).frame.rows() == [(1, "a", T), (1, "b", T), (1, "c", T + 9)]
    in_order = read_log(baskets.drop("time"), time_unit="order")
    assert in_order.frame.select("user", "item", "time").rows() == [(1, "a", 0), (1, "b", 0), (1, "c", 1)]
    arrays = baskets.head(1).cast({"items": pl.Array(pl.String, 2)})
    assert read_log(arrays).frame["item"].to_list() == ["a", "b"]
    with pytest.raises(DataError, match=r"row 1 .*: items is missing"):
        read_log(pl.DataFrame({"user": [1, 2], "items": [[5], [None]]}))


def test_streams_of_arrow_and_duckdb() -> None:
    table = pa.table(LOG)
    assert read_rows(table.to_reader()) == ROWS
    assert read_rows(pa.table({name: pa.chunked_array([values[:1], values[1:]]) for name, values in LOG.items()})) == ROWS
    batches = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=1))
    assert read_rows(batches) == ROWS
    assert read_rows(table.to_batches()[0]) == ROWS
    assert read_rows(duckdb.sql(f"select * from (values (1, 10, {T}), (2, 11, {T + 1})) as log(user, item, time)")) == ROWS


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("hash(n)", None),
        ("uuid()", None),
        ("n::hugeint", [1, 2]),
        ("n::decimal(18, 0)", [1, 2]),
        ("n::utinyint", [1, 2]),
        ("('u' || n)::varchar", ["u1", "u2"]),
        ("(case n when 1 then 'a' else 'b' end)::enum ('a', 'b')", ["a", "b"]),
        ("('u' || n)::blob", ["u1", "u2"]),
    ],
)
def test_types_of_duckdb(user: str, ids: list | None) -> None:
    times = "timestamptz '2020-09-13 12:26:40+00' + to_seconds(n - 1)"
    log = duckdb.sql(f"select {user} as user, 9 + n as item, {times} as time from range(1, 3) as log(n) order by n")
    frame = read_log(log).frame
    assert frame["time"].to_list() == [T, T + 1]
    assert frame["user"].n_unique() == 2
    assert ids is None or frame["user"].to_list() == ids


def test_times_of_duckdb() -> None:
    for time in ("timestamp_ns '2020-09-13 12:26:40'", "timestamp_s '2020-09-13 12:26:40'", f"{T}000", f"{T}::double"):
        assert times_of(duckdb.sql(f"select 1 as user, 2 as item, {time} as time")) == [T]
    with pytest.raises(DataError, match=r"cannot be taken over from Arrow .*leave out or convert that column"):
        read_log(duckdb.sql("select 1 as user, 2 as item, to_days(1) as spare"))


@pytest.mark.parametrize(
    ("times", "found"),
    [
        (pd.to_datetime([NOON] * 2), [T, T]),
        (pd.to_datetime([NOON] * 2).as_unit("ns"), [T, T]),
        (pd.to_datetime([NOON] * 2, utc=True).tz_convert("Asia/Shanghai"), [T, T]),
        (pd.Series([T, T], dtype="Int64"), [T, T]),
        (pd.Series([f"{T}", f"{T}"], dtype="string"), [T, T]),
        (pd.Series(pd.array([NOON] * 2, dtype=pd.ArrowDtype(pa.timestamp("us")))), [T, T]),
        (pd.Series([Decimal(T)] * 2), [T, T]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_times_of_pandas_of_every_type(times: Any, found: list) -> None:
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": times})) == found


def test_a_frame_with_two_columns_of_one_name_is_refused() -> None:
    frame = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["user", "item", "item"])
    with pytest.raises(DataError, match="the frame has two columns called 'item'; rename one"):
        read_log(frame)
