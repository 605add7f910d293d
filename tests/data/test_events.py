"""Events of equal time: no strategy cuts one, the order of their rows does not matter, and shares stay near what was asked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data import HeldOutUsers, LeaveLast, Random, Temporal, TemporalAt, TemporalGlobal, prepare
from recodiff.data.interactions import Events
from recodiff.data.strategy import Split
from recodiff.errors import DataError

ORDER = {"train": 0, "fold_in": 0, "valid": 1, "test": 2}
UNCUT: tuple[Events, Events] = ("whole", "ordered")

shares = st.sampled_from([(0.1, 0.2), (0.0, 0.5), (0.5, 0.0), (0.33, 0.33), (0.01, 0.9)])
strategies = st.one_of(
    shares.map(lambda s: Temporal(*s)),
    shares.map(lambda s: TemporalGlobal(*s)),
    shares.map(lambda s: Random(*s, seed=3)),
    shares.map(lambda s: HeldOutUsers(*s, target=0.4, seed=3)),
    st.tuples(st.integers(0, 3), st.integers(1, 3)).map(lambda n: LeaveLast(*n)),
    st.sampled_from([TemporalAt(2, 4), TemporalAt(None, 3), TemporalAt(5, None), TemporalAt(3, 3)]),
)


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    """Few users, items and moments, so that events of many items abound."""
    keys = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), unique=True, min_size=1, max_size=50))
    times = draw(st.lists(st.integers(0, 6), min_size=len(keys), max_size=len(keys)))
    return pl.DataFrame({"user": [u for u, _ in keys], "item": [i for _, i in keys], "time": times})


def user_of(*sizes: int) -> pl.DataFrame:
    """One user whose events have these sizes."""
    times = [time for time, size in enumerate(sizes) for _ in range(size)]
    return pl.DataFrame({"user": [0] * len(times), "item": range(len(times)), "time": times})


def parts_of(sizes: tuple[int, ...], split: Split, events: Events = "whole") -> list[str]:
    """The part of each event of a user whose events have these sizes."""
    marked = split(user_of(*sizes), "clock", events).group_by("time", maintain_order=True).agg(pl.col("part").unique())
    assert all(len(parts) == 1 for parts in marked["part"])
    return [parts[0] for parts in marked["part"]]


@given(logs(), strategies, st.sampled_from(UNCUT))
def test_no_event_is_ever_split(frame: pl.DataFrame, split: Split, events: Events) -> None:
    marked = split(frame, "clock", events)
    assert marked.drop("part").equals(frame)
    assert marked.group_by("user", "time").agg(pl.col("part").n_unique())["part"].to_list() == [1] * frame.n_unique(
        ["user", "time"]
    )


@given(logs(), strategies, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(frame: pl.DataFrame, split: Split, random: Any) -> None:
    order = list(range(frame.height))
    random.shuffle(order)
    key = ["user", "item", "time", "part"]
    one, other = (split(rows, "clock", "whole").select(key).sort(key) for rows in (frame, frame[order]))
    assert one.equals(other)


@given(logs(), strategies.filter(lambda split: split.needs != "nothing"))
def test_time_runs_from_part_to_part(frame: pl.DataFrame, split: Split) -> None:
    for (_,), history in split(frame, "clock", "whole").sort("time").group_by("user", maintain_order=True):
        assert all(ORDER[a] <= ORDER[b] for a, b in pairwise(history["part"]))


@given(logs(), strategies, st.sampled_from(UNCUT))
def test_of_distinct_times_nothing_changes(frame: pl.DataFrame, split: Split, events: Events) -> None:
    frame = frame.with_columns(time=pl.int_range(pl.len()))
    assert split(frame, "clock", events).equals(split(frame, "clock", "split"))


@given(logs(), shares)
def test_everyone_keeps_the_oldest_event_to_train_on(frame: pl.DataFrame, share: tuple[float, float]) -> None:
    for split in (Temporal(*share), Random(*share), LeaveLast(2, 2)):
        assert split(frame, "clock", "whole").filter(part="train")["user"].n_unique() == frame["user"].n_unique()


@given(logs(), st.sampled_from([0.1, 0.3, 0.5]))
def test_a_boundary_moves_to_the_nearer_end_of_the_event(frame: pl.DataFrame, share: float) -> None:
    marked = Temporal(0.0, share)(frame, "clock", "whole").sort("time")
    for (_,), history in marked.group_by("user", maintain_order=True):
        sizes = history.group_by("time", maintain_order=True).len()["len"].to_list()
        asked, found = int(len(history) * share + 1e-9), history.filter(part="test").height
        possible = [sum(sizes[first:]) for first in range(1, len(sizes) + 1)]
        assert abs(found - asked) == min(abs(size - asked) for size in possible)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((4,), "train"),
        ((5, 5), "train valid"),  # of 10 the last 2 are asked for, and 0 is nearer than 5; the 3 last, and 5 is nearer than 0
        ((7, 3), "train test"),
        ((6, 4), "train test"),  # 4 is as near to 2 as 0: the later part
        ((6, 1, 1, 2), "train train valid test"),
        ((1, 9), "train train"),
    ],
)
def test_events_of_a_history_by_shares(sizes: tuple[int, ...], expected: str) -> None:
    assert parts_of(sizes, Temporal(0.1, 0.2)) == expected.split()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((3,), "train"), ((3, 2), "train test"), ((1, 4, 2), "train valid test"), ((1, 1, 4, 2), "train train valid test")],
)
def test_the_last_event_is_left_out_whole(sizes: tuple[int, ...], expected: str) -> None:
    assert parts_of(sizes, LeaveLast()) == expected.split()


def test_a_user_of_one_event_is_not_held_out() -> None:
    frame = pl.concat(
        [user_of(3), user_of(2, 1).with_columns(user=pl.lit(1, pl.Int64)), user_of(9, 9).with_columns(user=pl.lit(2, pl.Int64))]
    )
    marked = HeldOutUsers(0.0, 0.9, 0.1)(frame, "clock", "whole")
    assert set(marked.filter(user=0)["part"]) == {"train"}
    for user in (1, 2):
        assert marked.filter(user=user).group_by("time", maintain_order=True).agg(pl.col("part").first())["part"].to_list() == [
            "fold_in",
            "test",
        ]


@pytest.mark.parametrize(
    ("sizes", "shares", "parts"),
    [
        ((4, 4, 4, 4), (0.25, 0.25), ["train", "train", "valid", "test"]),
        ((5, 9, 6), (0, 0.5), ["train", "train", "test"]),  # 10 are asked for: 6 are nearer than 15
        ((5, 9, 6), (0, 0.6), ["train", "test", "test"]),
        ((6, 8, 6), (0, 0.5), ["train", "test", "test"]),  # as near to both: the middle is the boundary
        ((1, 19), (0, 0.2), ["train", "test"]),  # what is asked for is not left empty
        ((19, 1), (0, 0.9), ["train", "test"]),  # nor is train
    ],
)
def test_one_moment_for_all_begins_at_the_nearer_end(sizes: tuple[int, ...], shares: tuple[float, float], parts: list[str]) -> None:
    for events in (*UNCUT, "split"):
        assert parts_of(sizes, TemporalGlobal(*shares), events) == parts


@pytest.mark.parametrize("split", [TemporalGlobal(), TemporalAt(10**9 + 1, 10**9 + 2)])
def test_a_moment_that_leaves_a_part_empty_has_a_remedy_that_helps(split: Split) -> None:
    log = user_of(5, 5, 5, 5).with_columns(time=pl.col("time") * 86400 + 10**9)
    with pytest.raises(DataError, match=r"distinct times, from 2001-09-09T01:46:40 to 2001-09-12.*--split temporal-at") as caught:
        prepare(log, split=split)
    assert "--events" not in str(caught.value)
    prepare(log, split=TemporalAt("2001-09-11", "2001-09-12"))
