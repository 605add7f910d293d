"""Tiny data with one right answer."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from recodiff.data.interactions import IdMap, Interactions
from recodiff.models.base import Recommender, batches
from recodiff.models.registry import MODELS


def is_here(model: str) -> bool:
    """Whether the package that a model is of is installed."""
    return not model.startswith("implicit-") or find_spec("implicit") is not None


def every_model(names: Iterable[str] = MODELS) -> list[Any]:
    """The names of models as parameters of a test, which is skipped where the package that a model is of is lacking."""
    lacking = pytest.mark.skip(reason="needs the package implicit, of the extra baselines")
    return [pytest.param(name, marks=() if is_here(name) else lacking) for name in names]


def checkerboard(n: int = 50, *, shuffled: bool = False) -> Interactions:
    """User u likes the items of u's colour (same parity), all but item u: the only right next item is u itself.

    A user met them in the order of the catalogue, or in any order of the user's own where `shuffled`: nothing ever follows the
    catalogue's last items, so a model of what comes next learns nothing of them otherwise.
    """
    user, item = np.nonzero((np.add.outer(np.arange(n), np.arange(n)) % 2 == 0) & ~np.eye(n, dtype=bool))
    ids = IdMap([f"user-{u:03}" for u in range(n)]), IdMap([f"item-{i:03}" for i in range(n)])
    times = np.random.default_rng(0).permutation(len(user)) if shuffled else np.arange(len(user))
    return Interactions.from_arrays(user, item, *ids, times=times, time_kind="order")


def random_interactions(rng: np.random.Generator, users: int = 30, items: int = 20, share: float = 0.3) -> Interactions:
    """Interactions at random, in random order; some users may have none."""
    row, col = np.nonzero(rng.random((users, items)) < share)
    times = rng.permutation(len(row)) * 3600
    return Interactions.from_arrays(row, col, IdMap.range(users), IdMap.range(items), times=times, time_kind="clock")


def with_gaps() -> Interactions:
    """Small, and user 5, item 3 and the last of either have no interactions."""
    seen = np.random.default_rng(1).random((14, 9)) < 0.4
    seen[[5, -1]], seen[:, [3, -1]] = False, False
    row, col = np.nonzero(seen)
    return Interactions.from_arrays(row, col, IdMap.range(14), IdMap.range(9), times=np.arange(len(row)), time_kind="order")


def scores_of(model: Recommender, x: Interactions) -> torch.Tensor:
    """Scores [B, I] of the histories `x`, weighted as the model weights them."""
    with torch.inference_mode():
        return torch.cat([model.score(batch) for _, batch in batches(model, x, 1000)])


def fitted_and_ranked_from(model: Recommender, x: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """The dense float64 weights that the model is fitted to and those it ranks from, where both are `x`."""
    weighting = model.config.weighting
    return weighting.for_fit(x).matrix.toarray().astype(float), weighting(x).matrix.toarray().astype(float)
