from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from recodiff import build
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, ModelError
from recodiff.models.linear import neighbours, sparse
from recodiff.runtime.run import Run
from recodiff.tensors import rows
from reference import closed_form as reference
from toy import checkerboard, fitted_and_ranked_from, random_interactions, scores_of, with_gaps

RUN = Run(device="cpu", progress=False)
RECENT = {"kind": "half_life", "half_life": 3, "floor": 0.0}
DATA = pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(2)), with_gaps()], ids=["random", "gaps"])
WEIGHTINGS = pytest.mark.parametrize("weighting", [{}, RECENT, RECENT | {"on": "history"}], ids=["uniform", "recent", "history"])


def compare(name: str, x: Interactions, settings: dict[str, Any], wanted: Any) -> None:
    """The model's scores of `x` against `wanted(weights fitted to, weights ranked from)`."""
    model = build(name, settings).fit(x, RUN)
    np.testing.assert_allclose(scores_of(model, x), wanted(*fitted_and_ranked_from(model, x)), rtol=1e-4, atol=1e-6)


@DATA
@WEIGHTINGS
@pytest.mark.parametrize(("k", "alpha", "shrink"), [(3, 0.5, 0.0), (4, 0.2, 5.0), (1000, 1.0, 0.0)])
def test_itemknn_is_its_definition(x: Interactions, weighting: Any, k: int, alpha: float, shrink: float) -> None:
    settings = {"neighbours": k, "alpha": alpha, "shrink": shrink, "weighting": weighting}
    compare("itemknn", x, settings, lambda matrix, history: history @ reference.itemknn(matrix, k, alpha, shrink))


@DATA
@WEIGHTINGS
@pytest.mark.parametrize(("k", "alpha", "beta"), [(3, 1.0, 0.6), (4, 0.5, 0.0), (1000, 0.7, 0.7)])
def test_rp3beta_is_its_definition(x: Interactions, weighting: Any, k: int, alpha: float, beta: float) -> None:
    settings = {"neighbours": k, "alpha": alpha, "beta": beta, "weighting": weighting}
    compare("rp3beta", x, settings, lambda matrix, history: history @ reference.rp3beta(matrix, k, alpha, beta))


@DATA
@WEIGHTINGS
@pytest.mark.parametrize(("k", "alpha", "shrink"), [(1, 0.5, 0.0), (1000, 0.5, 0.0), (1000, 0.8, 4.0)])
def test_userknn_is_its_definition(x: Interactions, weighting: Any, k: int, alpha: float, shrink: float) -> None:
    settings = {"neighbours": k, "alpha": alpha, "shrink": shrink, "weighting": weighting}
    compare("userknn", x, settings, lambda matrix, history: reference.userknn(matrix, history, k, alpha, shrink))


def test_userknn_takes_the_nearest_where_no_two_are_equally_near() -> None:
    draw = np.random.default_rng(5)
    row, col = np.nonzero(draw.random((30, 40)) < 0.4)
    values = draw.uniform(0.5, 1.5, len(row))  # so that similarities do not tie
    x = Interactions.from_arrays(row, col, IdMap.range(30), IdMap.range(40), weights=values)
    compare("userknn", x, {"neighbours": 4}, lambda matrix, history: reference.userknn(matrix, history, 4, 0.5, 0.0))


@pytest.mark.parametrize("name", ["itemknn", "rp3beta", "userknn"])
def test_blocks_change_nothing(name: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_interactions(rng)
    settings = {"neighbours": 4, "weighting": RECENT}
    whole = scores_of(build(name, settings).fit(x, RUN), x)
    monkeypatch.setattr(sparse, "ENTRIES_IN_BLOCK", 11)
    monkeypatch.setattr(rows, "TERMS_AT_ONCE", 5)
    monkeypatch.setattr(neighbours, "SIMILARITIES_AT_ONCE", 50)
    monkeypatch.setattr(neighbours, "DENSE_UP_TO_ITEMS", 0)
    model = build(name, settings).fit(x, RUN)
    assert not isinstance(getattr(model, "_factor", None), torch.Tensor)
    torch.testing.assert_close(scores_of(model, x), whole)


def test_a_full_table_is_multiplied_as_a_dense_one(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "DENSE_UP_TO_ITEMS", 0)
    model = build("rp3beta", {"neighbours": 20}).fit(random_interactions(rng, share=0.6), RUN)
    assert isinstance(model._factor, torch.Tensor)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", ["itemknn", "rp3beta"])
def test_a_large_catalogue_needs_memory_for_its_interactions_only(name: str) -> None:
    draw = np.random.default_rng(0)
    pairs = np.unique(draw.integers(0, 2000, 30_000) * 40_000 + draw.zipf(1.3, 30_000) % 40_000)
    x = Interactions.from_arrays(pairs // 40_000, pairs % 40_000, IdMap.range(2000), IdMap.range(40_000))
    tracemalloc.start()
    try:
        model = build(name, {"neighbours": 20}).fit(x, RUN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**28  # a dense table would take 2**32.6
    assert scores_of(model, x.take([0, 1])).isfinite().all()


@pytest.mark.parametrize("name", ["itemknn", "rp3beta"])
def test_each_scored_item_keeps_its_k_and_of_equals_the_first(name: str) -> None:
    table = sparse.table_of(build(name, {"neighbours": 2}).fit(checkerboard(12), RUN).state(), 12).dense()
    for item in range(12):  # all similarities of a colour are equal
        colour = [other for other in range(item % 2, 12, 2) if other != item]
        assert table[:, item].nonzero().flatten().tolist() == colour[:2]


def test_a_new_user_is_compared_with_the_stored_rows() -> None:
    x = Interactions.from_arrays([0, 0, 1, 1], [0, 1, 2, 3], IdMap.range(2), IdMap.range(4))
    model = build("userknn", {"neighbours": 1}).fit(x, RUN)
    new = Interactions.from_arrays([0], [2], IdMap(["stranger"]), x.items)
    np.testing.assert_allclose(scores_of(model, new)[0], [0, 0, 2**-0.5, 2**-0.5], rtol=1e-6)


@pytest.mark.parametrize("name", ["rp3beta", "puresvd", "gf-cf", "ials"])
def test_negative_weights_are_refused_where_weights_are_counts(name: str) -> None:
    x = Interactions.from_arrays([0, 1], [0, 1], IdMap.range(2), IdMap.range(2), weights=[1.0, -2.5])
    with pytest.raises(ModelError, match=r"takes weights for counts, and -2\.5 is among them; leave such rows out"):
        build(name).fit(x, RUN)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("itemknn", {"neighbours": 0}),
        ("itemknn", {"alpha": 1.1}),
        ("userknn", {"shrink": -1}),
        ("rp3beta", {"beta": -0.1}),
        ("rp3beta", {"shrink": 1}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        build(name, setting)
