from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from recodiff import build, item_vectors, user_vectors
from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError
from recodiff.models.linear import lowrank, sparse
from recodiff.models.linear.lowrank import right_singular_vectors
from recodiff.runtime.run import Run
from reference import closed_form as reference
from toy import fitted_and_ranked_from, random_interactions, scores_of, with_gaps

RUN = Run(device="cpu", progress=False)
RECENT = {"kind": "linear", "w_min": 0.2}
DATA = pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(4)), with_gaps()], ids=["random", "gaps"])
WEIGHTINGS = pytest.mark.parametrize("weighting", [{}, RECENT, RECENT | {"on": "history"}], ids=["uniform", "recent", "history"])


@pytest.mark.parametrize("dense_up_to", [0, 500])
@pytest.mark.parametrize("shape", [(40, 25), (25, 40), (25, 25)])
def test_singular_vectors_are_numpys(
    shape: tuple[int, int], dense_up_to: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lowrank, "DENSE_SIDE_UP_TO", dense_up_to)
    matrix = (rng.random(shape) < 0.3) * rng.random(shape)
    for factors in (1, 6, 24, 25, 60):
        found = right_singular_vectors(csr_array(matrix), factors, seed=0)
        wanted = np.linalg.svd(matrix)[2][: min(factors, 25)].T
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=1e-8)


@pytest.mark.parametrize("dense_up_to", [0, 500])
def test_a_matrix_of_low_rank_has_no_more_vectors_than_that(
    dense_up_to: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lowrank, "DENSE_SIDE_UP_TO", dense_up_to)
    matrix = rng.random((30, 2)) @ rng.random((2, 24))
    found = right_singular_vectors(csr_array(matrix), 10, seed=0)
    assert found.shape == (24, 2)
    np.testing.assert_allclose(matrix @ found @ found.T, matrix, atol=1e-8)


@DATA
@WEIGHTINGS
@pytest.mark.parametrize(("factors", "gamma"), [(2, 0.0), (3, 0.5), (2, 1.0)])
def test_puresvd_is_its_definition(x: Interactions, weighting: Any, factors: int, gamma: float) -> None:
    model = build("puresvd", {"factors": factors, "gamma": gamma, "weighting": weighting}).fit(x, RUN)
    matrix, history = fitted_and_ranked_from(model, x)
    wanted = history @ reference.puresvd(matrix, factors, gamma)
    np.testing.assert_allclose(scores_of(model, x), wanted, rtol=1e-4, atol=1e-5)


@DATA
@WEIGHTINGS
@pytest.mark.parametrize(("factors", "low_pass"), [(2, 0.0), (3, 0.3), (2, 2.0)])
def test_gf_cf_is_its_definition(x: Interactions, weighting: Any, factors: int, low_pass: float) -> None:
    model = build("gf-cf", {"factors": factors, "low_pass": low_pass, "weighting": weighting}).fit(x, RUN)
    matrix, history = fitted_and_ranked_from(model, x)
    wanted = history @ reference.gf_cf(matrix, factors, low_pass)
    np.testing.assert_allclose(scores_of(model, x), wanted, rtol=1e-4, atol=1e-5)


def test_gf_cf_in_pieces_is_gf_cf(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_interactions(rng)
    model = build("gf-cf", {"factors": 4}).fit(x, RUN)
    whole = scores_of(model, x)
    monkeypatch.setattr(sparse, "HIDDEN_AT_ONCE", 70)
    np.testing.assert_allclose(scores_of(model, x), whole, rtol=1e-5, atol=1e-6)


def test_more_factors_than_the_catalogue_has_items_give_the_history_back() -> None:
    x = with_gaps()
    model = build("puresvd", {"factors": 1000}).fit(x, RUN)
    np.testing.assert_allclose(scores_of(model, x), x.matrix.toarray(), atol=1e-5)


def test_the_seed_of_the_iteration_does_not_show(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowrank, "DENSE_SIDE_UP_TO", 0)
    x = random_interactions(rng)
    one, two = (build("puresvd", {"factors": 5}).fit(x, Run(device="cpu", seed=seed, progress=False)) for seed in (0, 1))
    np.testing.assert_allclose(scores_of(one, x), scores_of(two, x), atol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_inner_products_are_the_scores(gamma: float, rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = build("puresvd", {"factors": 4, "gamma": gamma}).fit(x, RUN)
    vectors, bias = item_vectors(model)
    assert vectors.shape == (20, 4)
    np.testing.assert_allclose(user_vectors(model, x) @ vectors.T + bias, scores_of(model, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "setting"), [("puresvd", {"factors": 0}), ("puresvd", {"gamma": 3}), ("gf-cf", {"low_pass": -1})])
def test_settings_out_of_range_are_refused(name: str, setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        build(name, setting)
