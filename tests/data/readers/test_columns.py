"""What columns are, and what their values mean."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.readers.columns import find_columns, parse_ids, parse_time, parse_weight
from recodiff.errors import DataError

ROLES = {"user": None, "item": None, "weight": None, "time": None}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["userId", "movieId", "rating", "timestamp"], ["userId", "movieId", "rating", "timestamp"]),
        (["user_id:token", "item_id:token", "rating:float", "timestamp:float"], 4),
        (["customer_id", "stock_code", "invoice_date", "quantity"], ["customer_id", "stock_code", "quantity", "invoice_date"]),
        (["", "Item", "asin", "USER", "note"], ["USER", "Item"]),
    ],
)
def test_usual_names_are_known(columns: list[str], expected: list[str] | int) -> None:
    found = list(find_columns(columns, ROLES, "x").values())
    assert found == (columns if isinstance(expected, int) else expected)


def test_columns_can_be_given_by_name_position_or_not_at_all() -> None:
    found = find_columns(["a", "b", "date", "rating"], {"user": "b", "item": 0, "weight": "3", "time": False}, "x")
    assert found == {"user": "b", "item": "a", "weight": "rating"}


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        (["a", "item"], {}, "clearly the user: it has 'a', 'item'; name it with user="),
        (["user", "movie_id", "product_id"], {}, "'movie_id', 'product_id' could each be the item"),
        (["user", "item"], {"user": "who"}, "no column 'who' for the user; it has 'user', 'item'"),
        (["user", "item"], {"item": 2}, "no column at position 2 for the item; its 2 columns are 0 to 1"),
        (["user", "item"], {"user": 0, "item": 0}, "'user' was named for two"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(columns: list[str], given: dict[str, str | int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_columns(columns, ROLES | given, "x")


@pytest.mark.parametrize(
    ("values", "as_found", "decided"),
    [
        (["1", "20"], ["1", "20"], [1, 20]),
        (["1", "020"], ["1", "020"], ["1", "020"]),
        ([" 1", "-5", "0"], [" 1", "-5", "0"], [1, -5, 0]),
        (["1.0", "2"], ["1.0", "2"], ["1.0", "2"]),
        (["1", ""], ["1", None], [1, None]),
        (["1", str(2**63)], ["1", str(2**63)], ["1", str(2**63)]),
        ([1.0, 2.5, float("nan"), None], [1, None, None, None], [1, None, None, None]),
    ],
)
def test_ids(values: list, as_found: list, decided: list) -> None:
    assert parse_ids(pl.Series(values), decide=False).to_list() == as_found
    assert parse_ids(pl.Series(values), decide=True).to_list() == decided


def test_ids_of_other_types() -> None:
    assert parse_ids(pl.Series(["b", "a"], dtype=pl.Categorical), decide=False).to_list() == ["b", "a"]
    assert parse_ids(pl.Series([2**63, 1], dtype=pl.UInt64), decide=False).to_list() == [str(2**63), "1"]
    for values in ([True], [date(2020, 1, 1)], [[1]]):
        with pytest.raises(TypeError, match=r"whole numbers or text"):
            parse_ids(pl.Series(values), decide=False)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_survive_text(values: list[int]) -> None:
    assert parse_ids(pl.Series([str(v) for v in values], dtype=pl.String), decide=True).to_list() == values


def test_weights() -> None:
    assert parse_weight(pl.Series(["1", " 2.5", "x", "nan", "inf", ""])).to_list() == [1, 2.5, None, None, None, None]
    assert parse_weight(pl.Series([True, None])).to_list() == [1, None]
    with pytest.raises(TypeError, match=r"weights are numbers"):
        parse_weight(pl.Series([date(2020, 1, 1)]))


@pytest.mark.parametrize(
    ("values", "seconds", "fine"),
    [
        ([1_600_000_000, 5], [1_600_000_000, 5], None),
        ([1_600_000_000_999, 1_600_000_000_123], [1_600_000_000] * 2, [1_600_000_000_999, 1_600_000_000_123]),
        ([1_600_000_000_000, 1_600_000_001_000], [1_600_000_000, 1_600_000_001], None),
        ([1_600_000_000_000_000], [1_600_000_000], None),
        ([1_600_000_000_000_000_000], [1_600_000_000], None),
        ([1.6e9, 1.5, -1.5], [1_600_000_000, 1, -2], [1.6e9, 1.5, -1.5]),
        (["1600000000", "x", ""], [1_600_000_000, None, None], None),
        (["1.6e9", "nan"], [1_600_000_000, None], None),
        (["2020-09-13 12:26:40", "tomorrow"], [1_600_000_000, None], None),
        (
            ["2020-09-13T14:26:40+02:00", "2020-09-13T12:26:40.5Z"],
            [1_600_000_000] * 2,
            [1_600_000_000_000_000, 1_600_000_000_500_000],
        ),
        (["2020-09-13", "2020-09-13T00:00"], [1_599_955_200] * 2, None),
        (["12/01/2020"], [None], None),
        ([datetime(2020, 9, 13, 12, 26, 40), None], [1_600_000_000, None], None),
        ([date(2020, 9, 13)], [1_599_955_200], None),
        ([None], [None], None),
    ],
)
def test_times(values: list, seconds: list, fine: list | None) -> None:
    found, order = parse_time(pl.Series(values))
    assert found.to_list() == seconds
    assert found.dtype == pl.Int64
    assert (None if order is None else order.to_list()) == fine


def test_the_unit_of_times_can_be_said() -> None:
    assert parse_time(pl.Series([5000]), "ms")[0].to_list() == [5]
    assert parse_time(pl.Series([2, 0, 1]), "order")[0].to_list() == [2, 0, 1]
    assert parse_time(pl.Series([1.5, 2.0]), "order")[0].to_list() == [None, 2]


def test_numbers_that_look_like_dates_are_not_taken_for_seconds() -> None:
    with pytest.raises(TypeError, match=r"20240501, which look like dates"):
        parse_time(pl.Series([20240501, 20240502]))
    with pytest.raises(TypeError, match=r"times are dates, numbers or ISO text"):
        parse_time(pl.Series([[1]]))
