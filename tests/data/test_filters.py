"""Minimum weight, duplicates and cores."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.filters import deduplicate, k_core, min_weight
from recodiff.errors import ConfigError, DataError

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), unique=True)


def table(rows: list[tuple], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=[(name, pl.Int64) for name in columns], orient="row")


def test_a_minimum_weight_keeps_equals() -> None:
    frame = table([(1, 1, 3), (1, 2, 4), (2, 1, 5)], "user", "item", "weight")
    assert min_weight(frame, 4).rows() == [(1, 2, 4), (2, 1, 5)]
    with pytest.raises(DataError, match=r"a minimum weight of 4 needs a rating or count column"):
        min_weight(frame.drop("weight"), 4)


def test_first_and_last_are_meant_in_time() -> None:
    frame = table([(1, 1, 9, 0), (1, 1, 3, 1), (1, 1, 9, 2), (2, 1, 5, 3), (1, 1, 3, 4)], "user", "item", "time", "row")
    assert deduplicate(frame, "first")["row"].to_list() == [1, 3]
    assert deduplicate(frame, "last")["row"].to_list() == [3, 2]


def test_without_time_first_and_last_are_meant_in_the_log() -> None:
    frame = table([(1, 1, 0), (2, 1, 1), (1, 1, 2)], "user", "item", "row")
    assert deduplicate(frame, "first")["row"].to_list() == [0, 1]
    assert deduplicate(frame, "last")["row"].to_list() == [1, 2]


def test_repeats_can_be_refused() -> None:
    frame = table([(1, 1), (2, 5), (1, 1), (1, 1)], "user", "item")
    with pytest.raises(DataError, match=r"user 1 and item 1 stand together more than once \(2 repeats in all\)"):
        deduplicate(frame, "refuse")
    assert deduplicate(frame[:2], "refuse").height == 2
    with pytest.raises(ConfigError, match=r"'newest'; choose 'first', 'last' or 'refuse'"):
        deduplicate(frame, "newest")  # type: ignore[arg-type]


def test_parts_of_a_split_log_may_share_a_pair() -> None:
    frame = pl.DataFrame({"user": [1, 1, 1], "item": [2, 2, 2], "part": ["train", "test", "train"]})
    assert deduplicate(frame)["part"].to_list() == ["train", "test"]


def test_a_core_is_reached_only_after_several_rounds() -> None:
    chain = table([(user, item) for user in range(5) for item in (user, user + 1)], "user", "item")
    assert k_core(chain, users=2, items=2).is_empty()
    square = table([(7, 8), (7, 9), (8, 8), (8, 9)], "user", "item")
    assert k_core(pl.concat([chain, square]), users=2, items=2).rows() == square.rows()
    assert k_core(chain, users=1, items=0).rows() == chain.rows()
    with pytest.raises(ConfigError, match=r"a core of -1 a user"):
        k_core(chain, users=-1)


@given(pairs, st.integers(0, 4), st.integers(0, 4))
def test_a_core_is_the_largest_fixed_point(rows: list[tuple[int, int]], users: int, items: int) -> None:
    frame = table(rows, "user", "item")
    core = k_core(frame, users, items)
    left = set(rows)
    while True:  # the definition, one pair at a time
        weak = {(u, i) for u, i in left if sum(x == u for x, _ in left) < users or sum(y == i for _, y in left) < items}
        if not weak:
            break
        left -= weak
    assert core.rows() == [row for row in rows if row in left]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3))), st.sampled_from(["first", "last"]))
def test_deduplication_keeps_each_pair_once(rows: list[tuple[int, int, int]], keep: str) -> None:
    frame = table(rows, "user", "item", "time").with_row_index("row")
    kept = deduplicate(frame, keep)  # type: ignore[arg-type]
    pick = min if keep == "first" else max
    expected = {
        pick((time, row) for row, (u, i, time) in enumerate(rows) if (u, i) == pair)[1] for pair in {(u, i) for u, i, _ in rows}
    }
    assert set(kept["row"]) == expected
