"""Histories too short for shares: the usual split still gives parts, and says so."""

from __future__ import annotations

import polars as pl
import pytest

from recodiff import LeaveLast, prepare
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
    with pytest.raises(DataError, match=r"leaves the part 'valid' empty: 180 interactions of 30 users do not suffice; choose"):
        prepare(clicks(), split="temporal")


def test_a_split_may_be_named() -> None:
    assert prepare(clicks(), split="leave-last").fingerprint() == prepare(clicks(), split=LeaveLast()).fingerprint()
    with pytest.raises(ConfigError, match=r"split='leave last' is no strategy; give one such as recodiff.LeaveLast\(\)"):
        prepare(clicks(), split="leave last")
