"""Splits: nothing is lost, nothing lands twice, and time runs from train to valid to test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data import SPLITS, AsPublished, HeldOutUsers, LeaveLast, Random, Temporal, TemporalAt, TemporalGlobal
from recodiff.data.strategy import Split
from recodiff.errors import ConfigError, DataError

ORDER = {"train": 0, "fold_in": 0, "valid": 1, "test": 2}


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    """Few users, items and moments, so that ties and short histories abound."""
    keys = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), unique=True, min_size=1, max_size=50))
    times = draw(st.lists(st.integers(0, 6), min_size=len(keys), max_size=len(keys)))
    return pl.DataFrame({"user": [u for u, _ in keys], "item": [i for _, i in keys], "time": times})


shares = st.sampled_from([(0.1, 0.2), (0.0, 0.5), (0.5, 0.0), (0.33, 0.33), (0.01, 0.9)])
strategies = st.one_of(
    shares.map(lambda s: Temporal(*s)),
    shares.map(lambda s: TemporalGlobal(*s)),
    shares.map(lambda s: Random(*s, seed=3)),
    shares.map(lambda s: HeldOutUsers(*s, target=0.4, seed=3)),
    st.tuples(st.integers(0, 3), st.integers(1, 3)).map(lambda n: LeaveLast(*n)),
    st.sampled_from([TemporalAt(2, 4), TemporalAt(None, 3), TemporalAt(5, None), TemporalAt(3, 3)]),
)


def by_part(frame: pl.DataFrame, split: Split) -> list[str]:
    return split(frame, "clock")["part"].to_list()


def one_user(n: int, times: list[int] | None = None) -> pl.DataFrame:
    return pl.DataFrame({"user": [0] * n, "item": list(range(n)), "time": times or list(range(n))})


@given(logs(), strategies)
def test_nothing_is_lost_or_lands_twice(frame: pl.DataFrame, split: Split) -> None:
    marked = split(frame, "clock")
    assert marked.drop("part").equals(frame)
    assert set(marked["part"]) <= ORDER.keys()
    assert marked.schema["part"] == pl.String


@given(logs(), strategies)
def test_the_same_log_is_split_in_the_same_way(frame: pl.DataFrame, split: Split) -> None:
    assert by_part(frame, split) == by_part(frame, split)
    assert split == SPLITS[split.name](**{k: v for k, v in split.describe().items() if k != "strategy"})
    json.dumps(split.describe())


@given(logs(), strategies.filter(lambda split: split.needs != "nothing"))
def test_time_runs_from_train_to_valid_to_test_and_ties_follow_the_log(frame: pl.DataFrame, split: Split) -> None:
    marked = split(frame, "clock").sort("time", maintain_order=True)
    for (_,), history in marked.group_by("user"):
        assert all(ORDER[a] <= ORDER[b] for a, b in pairwise(history["part"]))
    if split.needs == "clock":
        assert all(ORDER[a] <= ORDER[b] for a, b in pairwise(marked["part"]))


@given(logs(), st.randoms(use_true_random=False), st.sampled_from([Random(0.2, 0.3), HeldOutUsers(0.3, 0.3, 0.5)]))
def test_random_splits_do_not_depend_on_the_order_of_the_log(frame: pl.DataFrame, random: Any, split: Split) -> None:
    frame = frame.drop("time")
    order = list(range(frame.height))
    random.shuffle(order)
    key = ["user", "item", "part"]
    assert split(frame, None).select(key).sort(key).equals(split(frame[order], None).select(key).sort(key))


@given(logs(), shares)
def test_everyone_keeps_something_to_train_on(frame: pl.DataFrame, share: tuple[float, float]) -> None:
    for split in (Temporal(*share), Random(*share), LeaveLast(2, 2)):
        assert split(frame, "clock").filter(part="train")["user"].n_unique() == frame["user"].n_unique()


def test_shares_of_each_history() -> None:
    assert by_part(one_user(10), Temporal(0.1, 0.2)) == ["train"] * 7 + ["valid"] + ["test"] * 2
    assert by_part(one_user(4), Temporal(0.1, 0.2)) == ["train"] * 4
    assert by_part(one_user(100), Temporal(0.29, 0.29)).count("valid") == 29
    assert by_part(one_user(4, [3, 1, 1, 1]), Temporal(0.25, 0.25)) == ["test", "train", "train", "valid"]
    assert sorted(by_part(one_user(10), Random(0.1, 0.2))) == ["test"] * 2 + ["train"] * 7 + ["valid"]


def test_one_moment_for_all() -> None:
    frame = one_user(10, [0, 1, 2, 3, 4, 5, 6, 8, 8, 9])
    assert by_part(frame, TemporalGlobal(0.2, 0.2)) == ["train"] * 6 + ["valid"] + ["test"] * 3
    assert by_part(frame, TemporalGlobal(0.01, 0.01)) == ["train"] * 10
    assert by_part(frame, TemporalAt("1970-01-01T00:00:08", datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)))[-3:] == [
        "valid",
        "valid",
        "test",
    ]
    assert by_part(frame, TemporalAt(test_from="8")) == ["train"] * 7 + ["test"] * 3


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, "train"), (2, "train test"), (3, "train valid test"), (4, "train train valid test")],
)
def test_the_last_of_short_histories(n: int, expected: str) -> None:
    assert by_part(one_user(n), LeaveLast()) == expected.split()


def test_held_out_users_are_folded_in_or_predicted_never_trained_on() -> None:
    frame = pl.concat([one_user(10).with_columns(user=pl.lit(user)) for user in range(10)])
    parts = HeldOutUsers(valid=0.2, test=0.3, target=0.25)(frame, "clock").group_by("user").agg("part")["part"].to_list()
    held = [history for history in parts if "train" not in history]
    assert sorted(history[-1] for history in held) == ["test"] * 3 + ["valid"] * 2
    assert all(history == ["fold_in"] * 8 + [history[-1]] * 2 for history in held)
    assert by_part(one_user(1), HeldOutUsers(0, 0.9)) == ["train"]


def test_published_parts_stay_and_a_missing_validation_part_is_carved_from_train() -> None:
    frame = pl.DataFrame({"user": [0] * 13, "item": list(range(13)), "part": ["train"] * 10 + ["test"] * 3})
    carved = AsPublished(valid=0.2, seed=1)(frame, None)["part"]
    assert carved.value_counts().sort("part").rows() == [("test", 3), ("train", 8), ("valid", 2)]
    assert carved[10:].to_list() == ["test"] * 3
    assert AsPublished(valid=0)(frame, None).equals(frame)
    published = frame.with_columns(part=pl.Series(["valid"] + ["train"] * 12))
    assert AsPublished()(published, None).equals(published)
    with pytest.raises(DataError, match=r"needs a log that comes split"):
        AsPublished()(frame.drop("part"), None)


@pytest.mark.parametrize("split", [Temporal(), TemporalGlobal(), TemporalAt(1, 2), LeaveLast()])
def test_order_aware_splits_refuse_data_without_time(split: Split) -> None:
    with pytest.raises(DataError, match=f"the split '{split.name}' needs to know what came first, and this log has no time"):
        split(one_user(3).drop("time"), None)


@pytest.mark.parametrize("split", [TemporalGlobal(), TemporalAt(1, 2)])
def test_ranks_do_not_compare_across_users(split: Split) -> None:
    with pytest.raises(DataError, match=r"compares users' times"):
        split(one_user(3), "order")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Temporal(0.5, 0.5),
        lambda: Random(-0.1, 0.2),
        lambda: Random(seed=-1),
        lambda: HeldOutUsers(target=1.0),
        lambda: LeaveLast(0, 0),
        lambda: LeaveLast(-1, 1),
        lambda: TemporalAt(),
        lambda: TemporalAt(5, 4),
        lambda: TemporalAt("yesterday"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_what_a_split_promises() -> None:
    assert Temporal(0, 0.2).promises() == ["train", "test"]
    assert TemporalAt(test_from=5).promises() == ["train", "test"]
    assert HeldOutUsers().promises() == ["train", "valid", "test"]
