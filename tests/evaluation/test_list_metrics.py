"""What lists are worth beyond their hits: worked by hand, and against slow loops."""

from __future__ import annotations

from itertools import combinations
from math import log, log2

import numpy as np
import pytest
from scipy.sparse import csr_array

from recodiff.evaluation import list_metrics

NAN = float("nan")
LISTS = np.array([[0, 1], [0, -1], [-1, -1]])


def test_coverage_counts_each_item_once() -> None:
    assert list_metrics.coverage(LISTS, 4) == 2 / 4
    assert list_metrics.coverage(np.full((2, 3), -1), 4) == 0


def test_gini_by_hand() -> None:
    # Counts 0, 0, 1, 2 of 4 items: (1 * 1 + 3 * 2) / (4 * 3).
    assert list_metrics.gini(LISTS, 4) == pytest.approx(7 / 12)
    assert list_metrics.gini(np.array([[0, 1], [2, 3]]), 4) == 0
    assert list_metrics.gini(np.zeros((5, 1), dtype=int), 4) == pytest.approx(3 / 4)
    assert list_metrics.gini(np.full((2, 2), -1), 4) == 0


def test_gini_is_half_the_relative_mean_difference(rng: np.random.Generator) -> None:
    lists = rng.integers(0, 12, (30, 5))
    c = np.bincount(lists.ravel(), minlength=15)
    mean_difference = np.mean([abs(a - b) for a in c for b in c])
    assert list_metrics.gini(lists, 15) == pytest.approx(mean_difference / (2 * c.mean()))


def test_novelty_by_hand() -> None:
    # Of 8 users, 4 met item 0 and nobody item 1, which counts as one: 1 bit and 3 bits.
    found = list_metrics.novelty(LISTS, np.array([4, 0, 8, 8]), 8)
    np.testing.assert_allclose(found, [(1 + log2(8)) / 2, 1, NAN])


def test_diversity_by_hand() -> None:
    features = np.array([[1.0, 0], [0, 3], [2, 2], [0, 0]])
    lists = np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2], [0, 3, -1], [0, -1, -1]])
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(list_metrics.diversity(lists, features), [1, 1 - half, 1 - 2 * half / 3, NAN, NAN])


def test_diversity_is_that_of_all_pairs(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_metrics, "USERS_AT_ONCE", 3)
    features, lists = rng.normal(size=(10, 4)), rng.permuted(np.tile(np.arange(10), (8, 1)), axis=1)[:, :5]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    slow = [1 - np.mean([unit[a] @ unit[b] for a, b in combinations(row, 2)]) for row in lists]
    np.testing.assert_allclose(list_metrics.diversity(lists, features), slow)


def test_calibration_by_hand() -> None:
    # Items: action, romance, both, no genre. A history half action and half romance, lists of action alone and of both.
    genres = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    history = csr_array(np.array([[5.0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]))
    history.data[0] = 0  # a weight of nought is still seen
    lists = np.array([[0, 0], [2, 3], [0, 1], [-1, -1]])
    one_sided = 0.5 * log(0.5 / (0.99 + 0.005)) + 0.5 * log(0.5 / 0.005)
    np.testing.assert_allclose(list_metrics.calibration(history, lists, genres), [one_sided, 0, NAN, NAN], atol=1e-12)


def test_calibration_is_worst_where_nothing_is_shared() -> None:
    genres = np.eye(2)
    found = list_metrics.calibration(csr_array(np.array([[1.0, 0]])), np.array([[1]]), genres)
    np.testing.assert_allclose(found, [log(1 / list_metrics.SMOOTHING)])
