"""Small data, and a search on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recodiff import prepare
from recodiff.data import Dataset, synthesise
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.dimensions import Space
from recodiff.experiments.tuning.tune import tune_settings
from recodiff.experiments.tuning.tuning_result import TuningResult
from studies import L2, RUN


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(synthesise(users=60, items=50, interactions=1500, seed=0), name="clicks")


@pytest.fixture
def ease(data: Dataset) -> Callable[..., TuningResult]:
    """A search of EASE's ridge."""

    def run(
        out: Path | None = None, trials: int | None = 6, *, seconds: float | None = None, seed: int = 0, space: Space = L2
    ) -> TuningResult:
        return tune_settings("ease", {}, data, replace(RUN, out=out, seed=seed), Budget(trials, seconds), space=space)

    return run
