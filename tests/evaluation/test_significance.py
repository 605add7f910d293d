"""Paired tests against slow loops, closed testing and scipy."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from recodiff.evaluation import significance
from recodiff.evaluation.significance import RESAMPLES, TESTS, bootstrap_p, compare_pairs, holm, resampled_means, seed_p, wilcoxon_p

P = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(P)
def test_holm_is_closed_testing_with_bonferroni(p: list[float]) -> None:
    """A difference is adjusted to the worst Bonferroni p of all families that hold it."""
    places = range(len(p))
    families = [family for size in range(1, len(p) + 1) for family in combinations(places, size)]
    slow = [max(min(1, len(f) * min(p[j] for j in f)) for f in families if i in f) for i in places]
    np.testing.assert_allclose(holm(p), slow)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert holm([]).shape == (0,)


def test_resampled_means_are_those_of_a_loop(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    differences = rng.normal(size=(7, 3))
    drawn = np.random.default_rng(5).integers(7, size=(20, 7))
    slow = [np.mean([differences[user] for user in users], axis=0) for users in drawn]
    np.testing.assert_allclose(resampled_means(differences, 20, seed=5), slow)
    monkeypatch.setattr(significance, "DRAWS_AT_ONCE", 22)
    np.testing.assert_allclose(resampled_means(differences, 20, seed=5), slow, err_msg="parts draw on where the last one stopped")


def test_the_interval_is_scipys(rng: np.random.Generator) -> None:
    differences = rng.exponential(size=(60, 1)) - 0.8
    found = compare_pairs(differences)
    theirs = scipy.stats.bootstrap((differences[:, 0],), np.mean, method="percentile", rng=np.random.default_rng(1))
    spread = float(theirs.standard_error)
    assert found.low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.1 * spread)
    assert found.high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.1 * spread)
    assert found.mean[0] == pytest.approx(differences.mean())


def test_the_bootstraps_p_is_near_the_t_tests_and_never_nought(rng: np.random.Generator) -> None:
    differences = rng.normal([0.0, 0.1, 0.2, 5.0], 1.0, size=(200, 4))
    p = compare_pairs(differences).p
    np.testing.assert_allclose(p, np.asarray(tuple(scipy.stats.ttest_1samp(differences, 0))[1]), atol=0.02)
    assert p[3] == 1 / (1 + significance.RESAMPLES)
    assert bootstrap_p(np.zeros((10, 1)), np.zeros(1)) == 1


def test_wilcoxon_is_scipys_on_the_two_samples(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 5, (2, 40)) / 4
    differences = np.stack([a - b, np.zeros(40)], axis=1)
    assert wilcoxon_p(differences).tolist() == [pytest.approx(scipy.stats.wilcoxon(a, b)[1]), 1]
    found = compare_pairs(differences, test="wilcoxon")
    np.testing.assert_allclose(found.adjusted, holm(found.p))
    np.testing.assert_allclose(found.p, wilcoxon_p(differences))


def test_equal_methods_differ_by_nothing() -> None:
    found = compare_pairs(np.zeros((5, 2)))
    assert found.p.tolist() == found.adjusted.tolist() == [1, 1]
    assert found.low.tolist() == found.high.tolist() == [0, 0]


def test_the_same_seed_gives_the_same_figures(rng: np.random.Generator) -> None:
    differences = rng.normal(size=(30, 2))
    one, other = compare_pairs(differences), compare_pairs(differences)
    np.testing.assert_array_equal([one.low, one.high, one.p], [other.low, other.high, other.p])


def test_seeds_are_tested_as_scipy_tests_pairs(rng: np.random.Generator) -> None:
    ours, theirs = rng.normal(0.1, 1, 5), rng.normal(size=5)
    assert seed_p(list(ours - theirs)) == pytest.approx(scipy.stats.ttest_rel(ours, theirs).pvalue)
    assert seed_p([0.0, 0.0, 0.0]) == 1
    assert seed_p([0.3, 0.3 + 1e-16, 0.3]) is None, "without a spread there is nothing to test it by"
    assert seed_p([0.1, 0.2]) is None, "two seeds say next to nothing of their own spread"


def test_how_many_resamples_is_typed_once() -> None:
    """Tables take the sentence from here, and the page that explains them gives the same number."""
    root = Path(__file__).resolve().parents[2]
    typed = f"{RESAMPLES:,} resamples"
    assert typed not in TESTS["wilcoxon"]
    assert typed in TESTS["bootstrap"]
    sources = [path for folder in ("src", "benchmarks") for path in (root / folder).rglob("*.py")]
    assert [path.name for path in sources if typed in path.read_text("utf-8")] == []
    page = (root / "docs/how-to/compare.md").read_text("utf-8")
    assert f"{RESAMPLES:,} bootstrap samples" in page
    assert f"1 / {RESAMPLES + 1:,}" in page
