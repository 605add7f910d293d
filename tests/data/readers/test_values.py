"""What the values of ids and weights mean."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.readers.values import parse_ids, parse_weight


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
