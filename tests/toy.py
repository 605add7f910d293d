"""Tiny data with one right answer."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from recodiff.data.interactions import IdMap, Interactions
from recodiff.models.base import Recommender
from recodiff.models.registry import MODELS
from recodiff.testing.tiny_data import checkerboard, scores_of, with_gaps

__all__ = [
    "checkerboard",
    "every_model",
    "fitted_and_ranked_from",
    "is_here",
    "random_interactions",
    "scores_of",
    "walk",
    "with_gaps",
]


def is_here(model: str) -> bool:
    """Whether the package that a model is of is installed."""
    return not model.startswith("implicit-") or find_spec("implicit") is not None


def every_model(names: Iterable[str] = MODELS) -> list[Any]:
    """The names of models as parameters of a test, which is skipped where the package that a model is of is lacking."""
    lacking = pytest.mark.skip(reason="needs the package implicit, of the extra baselines")
    return [pytest.param(name, marks=() if is_here(name) else lacking) for name in names]


def random_interactions(rng: np.random.Generator, users: int = 30, items: int = 20, share: float = 0.3) -> Interactions:
    """Interactions at random, in random order; some users may have none."""
    row, col = np.nonzero(rng.random((users, items)) < share)
    times = rng.permutation(len(row)) * 3600
    return Interactions.from_arrays(row, col, IdMap.range(users), IdMap.range(items), times=times, time_kind="clock")


def fitted_and_ranked_from(model: Recommender, x: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """The dense float64 weights that the model is fitted to and those it ranks from, where both are `x`."""
    weighting = model.config.weighting
    return weighting.for_fit(x).matrix.toarray().astype(float), weighting(x).matrix.toarray().astype(float)


def walk(n: int = 12, length: int = 6) -> Interactions:
    """User u walks through the items from u on, one by one: what comes next is known from the newest alone."""
    user = np.repeat(np.arange(n), length)
    item = (user + np.tile(np.arange(length), n)) % n
    return Interactions.from_arrays(user, item, IdMap.range(n), IdMap.range(n), times=np.arange(len(user)), time_kind="order")
