"""Groups and ties by one sort: the places that window functions give."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.ties import Ties

USERS = {
    "numbers": lambda value: value,
    "large": lambda value: value * 2**61,
    "text": lambda value: f"u{value}",
}


@given(
    rows=st.lists(st.tuples(st.integers(-2, 3), st.integers(-3, 3)), max_size=40),
    kind=st.sampled_from([*USERS, "enum"]),
    real=st.booleans(),
)
def test_places_are_those_of_windows(rows: list[tuple[int, int]], kind: str, real: bool) -> None:
    users = [USERS.get(kind, USERS["text"])(user) for user, _ in rows]
    schema = {"user": pl.String if kind in ("text", "enum") else pl.Int64, "time": pl.Int64}
    frame = pl.DataFrame({"user": users, "time": [time for _, time in rows]}, schema=schema)
    if kind == "enum":
        frame = frame.with_columns(pl.col("user").cast(pl.Enum(sorted(set(users)))))
    if real:
        frame = frame.with_columns(pl.col("time").cast(pl.Float64) / 7)
    ties = Ties.of(frame, ("user",), "time")
    size, before = pl.len().over("user").cast(pl.Int64), pl.col("time").rank("min").over("user").cast(pl.Int64) - 1
    own = pl.len().over("user", "time").cast(pl.Int64)
    expected = frame.select(
        size=size,
        dense=pl.col("time").rank("dense").over("user").cast(pl.Int64),
        ordinal=pl.col("time").rank("ordinal").over("user").cast(pl.Int64),
        from_end=pl.when(before == 0).then(size.cast(pl.Float64)).otherwise((2 * (size - before) - own - 1) / 2),
    )
    assert ties.rank(dense=True).to_list() == expected["dense"].to_list()
    assert ties.rank(dense=False).to_list() == expected["ordinal"].to_list()
    assert ties.spread(ties.group_size()).to_list() == expected["size"].to_list()
    assert ties.spread(ties.from_end()).to_list() == pytest.approx(expected["from_end"].to_list())
