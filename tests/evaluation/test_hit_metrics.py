"""What hits are worth: worked by hand, against slow loops, and against scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

import reference
from recodiff.evaluation.hit_metrics import HIT_METRICS

# Small lists with known figures
TRUTH = [{3, 7}, {1}, set(), {0, 2, 4, 5, 6, 9}]
LISTS = [[7, 8, 3, 1, 2], [0, 2, 3, 4, 5], [0, 1, 2, 3, 4], [9, 1, 0, 2, 3]]
SAID = {
    "precision": [0.5, 0.3333, 0.25],
    "recall": [0.1667, 0.3333, 0.375],
    "ndcg": [0.5, 0.4059, 0.3936],
    "mrr": [0.5, 0.5, 0.5],
}

N_ITEMS = 12
METRICS = {metric.name: metric.function for metric in HIT_METRICS}


@st.composite
def some_lists(draw: st.DrawFn) -> tuple[list[list[int]], list[set[int]]]:
    """Lists of distinct items, all of one length, and relevant items; some users have none."""
    users, k = draw(st.integers(1, 5)), draw(st.integers(1, N_ITEMS))
    lists = [draw(st.permutations(range(N_ITEMS)))[:k] for _ in range(users)]
    return lists, [draw(st.sets(st.integers(0, N_ITEMS - 1))) for _ in range(users)]


def measure(name: str, lists: Sequence[Sequence[int]], truth: Sequence[set[int]], k: int | None = None) -> np.ndarray:
    hits = np.array([[item in true for item in row] for row, true in zip(lists, truth, strict=True)])
    return METRICS[name](hits[:, :k], np.array([len(true) for true in truth]))


@pytest.mark.parametrize("name", SAID)
def test_the_check_values_of_the_released_program(name: str) -> None:
    means = [measure(name, LISTS, TRUTH, k).mean() for k in (1, 3, 5)]
    assert [round(float(mean), 4) for mean in means] == SAID[name]


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=60)
@given(some_lists())
def test_metrics_equal_a_naive_loop_per_user(name: str, case: tuple[list[list[int]], list[set[int]]]) -> None:
    lists, truth = case
    expected = [reference.METRICS[name](row, true) for row, true in zip(lists, truth, strict=True)]
    found = measure(name, lists, truth)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(N_ITEMS)), st.sets(st.integers(0, N_ITEMS - 1), min_size=1), st.integers(1, N_ITEMS))
def test_ndcg_is_scikit_learns(ranked: list[int], relevant: set[int], k: int) -> None:
    gain, scores = np.zeros(N_ITEMS), np.zeros(N_ITEMS)
    gain[list(relevant)] = 1
    scores[ranked] = np.arange(N_ITEMS, 0, -1)
    assert measure("ndcg", [ranked[:k]], [relevant]).item() == pytest.approx(ndcg_score([gain], [scores], k=k))


@settings(deadline=None, max_examples=60)
@given(some_lists())
def test_metrics_lie_between_zero_and_one_and_are_zero_without_relevant_items(
    case: tuple[list[list[int]], list[set[int]]],
) -> None:
    lists, truth = case
    nothing = np.array([not true for true in truth])
    for name in METRICS:
        values = measure(name, lists, truth)
        assert values.shape == (len(lists),)
        assert bool(((values >= 0) & (values <= 1 + 1e-12)).all()), name
        assert not values[nothing].any(), name


@settings(deadline=None, max_examples=60)
@given(some_lists())
def test_recall_hit_rate_and_mrr_never_fall_with_the_length(case: tuple[list[list[int]], list[set[int]]]) -> None:
    lists, truth = case
    for name in ("recall", "hit_rate", "mrr"):
        values = np.array([measure(name, lists, truth, k) for k in range(1, len(lists[0]) + 1)])
        assert bool((np.diff(values, axis=0) >= 0).all()), name


@settings(deadline=None, max_examples=60)
@given(st.sets(st.integers(0, N_ITEMS - 1), min_size=1), st.integers(1, N_ITEMS))
def test_the_perfect_list_is_worth_one(relevant: set[int], k: int) -> None:
    perfect = [*sorted(relevant), *(i for i in range(N_ITEMS) if i not in relevant)][:k]
    for name in ("recall_min", "ndcg", "mrr", "hit_rate", "map"):
        assert measure(name, [perfect], [relevant]).item() == pytest.approx(1), name
    assert measure("recall", [perfect], [relevant]).item() == pytest.approx(min(k, len(relevant)) / len(relevant))
    assert measure("precision", [perfect], [relevant]).item() == pytest.approx(min(k, len(relevant)) / k)


def test_the_two_recalls_differ_for_users_with_more_relevant_items_than_places() -> None:
    lists, truth = [[1, 2], [1, 2]], [{1, 2, 3, 4}, {1}]
    assert measure("recall", lists, truth).tolist() == [0.5, 1.0]
    assert measure("recall_min", lists, truth).tolist() == [1.0, 1.0]


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1 and 3 of 5, three relevant items: (1/1 + 2/3) / 3; with two places, 1/1 over 2."""
    lists, truth = [[4, 8, 5, 9, 7]], [{4, 5, 6}]
    assert measure("map", lists, truth).item() == pytest.approx((1 + 2 / 3) / 3)
    assert measure("map", lists, truth, 2).item() == pytest.approx(1 / 2)


def test_ndcg_and_mrr_by_hand() -> None:
    lists, truth = [[8, 4, 9, 5]], [{4, 5}]
    best = 1 + 1 / np.log2(3)
    assert measure("ndcg", lists, truth).item() == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / best)
    assert measure("mrr", lists, truth).item() == 0.5
    assert measure("mrr", lists, truth, 1).item() == 0.0


@pytest.mark.parametrize("name", METRICS)
def test_no_users_give_no_values(name: str) -> None:
    assert METRICS[name](np.zeros((0, 5), dtype=bool), np.zeros(0, dtype=np.int64)).shape == (0,)
