"""Lists of a model for all that other packages take a mean over, and its whole rankings."""

from __future__ import annotations

import numpy as np
import pytest

from recodiff.data.interactions import IdMap, Interactions
from recodiff.evaluation import model_lists
from recodiff.evaluation.conventions import judge
from recodiff.evaluation.evaluate import evaluate_lists
from recodiff.evaluation.metrics import parse_all
from recodiff.evaluation.model_lists import judged_rankings, lists_for_everyone
from recodiff.evaluation.peers import formulas, peers
from recodiff.evaluation.protocol import Task
from recodiff.models.popularity import Popularity

USERS, ITEMS = 5, 7


def task() -> Task:
    """User 0 has both parts, 1 a history alone, 2 a truth alone, 3 neither, 4 both."""
    users, items = IdMap.range(USERS), IdMap.range(ITEMS)
    history = Interactions.from_arrays([0, 0, 1, 4], [0, 1, 0, 2], users, items)
    return Task(history, Interactions.from_arrays([0, 0, 2, 4], [3, 6, 0, 1], users, items), history)


def fitted(given: Task) -> Popularity:
    model = Popularity()
    model.fit(given.history)
    return model


def test_lists_are_of_users_with_a_history_or_a_truth():
    given = task()
    lists, users = lists_for_everyone(fitted(given), given, 99)
    assert users.tolist() == [0, 1, 2, 4]
    assert lists.shape == (4, ITEMS)
    assert (lists[0] >= 0).sum() == ITEMS - 2


@pytest.mark.parametrize("at_once", [1, 2, 1024])
def test_whole_rankings_are_the_same_however_many_users_are_judged_at_once(monkeypatch: pytest.MonkeyPatch, at_once: int):
    monkeypatch.setattr(model_lists, "users_at_once", lambda *_, **__: at_once * model_lists.ARRAYS)
    given = task()
    model = fitted(given)
    parts = list(judged_rankings(model, given))
    assert max(len(part.hits) for part in parts) == min(at_once, 3)
    lists, users = lists_for_everyone(model, given, ITEMS)
    with_truth = given.truth.lengths()[users] > 0
    whole = judge(lists[with_truth], users[with_truth], given.truth, given.mask)
    assert np.array_equal(np.concatenate([part.hits for part in parts]), whole.hits)
    auc = evaluate_lists(lists[with_truth], users[with_truth], given, parse_all("auc")).values["auc"]
    assert np.concatenate([formulas()["auc"].values(part, 10) for part in parts]) == pytest.approx(auc)


def test_no_figure_of_whole_rankings_counts_users_without_truth():
    figures = [figure for peer in peers().values() for figure in peer.figures if figure.formula.cut == "ranking"]
    assert figures
    assert all(figure.without_truth == "skip" and not figure.formula.pooled for figure in figures)
