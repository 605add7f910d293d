"""From histories to recommendations: what is checked, weighted, masked and ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from echo import ITEMS, Echo, X, fitted
from recodiff import Candidates, Run, history_of, recommend
from recodiff.data.interactions import Events, IdMap, Interactions
from recodiff.data.weighting import HalfLife
from recodiff.errors import ConfigError, DataError, ModelError, RecodiffWarning
from recodiff.models.base import ModelConfig
from recodiff.ranking.recommend import without_newest
from recodiff.runtime import memory


@pytest.fixture
def echo() -> Echo:
    return fitted()


def test_the_best_unseen_come_first(echo: Echo) -> None:
    lists = recommend(echo, X, 3)
    assert lists.items.tolist() == [[4, 2, 1], [5, 3, 2], [5, 4, 3]]
    frame = lists.to_frame([f"Title {n}" for n in range(6)])
    assert frame.columns == ["user", "rank", "item", "score", "title"]
    assert frame.row(0) == ("a", 1, "i4", 4.0, "Title 4")


def test_seen_items_may_be_asked_for(echo: Echo) -> None:
    assert recommend(echo, X, 2, exclude_seen=False).items.tolist() == [[5, 3], [4, 5], [5, 4]]


def test_further_items_are_left_out_user_by_user(echo: Echo) -> None:
    exclude = Interactions.from_arrays([0, 2], [4, 5], X.users, ITEMS, times=[9, 9], time_kind="order")
    assert recommend(echo, X, 2, exclude=exclude).items.tolist() == [[2, 1], [5, 3], [4, 3]]


def test_candidates_are_the_only_items_ranked(echo: Echo) -> None:
    assert recommend(echo, X, 3, candidates=Candidates.positions([0, 3])).items.tolist() == [[0, -1, -1], [3, 0, -1], [3, 0, -1]]


def test_the_models_weighting_is_applied_to_the_history() -> None:
    model = Echo(ModelConfig(weighting=HalfLife(half_life=1, floor=0))).fit(X, Run(device="cpu"))
    scores = recommend(model, X.take([0]), 6, exclude_seen=False)
    assert scores.scores[0, :2].tolist() == [13.0, 10.0]  # newest: 3 + 10; one before: 5 + 10 / 2
    assert scores.items[0, :2].tolist() == [3, 5]


def test_an_item_of_weight_zero_is_still_seen(echo: Echo) -> None:
    zero = X.with_values(np.zeros(X.nnz))
    assert recommend(echo, zero, 3).items.tolist() == [[4, 2, 1], [5, 3, 2], [5, 4, 3]]


def test_the_batch_size_changes_nothing(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recommend(echo, X, 4)
    monkeypatch.setattr(memory, "MOST_USERS", 2)
    assert recommend(echo, X, 4).items.tolist() == whole.items.tolist()


def test_nobody_gets_no_lists(echo: Echo) -> None:
    assert recommend(echo, X.take([]), 3).to_frame().height == 0


def test_typed_histories_keep_their_order_and_refuse_repeats(echo: Echo) -> None:
    x = history_of(echo, ["i3", "i0"], [], ["i5"])
    assert x.matrix.indices.tolist() == [3, 0, 5]
    assert x.lengths().tolist() == [2, 0, 1]
    with pytest.raises(DataError, match="stand together twice"):
        history_of(echo, ["i3", "i3"])


def test_scores_that_are_nan_or_of_another_shape_are_refused(echo: Echo) -> None:
    echo.base[2] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        recommend(echo, X, 2)
    echo.score = lambda batch: torch.zeros(1, 3)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="scores of shape"):
        recommend(echo, X, 2)


def test_a_history_is_a_sequence(echo: Echo) -> None:
    with pytest.raises(DataError, match="sequence of item ids"):
        history_of(echo, "i3")


def test_histories_before_their_newest_interaction() -> None:
    before = without_newest(X)
    assert before.matrix.toarray().tolist() == [[0, 0, 0, 0, 0, 1], [0] * 6, [0] * 6]
    assert before.users == X.users


@pytest.mark.parametrize(("events", "left"), [("whole", [[0], []]), ("ordered", [[0], []]), ("split", [[0, 1], [3]])])
def test_histories_before_their_newest_event(events: Events, left: list[list[int]]) -> None:
    x = Interactions.from_arrays(
        [0, 0, 0, 1, 1],
        [0, 1, 2, 3, 4],
        IdMap.range(2),
        IdMap.range(5),
        times=[1, 2, 2, 7, 7],
        time_kind="clock",
        events=events,
    )
    before = without_newest(x).matrix
    assert [row.nonzero()[0].tolist() for row in before.toarray()] == left


# One border


class Counted(IdMap):
    """Counts how often it is asked whether it is another map."""

    asked = 0

    def __eq__(self, other: object) -> bool:
        Counted.asked += 1
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("unknown", ["refuse", "skip"])
def test_a_history_is_checked_once(echo: Echo, monkeypatch: pytest.MonkeyPatch, unknown: Any) -> None:
    history = Interactions(X.matrix, X.times, X.time_kind, X.users, Counted(ITEMS.ids))
    monkeypatch.setattr(Counted, "asked", 0)
    lists = recommend(echo, history, 3, unknown=unknown)
    assert Counted.asked == 1
    assert lists.items.tolist() == recommend(echo, X, 3).items.tolist()


def test_further_items_of_other_users_are_refused(echo: Echo) -> None:
    for exclude_seen in (True, False):
        with pytest.raises(DataError, match="take both parts from one data folder"):
            recommend(echo, X, 2, exclude=X.take([0]), exclude_seen=exclude_seen)


@pytest.mark.parametrize("k", [0, 7, -1, 2.5, True, "3"])
def test_a_length_outside_the_catalogue_is_refused(echo: Echo, k: Any) -> None:
    with pytest.raises(ModelError, match=r"lies outside 1\.\.6"):
        recommend(echo, X, k)
    with pytest.raises(ModelError, match=r"lies outside 1\.\.6"):
        recommend(echo, X.take([]), k)


# Items that the model does not know


def test_a_typed_history_is_answered_from_what_is_known_of_it(echo: Echo) -> None:
    with pytest.raises(DataError, match="unknown item 'new'"):
        history_of(echo, ["i3", "new"])
    with pytest.warns(RecodiffWarning, match=r"3 of 5 items of the history .* left out: 'new', 'old'") as warned:
        x = history_of(echo, ["new", "i3", "old", "i0"], ["new"], unknown="skip")
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert x.matrix.indices.tolist() == [3, 0]
    assert x.lengths().tolist() == [2, 0]
    assert recommend(echo, x, 2).items.tolist() == recommend(echo, history_of(echo, ["i3", "i0"], []), 2).items.tolist()


def test_a_history_over_more_items_is_answered_from_what_is_known_of_it(echo: Echo) -> None:
    wider = IdMap([*(f"new{n}" for n in range(5)), *ITEMS.ids.reverse()])
    x, _ = X.over(wider)
    x = x.union(Interactions.from_arrays([2, 0, 0, 0], [0, 1, 2, 3], x.users, wider, times=[8, 9, 10, 11], time_kind="order"))
    exclude = Interactions.from_arrays([0], [10 - 4], X.users, wider, times=[9], time_kind="order")  # i4
    with pytest.raises(DataError, match="not the model's 6"):
        recommend(echo, x, 2)
    with pytest.warns(RecodiffWarning, match=r"4 of 7 items .* 'new1', 'new2', 'new3' and 1 more") as warned:
        lists = recommend(echo, x, 2, exclude=exclude, unknown="skip")
    assert warned[0].filename == __file__
    assert lists.items.tolist() == [[2, 1], [5, 3], [5, 4]]
    assert lists.catalogue == ITEMS


def test_a_history_without_any_known_item_is_refused(echo: Echo) -> None:
    """Ids of another kind, or of another catalogue: a list from an empty history would hide the mistake."""
    with pytest.raises(DataError, match="unknown item 7"):
        history_of(echo, [7, 8], unknown="skip")
    numbers = Interactions.from_arrays([0], [3], IdMap(["a"]), IdMap.range(6))
    with pytest.raises(DataError, match=r"none of the items of the history, for example 3; .* 'i0'"):
        recommend(echo, numbers, 2, unknown="skip")
    with pytest.raises(ConfigError, match="give 'refuse' or 'skip'"):
        history_of(echo, ["i3"], unknown="drop")  # pyright: ignore[reportArgumentType]


def test_no_history_is_no_unknown_one(echo: Echo) -> None:
    assert history_of(echo, [], unknown="skip").lengths().tolist() == [0]
    nobody = Interactions.from_arrays([], [], IdMap(["a"]), IdMap.range(6))
    assert recommend(echo, nobody, 2, unknown="skip").items.tolist() == [[5, 4]]
