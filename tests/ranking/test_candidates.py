"""Ids are not taken for positions, nor positions for ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from echo import ITEMS, X, fitted
from recodiff import Candidates, recommend
from recodiff.data.interactions import IdMap
from recodiff.errors import DataError

NUMBERS = IdMap([5, 3, 0])


def test_ids_are_those_of_the_data_and_positions_those_of_the_catalogue() -> None:
    assert Candidates.ids([3, 5]).within(NUMBERS).tolist() == [1, 0]
    assert Candidates.positions([2, 0]).within(NUMBERS).tolist() == [2, 0]
    assert Candidates.ids(pl.Series(["i3", "i0"])).within(ITEMS).tolist() == [3, 0]
    assert Candidates.positions(np.array([], dtype=np.int64)).within(ITEMS).tolist() == []


def test_both_name_the_same_lists() -> None:
    lists = [
        recommend(fitted(), X, 3, candidates=candidates).items.tolist()
        for candidates in (Candidates.positions([0, 3]), Candidates.ids(["i0", "i3"]), ["i0", "i3"], np.array(["i3", "i0"]))
    ]
    assert lists == [[[0, -1, -1], [3, 0, -1], [3, 0, -1]]] * 4


@pytest.mark.parametrize("bare", [[0, 3], np.array([0, 3]), pl.Series([0]), (1.5,), ["i1", 3], "i1", 3, [True, False]])
def test_bare_numbers_may_be_either_and_are_refused(bare: Any) -> None:
    """They were taken for positions, silently where they were ids."""
    with pytest.raises(DataError, match=r"say Candidates\.ids\(.*Candidates\.positions"):
        recommend(fitted(), X, 2, candidates=bare)


@pytest.mark.parametrize("positions", [[-1, 2], [6], [1.7], ["i1"], [True, False, True]])
def test_positions_outside_the_catalogue_are_refused(positions: list[Any]) -> None:
    with pytest.raises(DataError, match="whole numbers from 0 to 5"):
        recommend(fitted(), X, 2, candidates=Candidates.positions(positions))


def test_unknown_ids_are_refused() -> None:
    with pytest.raises(DataError, match="unknown item 'i9'"):
        recommend(fitted(), X, 2, candidates=Candidates.ids(["i0", "i9"]), unknown="skip")
    with pytest.raises(DataError, match=r"Candidates\.ids\(\['i0'\]\)"):
        Candidates.ids("i0")
