"""The package `implicit` under our contract: its objectives, its folding in, and what is said where it is not installed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recodiff import build, item_vectors, recommend, user_vectors
from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError, MissingExtraError, ModelError
from recodiff.models.base import Recommender
from recodiff.runtime.run import Run
from toy import checkerboard, is_here, random_interactions, scores_of, with_gaps

RUN = Run(device="cpu", progress=False)
installed = pytest.mark.skipif(not is_here("implicit-als"), reason="needs the package implicit, of the extra baselines")


def fitted(name: str, x: Interactions, seed: int = 0, **settings: Any) -> Recommender:
    return build(name, settings).fit(x, Run(device="cpu", seed=seed, progress=False))


@pytest.mark.parametrize("name", ["implicit-als", "implicit-bpr", "implicit-bm25"])
def test_without_the_package_the_remedy_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "recodiff.models.factors.implicit", raising=False)
    for module in ("implicit", "implicit.cpu.als", "implicit.cpu.bpr", "implicit.nearest_neighbours"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "recodiff\[baselines\]"'):
        build(name)


@installed
@pytest.mark.parametrize("weighting", [{}, {"kind": "linear", "w_min": 0.4}])
def test_als_comes_to_rest_where_its_loss_does(weighting: Any, rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted("implicit-als", x, factors=3, alpha=4.0, l2=0.5, epochs=300, weighting=weighting)
    w = model.config.weighting(x).matrix.toarray().astype(float)
    users, items = user_vectors(model, x).astype(float), item_vectors(model)[0].astype(float)

    def loss(p: np.ndarray, q: np.ndarray) -> float:
        # The package weighs a met cell with alpha w and others with 1: alpha w (1 - s)^2 = (alpha w - 1)(1 - s)^2 + (1 - s)^2.
        scores, c = p @ q.T, np.where(w > 0, 4.0 * w, 1.0)
        return float((c * ((w > 0) - scores) ** 2).sum() + 0.5 * ((p**2).sum() + (q**2).sum()))

    at_rest = loss(users, items)
    for _ in range(5):
        moved, shift = rng.normal(size=users.shape) * 0.02, rng.normal(size=items.shape) * 0.02
        assert loss(users + moved, items + shift) > at_rest
        assert loss(users + moved, items) > at_rest
        assert loss(users, items + shift) > at_rest


@installed
def test_als_orders_items_as_ours_does(rng: np.random.Generator) -> None:
    """Their targets differ only in how a met cell pulls to 0, so on data of few factors both find the same items."""
    x = random_interactions(rng, users=60, items=25)
    ours = fitted("ials", x, factors=4, unobserved=0.2, l2=0.02, frequency_exponent=0.0, epochs=100)
    theirs = fitted("implicit-als", x, factors=4, alpha=1 + 1 / 0.2, l2=0.02 / 0.2, epochs=100)
    own, other = (scores_of(model, x).double() for model in (ours, theirs))
    assert torch.corrcoef(torch.stack([own.flatten(), other.flatten()]))[0, 1] > 0.99
    first = recommend(ours, x, 5).items, recommend(theirs, x, 5).items
    shared = [len(set(a) & set(b)) for a, b in zip(*first, strict=True)]
    assert np.mean(shared) > 4.5


@installed
def test_als_takes_an_interaction_of_weight_zero_for_none(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted("implicit-als", x, factors=3)
    kept = np.arange(x.nnz) % 2 == 1
    zeroed = x.with_values(kept.astype(np.float32))
    torch.testing.assert_close(scores_of(model, zeroed), scores_of(model, x.only(kept)))


@installed
def test_bpr_scores_known_users_as_the_package_does() -> None:
    from implicit.cpu.bpr import BayesianPersonalizedRanking  # pyright: ignore[reportMissingImports]

    x = checkerboard(30)
    model = fitted("implicit-bpr", x, seed=3, factors=8, epochs=20)
    package = BayesianPersonalizedRanking(
        factors=8, learning_rate=0.05, regularization=0.01, iterations=20, num_threads=1, random_state=3
    )
    package.fit(csr_matrix(x.matrix, copy=True), show_progress=False)
    expected = torch.from_numpy(package.user_factors @ package.item_factors.T)
    torch.testing.assert_close(scores_of(model, x), expected, rtol=1e-5, atol=1e-5)


@installed
def test_bpr_refuses_weights_that_it_would_not_look_at() -> None:
    with pytest.raises(ConfigError, match=r'weighting.on = "history", or use mf'):
        fitted("implicit-bpr", checkerboard(10), weighting={"kind": "linear"})


@installed
def test_bpr_that_diverges_says_so() -> None:
    with pytest.raises(ModelError, match="diverged on this data; lower lr"):
        fitted("implicit-bpr", checkerboard(30), lr=1e30, epochs=50)


@installed
@pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(6)), with_gaps()], ids=["random", "gaps"])
def test_bm25_is_what_its_equations_say(x: Interactions) -> None:
    model = fitted("implicit-bm25", x, neighbours=x.n_items, k1=2.0, b=0.5)
    w = x.matrix.toarray().astype(float)
    degrees = w.sum(0)
    idf = np.log(x.n_items) - np.log1p((w > 0).sum(1))
    v = w * 3.0 / (2.0 * (0.5 + 0.5 * degrees / degrees.mean()) + w) * idf[:, None]
    np.testing.assert_allclose(scores_of(model, x).numpy(), w @ (v.T @ v), rtol=1e-4, atol=1e-5)
