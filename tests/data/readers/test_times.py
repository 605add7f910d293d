"""What the values of a time mean."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from recodiff.data.readers.times import parse_time


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
        (["2020-09-13", "", "", "NA"], [1_599_955_200, None, None, None], None),
        (["13.09.2020"] + ["2020-09-13"] * 2, [None, 1_599_955_200, 1_599_955_200], None),
        (["13/09/2020"] + ["2020-09-13"] * 2, [None, 1_599_955_200, 1_599_955_200], None),
        (["09/10/2020", "09/11/2020", "2020-09-13"], [None] * 3, None),
        (["2020-09-13T12:26:40"] + ["2020-09-13T14:26:40+02:00"] * 2, [1_600_000_000] * 3, None),
        (["2020-09-13T14:26:40+02:00", "2020-09-13 12:26:40", "2020/09/13"], [1_600_000_000] * 2 + [1_599_955_200], None),
        ([datetime(2020, 9, 13, 12, 26, 40), None], [1_600_000_000, None], None),
        ([date(2020, 9, 13)], [1_599_955_200], None),
        ([None], [None], None),
    ],
)
def test_times(values: list, seconds: list, fine: list | None) -> None:
    found = parse_time(pl.Series(values))
    assert found.seconds.to_list() == seconds
    assert found.seconds.dtype == pl.Int64
    assert (None if found.fine is None else found.fine.to_list()) == fine


def test_the_unit_of_times_can_be_said() -> None:
    assert parse_time(pl.Series([5000]), "ms").seconds.to_list() == [5]
    assert parse_time(pl.Series([2, 0, 1]), "order").seconds.to_list() == [2, 0, 1]
    assert parse_time(pl.Series([1.5, 2.0]), "order").seconds.to_list() == [None, 2]


def test_numbers_that_look_like_dates_are_not_taken_for_seconds() -> None:
    with pytest.raises(TypeError, match=r"20240501, which look like dates"):
        parse_time(pl.Series([20240501, 20240502]))
    with pytest.raises(TypeError, match=r"times are dates, numbers or ISO text"):
        parse_time(pl.Series([[1]]))
