"""Sorting by counting is the stable sort, and codes stand for sorted ids."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.order import by_code, by_value, coded, how_many, rows_in_order, stand_in_order

WIDE = st.integers(-(2**63), 2**63 - 1)
rows = st.lists(st.tuples(st.integers(0, 4), st.one_of(st.integers(-3, 3), WIDE), st.integers(0, 3)), max_size=40)


@given(rows)
def test_each_order_is_the_stable_one(found: list[tuple[int, int, int]]) -> None:
    user, time, item = (
        (np.array(column, dtype=np.int64) for column in zip(*found, strict=True)) if found else (np.zeros(0, np.int64),) * 3
    )
    assert by_code(user, 5).tolist() == np.argsort(user, kind="stable").tolist()
    assert by_value(time).tolist() == np.argsort(time, kind="stable").tolist()
    before = np.lexsort((item,))
    assert by_value(time, before).tolist() == np.lexsort((item, time)).tolist()
    for keys, order in (
        ((user, time), rows_in_order(user, 5, time)),
        ((user, time, item), rows_in_order(user, 5, time, item, 4)),
        ((user, item), rows_in_order(user, 5, None, item, 4)),
    ):
        expected = np.lexsort(tuple(reversed(keys)))
        assert stand_in_order(list(keys)) == (expected.tolist() == list(range(len(user))))
        assert (np.arange(len(user)) if order is None else order).tolist() == expected.tolist()


@given(st.one_of(st.lists(st.integers(-5, 5)), st.lists(WIDE), st.lists(st.text("ab0", max_size=3))))
def test_codes_are_positions_among_the_sorted_ids(ids: list) -> None:
    known, codes = coded(pl.Series("id", ids, dtype=pl.String if ids and isinstance(ids[0], str) else pl.Int64))
    assert known.to_list() == sorted(set(ids))
    assert [known[code] for code in codes] == ids
    assert codes.dtype == pl.UInt32
    assert how_many(codes) == len(set(ids))


@pytest.mark.parametrize("low", [-(2**63), 2**62])
def test_ids_far_from_zero_take_no_table(low: int) -> None:
    known, codes = coded(pl.Series("id", [low + 2**40, low, low + 2**40]))
    assert (known.to_list(), codes.to_list()) == ([low, low + 2**40], [1, 0, 1])
