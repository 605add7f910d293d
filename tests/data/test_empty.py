"""Parts that a split leaves empty."""

from __future__ import annotations

import polars as pl

from recodiff import LeaveLast
from recodiff.data.empty import empty_parts, why_empty

LOG = pl.DataFrame({"user": [0, 0, 0, 1], "time": [5, 5, 6, 7]})


def test_what_is_empty_and_why() -> None:
    marked = pl.DataFrame({"part": ["train", "test"]})
    assert empty_parts(LeaveLast(), marked) == ["valid"]
    assert empty_parts(LeaveLast(valid=0), marked) == []
    assert empty_parts(LeaveLast(), pl.DataFrame({"part": ["mine"]})) == []
    assert "4 interactions of 2 users do not suffice where events" in why_empty(LOG, LeaveLast(), "whole", "valid")
