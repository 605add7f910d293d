"""Made-up logs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodiff.data import prepare, read_log, synthesise, write_synthetic
from recodiff.data.synthetic import Taste
from recodiff.errors import ConfigError, DataError

SIZES = (300, 80, 6000)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(2, 40), st.floats(0, 1), st.integers(1, 200), st.integers(0, 5))
def test_sizes_are_exact_and_no_pair_stands_twice(users: int, items: int, fill: float, piece: int, seed: int) -> None:
    interactions = max(1, int(users * (items // 2) * fill))
    log = synthesise(users, items, interactions, seed=seed, taste=Taste(clusters=2), piece=piece)
    assert log.height == interactions == log.n_unique(["user", "item"])
    assert 0 <= log["item"].min() <= log["item"].max() < items  # type: ignore[operator]
    assert log["user"].n_unique() == min(users, interactions) or interactions < users
    assert log.select("user", "time").equals(log.select("user", "time").sort("user", "time"))


def test_the_same_seed_and_piece_give_the_same_log() -> None:
    one = synthesise(*SIZES, seed=4, piece=1000)
    assert one.equals(synthesise(*SIZES, seed=4, piece=1000))
    assert not one.equals(synthesise(*SIZES, seed=5, piece=1000))


def test_a_written_log_is_the_same_log_in_pieces_with_titles(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "made.parquet", *SIZES, seed=4, piece=1000)
    assert len(list((tmp_path / "made.parquet").glob("interactions-*.parquet"))) == 6
    log = read_log(tmp_path / "made.parquet")
    assert log.frame.equals(synthesise(*SIZES, seed=4, piece=1000))
    assert prepare(log).titles()[0] == "Item 0 of cluster 0"  # type: ignore[index]
    with pytest.raises(DataError, match=r"already holds data"):
        write_synthetic(tmp_path / "made.parquet", *SIZES)
    write_synthetic(tmp_path / "made.parquet", *SIZES, overwrite=True)


def test_no_piece_is_larger_than_asked(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "made", users=2000, items=5000, interactions=20_000, piece=500)
    heights = [pl.read_parquet(path).height for path in (tmp_path / "made").glob("interactions-*.parquet")]
    assert max(heights) <= 510
    assert sum(heights) == 20_000


def test_users_keep_to_their_group_and_items_follow_a_power_law() -> None:
    log = synthesise(2000, 800, 20_000, taste=Taste(clusters=4, loyalty=0.9, drift=0.0)).with_columns(cluster=pl.col("item") % 4)
    own = (
        log.group_by("user", "cluster").len().group_by("user").agg(pl.col("len").max() / pl.col("len").sum(), n=pl.col("len").sum())
    )
    assert own.filter(pl.col("n") >= 10)["len"].mean() > 0.85  # type: ignore[operator]
    counts = log.group_by("item").len()["len"].sort(descending=True).to_numpy()
    slope = np.polyfit(np.log(np.arange(4, 400)), np.log(counts[4:400]), 1)[0]
    assert -1.3 < slope < -0.7
    assert log.group_by("user").len()["len"].std() > 5  # type: ignore[operator]


def test_tastes_drift() -> None:
    def overlap(drift: float) -> float:
        log = synthesise(2000, 800, 20_000, taste=Taste(drift=drift)).sort("time")
        early, late = (part.group_by("item").len().top_k(50, by="len")["item"] for part in (log[:5000], log[-5000:]))
        return len(set(early) & set(late)) / 50

    assert overlap(0.0) > 0.6
    assert overlap(0.5) < 0.3


def test_a_flat_law_and_a_steep_one() -> None:
    tops = [
        synthesise(500, 100, 5000, taste=Taste(popularity=p, clusters=1)).group_by("item").len()["len"].max()
        for p in (0.0, 0.5, 1.5)
    ]
    assert all(a < b for a, b in pairwise(tops))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"users": 0}, r"users=0"),
        ({"items": 5}, r"each of 8 clusters needs an item"),
        ({"interactions": 300 * 41}, r"more than half of 300 users x 80 items"),
        ({"seed": -1}, r"seed=-1"),
        ({"piece": 0}, r"piece=0"),
    ],
)
def test_numbers_out_of_range_are_refused(sizes: dict[str, int], message: str) -> None:
    given: dict[str, Any] = {"users": 300, "items": 80, "interactions": 6000, **sizes}
    with pytest.raises(ConfigError, match=message):
        synthesise(**given)
    for bad in ({"clusters": 0}, {"loyalty": 1.5}, {"drift": -0.1}, {"popularity": -1.0}, {"days": 0}):
        with pytest.raises(ConfigError):
            Taste(**bad)  # type: ignore[arg-type]
