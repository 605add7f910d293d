"""Paired tests of two methods over users or over seeds, corrected for the number of comparisons.

Shapes: `n` users, `C` comparisons. `differences` [n, C] holds one method's value minus the reference's for the same user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from recodiff.evaluation.conventions import Values
from recodiff.moved import old_names

Test = Literal["bootstrap", "wilcoxon"]
RESAMPLES = 10_000
TESTS: dict[Test, str] = {"bootstrap": f"paired bootstrap, {RESAMPLES:,} resamples", "wilcoxon": "Wilcoxon signed-rank"}
"""What tables say of each test."""
LEAST_P = 1.5 / (1 + RESAMPLES)
"""A p below it is of a bootstrap in which no resample is as far from the mean as 0 is."""
LEAST_SEEDS = 3
"""With fewer seeds there is no test over seeds."""
EQUAL_WITHIN = 1e-12
"""Figures that differ by no more are equal."""
LEVEL = 0.95
"""Confidence level of the intervals."""
DRAWS_AT_ONCE = 2_000_000
"""Counts of users that are drawn at the same time."""


@dataclass(frozen=True, eq=False)
class TestResult:
    """Means, intervals and p-values of C differences.

    Args:
        mean: over users.
        low: lower end of the interval between the percentiles of the resampled means that leave LEVEL between them.
        high: its upper end.
        p: two-sided, as if there were no other comparison.
        adjusted: `p` after Holm's correction over all C.
    """

    mean: Values
    low: Values
    high: Values
    p: Values
    adjusted: Values


def compare_pairs(differences: Values, *, test: Test = "bootstrap", resamples: int = RESAMPLES, seed: int = 0) -> TestResult:
    """Test C differences over the same n users.

    Args:
        differences: one value per user and comparison, [n, C], n at least 1.
        test: where the p-values come from; the intervals are always those of the bootstrap.
        resamples: drawings of the bootstrap.
        seed: of the bootstrap.
    """
    means = resampled_means(differences, resamples, seed)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    p = bootstrap_p(means, differences.mean(0)) if test == "bootstrap" else wilcoxon_p(differences)
    return TestResult(differences.mean(0), low, high, p, holm(p))


def resampled_means(differences: Values, resamples: int = RESAMPLES, seed: int = 0) -> Values:
    """Draw as many users with replacement and take the means, [resamples, C]; all comparisons share the draws.

    A resample counts how often each user is drawn, so one matrix product gives the means of all comparisons.

    Args:
        differences: [n, C].
        resamples: how many.
        seed: of the draws.
    """
    n = len(differences)
    generator = np.random.default_rng(seed)
    size = max(1, DRAWS_AT_ONCE // n)
    parts = []
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = generator.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        parts.append(np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n) @ differences / n)
    return np.concatenate(parts)


def bootstrap_p(means: Values, observed: Values) -> Values:
    """The p-value of a bootstrap centred on 0, [C]: (1 + |{b: |mean_b - observed| >= |observed|}|) / (1 + resamples).

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 16.4, of both sides. Rounding must not decide between
    equals, hence the tolerance.

    Args:
        means: of the resamples, [resamples, C].
        observed: means of all users, [C].
    """
    far = np.abs(means - observed) >= np.abs(observed) - EQUAL_WITHIN
    return (1 + far.sum(0)) / (1 + len(means))


def wilcoxon_p(differences: Values) -> Values:
    """Two-sided p-values [C] of Wilcoxon's signed-rank test, without the users who have no difference; 1 where no user has one.

    Args:
        differences: [n, C].
    """
    from scipy.stats import wilcoxon  # seconds to import, and only some need it

    return np.array([wilcoxon(column)[1] if column.any() else 1.0 for column in differences.T])


def seed_p(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of Student's paired t-test over seeds; None for fewer than three, or where all differ by the same.

    It asks whether other seeds on the same users would show the difference, where the tests above ask for other users.

    Args:
        differences: one per seed.
    """
    from scipy.stats import ttest_1samp  # as above

    if not any(differences) and len(differences) >= LEAST_SEEDS:
        return 1.0
    if len(differences) < LEAST_SEEDS or np.ptp(differences) < EQUAL_WITHIN:
        return None
    p: Any = ttest_1samp(differences, 0.0)[1]
    return float(p)


def holm(p: ArrayLike) -> Values:
    """Correct p-values [C] for the number of comparisons: max over the smaller ones of (C - rank) p, at most 1, rank from 0.

    Holm, Scandinavian Journal of Statistics 6(2), 1979.

    Args:
        p: one per comparison, each as if there were no other.
    """
    single = np.asarray(p, dtype=np.float64)
    order = np.argsort(single, kind="stable")
    adjusted = np.empty_like(single)
    adjusted[order] = np.minimum(np.maximum.accumulate(single[order] * np.arange(len(single), 0, -1)), 1)
    return adjusted


__getattr__ = old_names(__name__)
