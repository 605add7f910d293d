from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recodiff import build, item_vectors, user_vectors
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.factors import ials
from recodiff.runtime.run import Run
from reference import closed_form as reference
from toy import random_interactions, scores_of, with_gaps

RUN = Run(device="cpu", progress=False)
DATA = pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(6)), with_gaps()], ids=["random", "gaps"])


def fitted(x: Interactions, seed: int = 0, **settings: Any) -> Recommender:
    return build("ials", {"factors": 3} | settings).fit(x, Run(device="cpu", seed=seed, progress=False))


def loss_of(model: Recommender, x: Interactions, moved: np.ndarray | None = None, shift: np.ndarray | None = None) -> float:
    c = model.config
    matrix = c.weighting(x).matrix.toarray().astype(float)
    users, items = user_vectors(model, x).astype(float), item_vectors(model)[0].astype(float)
    users = users if moved is None else users + moved
    items = items if shift is None else items + shift
    return reference.ials_loss(matrix, users, items, c.unobserved, c.l2, c.frequency_exponent)


@DATA
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighting", [{}, {"kind": "linear", "w_min": 0.2}])
def test_it_comes_to_rest_where_the_loss_does(x: Interactions, weighting: Any, exponent: float, rng: np.random.Generator) -> None:
    model = fitted(x, epochs=300, l2=0.1, frequency_exponent=exponent, weighting=weighting)
    at_rest = loss_of(model, x)
    for _ in range(5):
        moved, shift = rng.normal(size=(x.n_users, 3)) * 0.02, rng.normal(size=(x.n_items, 3)) * 0.02
        assert loss_of(model, x, moved, shift) > at_rest
        assert loss_of(model, x, moved=moved) > at_rest
        assert loss_of(model, x, shift=shift) > at_rest


def test_a_history_is_one_linear_solve(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted(x, weighting={"kind": "half_life", "on": "history"})
    c, items = model.config, item_vectors(model)[0].astype(float)
    for w, found in zip(c.weighting(x).matrix.toarray().astype(float), user_vectors(model, x), strict=True):
        ridge = c.l2 * (w.sum() + c.unobserved * len(items)) ** c.frequency_exponent
        system = c.unobserved * items.T @ items + (items.T * w) @ items + ridge * np.eye(3)
        np.testing.assert_allclose(found, np.linalg.solve(system, items.T @ w), rtol=1e-3, atol=1e-5)


def test_epochs_lower_the_loss(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    losses = [loss_of(fitted(x, epochs=epochs), x) for epochs in (1, 2, 4, 8, 16)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


def test_groups_change_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_interactions(rng)
    whole = scores_of(fitted(x), x)
    monkeypatch.setattr(ials, "NUMBERS_AT_ONCE", 40)
    torch.testing.assert_close(scores_of(fitted(x), x), whole, rtol=1e-4, atol=1e-5)


def test_a_seed_gives_the_same_model_and_another_seed_another(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    first = fitted(x, seed=1, epochs=2).state()["q"]
    assert torch.equal(fitted(x, seed=1, epochs=2).state()["q"], first)
    assert not torch.equal(fitted(x, seed=2, epochs=2).state()["q"], first)


def test_inner_products_are_the_scores() -> None:
    x = with_gaps()
    model = fitted(x, factors=20)  # more than the catalogue
    vectors, bias = item_vectors(model)
    np.testing.assert_allclose(user_vectors(model, x) @ vectors.T + bias, scores_of(model, x), rtol=1e-5, atol=1e-6)


def test_a_ridge_lost_in_rounding_is_refused() -> None:
    alike = Interactions.from_arrays([0, 0], [0, 1], IdMap.range(1), IdMap.range(2))
    with pytest.raises(ModelError, match="l2 = 1e-30 is too small"):
        fitted(alike, l2=1e-30, factors=8)


@pytest.mark.parametrize("setting", [{"factors": 0}, {"unobserved": 0}, {"l2": 0}, {"frequency_exponent": 2}, {"alpha": 1}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        build("ials", setting)
