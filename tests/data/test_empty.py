"""Parts that a split leaves empty."""

from __future__ import annotations

import polars as pl
import pytest

from recodiff import LeaveLast
from recodiff.data.empty import empty_parts, history_sizes, why_empty
from recodiff.data.interactions import Events

LOG = pl.DataFrame({"user": [0, 0, 0, 1], "time": [5, 5, 6, 7]})


@pytest.mark.parametrize(("events", "sizes"), [("whole", [2, 1]), ("split", [3, 1])])
def test_histories_are_counted_in_events(events: Events, sizes: list[int]) -> None:
    found = history_sizes(LOG, events).sort("len", descending=True)
    assert found["size"].to_list() == sizes
    assert found["len"].to_list() == [3, 1]


def test_what_is_empty_and_why() -> None:
    assert empty_parts(LeaveLast(), {"train", "test"}) == ["valid"]
    assert empty_parts(LeaveLast(valid=0), {"train", "test"}) == []
    assert empty_parts(LeaveLast(), {"mine"}) == []
    assert "4 interactions of 2 users do not suffice where events" in why_empty(
        history_sizes(LOG, "whole"), lambda: LOG["time"], LeaveLast(), "whole", "valid"
    )
