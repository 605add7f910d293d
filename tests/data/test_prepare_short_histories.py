"""Histories too short for shares: the usual split still gives parts, and says so."""

from __future__ import annotations

import polars as pl
import pytest

from recodiff import LeaveLast, Random, prepare
from recodiff.data import read_log
from recodiff.errors import ConfigError, DataError, RecodiffWarning


def clicks(each: int = 6) -> pl.DataFrame:
    """Thirty users with so many interactions each, one at a time."""
    rows = [(f"u{user}", f"i{(user + step) % 12}", 86400 * step + user) for user in range(30) for step in range(each)]
    return pl.DataFrame(rows, schema=["user", "item", "timestamp"], orient="row")


def test_the_usual_split_takes_the_newest_events_where_shares_give_nothing() -> None:
    with pytest.warns(RecodiffWarning, match="histories are too short for a tenth of each"):
        data = prepare(clicks())
    assert {name: part.nnz for name, part in data.parts().items()} == {"train": 120, "valid": 30, "test": 30}
    assert data.info["split"] == LeaveLast().describe()


def test_long_histories_keep_their_shares() -> None:
    assert prepare(clicks(12)).info["split"]["strategy"] == "temporal"


def test_a_split_that_was_asked_for_is_refused_and_no_event_is_blamed() -> None:
    with pytest.raises(
        DataError, match=r"the part 'valid' empty: 180 interactions of 30 users do not suffice .*; choose"
    ) as caught:
        prepare(clicks(), split="temporal")
    assert "--events" not in str(caught.value)


@pytest.mark.parametrize(("first", "second"), [(4, 16), (16, 4), (10, 10), (1, 5)])
def test_two_baskets_are_refused_with_the_number_of_users_or_split_as_asked(first: int, second: int) -> None:
    rows = [(u, i, 1_600_000_000 + 86_400 * (i >= first)) for u in range(30) for i in range(first + second)]
    log = pl.DataFrame(rows, schema=["user", "item", "timestamp"], orient="row")
    with pytest.raises(DataError, match=r"'valid' empty: .* of 30 users .*0 have one event, 30 two.*--valid 0.*--events split"):
        prepare(log)
    assert {name: part.nnz for name, part in prepare(log, split=LeaveLast(valid=0)).parts().items()} == {
        "train": 30 * first,
        "test": 30 * second,
    }
    with pytest.raises(DataError, match=r"30 two, the most 2\); do without a validation part .--split leave-last --valid 0"):
        prepare(log, split="temporal")
    one = log.with_columns(timestamp=pl.lit(1_600_000_000))
    with pytest.raises(DataError, match=r"all 30 users stay in train.*let rows of equal time stand alone \(--events split\)"):
        prepare(one)


def test_short_histories_without_times_are_told_which_shares_would_do() -> None:
    with pytest.raises(DataError, match=r"the most 6\); choose larger shares, such as --split random --valid 0.34 --test 0.34"):
        prepare(clicks().drop("timestamp"))
    assert prepare(clicks().drop("timestamp"), split=Random(0.34, 0.34)).test is not None
    with pytest.raises(DataError, match=r"such as --split random --valid 0 --test 0.5"):
        prepare(clicks(2).drop("timestamp"))
    assert prepare(clicks(2).drop("timestamp"), split=Random(0, 0.5)).test is not None


def test_a_split_may_be_named() -> None:
    assert prepare(clicks(), split="leave-last").fingerprint() == prepare(clicks(), split=LeaveLast()).fingerprint()
    with pytest.raises(ConfigError, match=r"split='leave last' is no strategy; give .*LeaveLast\(\), did you mean 'leave-last'\?"):
        prepare(clicks(), split="leave last")


@pytest.mark.parametrize(("given", "hint"), [("hole", "did you mean 'whole'"), ("baskets", "choose one of whole, ordered, split")])
def test_events_of_another_name_are_answered_with_the_right_one(given: str, hint: str) -> None:
    for log in (clicks(), clicks().drop("timestamp")):
        with pytest.raises(ConfigError, match=f"events='{given}' is unknown; {hint}"):
            prepare(log, events=given)  # type: ignore[arg-type]


def test_no_random_split_where_an_unread_column_looks_like_a_time() -> None:
    log = clicks().with_columns(pl.col("timestamp") + 1_600_000_000).rename({"timestamp": "t_dat"})
    with pytest.raises(DataError, match=r"no column that is clearly the time.*time='t_dat' \(--time-column\).*--split random"):
        prepare(log)
    assert prepare(log, split=Random(0.34, 0.34)).info["split"]["strategy"] == "random"
    long = clicks(12).with_columns(pl.col("timestamp") + 1_600_000_000).rename({"timestamp": "t_dat"})
    assert prepare(read_log(long, time=False)).info["split"]["strategy"] == "random"
