"""Metrics of ratings and of whole rankings, worked by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.evaluate import evaluate_lists
from recodiff.evaluation.metrics import parse, parse_all
from recodiff.evaluation.protocol import Task

N_ITEMS = 12
ITEMS = IdMap.range(N_ITEMS)
METRICS = ["ndcg_rated@5", "ndcg_exponential@5", "auc", "mrr_ranking", "map_ranking"]


def over(entries: list[tuple[int, int, float]], n_users: int = 2) -> Interactions:
    rows, columns, weights = (np.array(column) for column in zip(*entries, strict=True))
    return Interactions.from_arrays(rows, columns, IdMap.range(n_users), ITEMS, weights=weights)


@pytest.fixture
def task() -> Task:
    history = over([(0, 0, 1), (1, 1, 1)])
    truth = over([(0, 3, 5), (0, 7, 2), (1, 4, 3)])
    return Task(history, truth, history)


@pytest.fixture
def rankings() -> np.ndarray:
    draw = np.random.default_rng(3)
    rows = [[item for item in draw.permutation(N_ITEMS) if item != seen] for seen in (0, 1)]
    return np.array(rows)


def test_they_equal_scikit_learn(task: Task, rankings: np.ndarray):
    found = evaluate_lists(rankings, np.arange(2), task, parse_all(METRICS))
    for user, ranked in enumerate(rankings):
        ratings = task.truth.matrix.toarray()[user]
        scores = np.zeros(N_ITEMS)
        scores[ranked] = np.arange(len(ranked), 0, -1)
        assert found.values["ndcg_rated@5"][user] == pytest.approx(ndcg_score([ratings], [scores], k=5))
        gains = np.where(ratings > 0, 2**ratings - 1, 0)
        assert found.values["ndcg_exponential@5"][user] == pytest.approx(ndcg_score([gains], [scores], k=5))
        assert found.values["auc"][user] == pytest.approx(roc_auc_score(ratings[ranked] > 0, scores[ranked]))
        places = 1 + np.flatnonzero(ratings[ranked] > 0)
        assert found.values["mrr_ranking"][user] == pytest.approx(1 / places[0])
        assert found.values["map_ranking"][user] == pytest.approx(np.mean(np.arange(1, len(places) + 1) / places))


@pytest.mark.parametrize("most", [800.0, 1023.5, 5000.0])
def test_large_ratings_have_a_finite_gain(most: float, rankings: np.ndarray):
    history = over([(0, 0, 1), (1, 1, 1)])
    task = Task(history, over([(0, 3, most), (0, 7, most - 1), (1, 4, 3), (1, 5, 1)]), history)
    found = evaluate_lists(rankings, np.arange(2), task, parse_all(["ndcg_exponential@11"])).values["ndcg_exponential@11"]
    ranked = rankings[0].tolist()
    first, second = (1 / np.log2(ranked.index(item) + 2) for item in (3, 7))
    best = 1 + 0.5 / np.log2(3)
    assert found[0] == pytest.approx((first + second / 2) / best)
    usual = Task(history, over([(0, 3, 1), (1, 4, 3), (1, 5, 1)]), history)
    assert (
        found[1]
        == evaluate_lists(rankings, np.arange(2), usual, parse_all(["ndcg_exponential@11"])).values["ndcg_exponential@11"][1]
    )


def test_a_short_list_is_no_ranking(task: Task, rankings: np.ndarray):
    with pytest.raises(DataError, match="auc needs every item to be found in the lists"):
        evaluate_lists(rankings[:, :1], np.arange(2), task, parse_all(["auc"]))


def test_ratings_are_asked_for(task: Task, rankings: np.ndarray):
    unrated = Task(task.history, over([(0, 3, 1), (1, 4, 1)]), task.mask)
    with pytest.raises(DataError, match=r"ndcg_rated@5 needs ratings.*--keep-weights"):
        evaluate_lists(rankings, np.arange(2), unrated, parse_all(METRICS))


def test_a_metric_of_rankings_takes_no_length():
    assert parse("auc").name == "auc"
    with pytest.raises(ConfigError, match="takes no length"):
        parse("auc@10")
