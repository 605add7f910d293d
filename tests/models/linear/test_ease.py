from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recodiff import build
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, ModelError
from recodiff.models.linear import ease, sparse
from recodiff.runtime.run import Run
from reference import closed_form as reference
from toy import random_interactions, with_gaps

RUN = Run(device="cpu", progress=False)
RECENT = {"kind": "linear", "w_min": 0.2}


def weights(name: str, x: Interactions, **settings: Any) -> np.ndarray:
    return build(name, settings).fit(x, RUN).state()["weights"].numpy()


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def dense(x: Interactions, weighting: dict[str, Any] | None = None) -> np.ndarray:
    return build("ease", {"weighting": weighting or {}}).config.weighting(x).matrix.toarray().astype(float)


@pytest.mark.parametrize("weighting", [{}, RECENT])
@pytest.mark.parametrize("x", [random_interactions(np.random.default_rng(3)), with_gaps()], ids=["random", "gaps"])
def test_the_family_is_what_it_minimises(x: Interactions, weighting: dict[str, Any]) -> None:
    matrix = dense(x, weighting)
    ridge = np.full(x.n_items, 3.0)
    close(weights("ease", x, l2=3, weighting=weighting), reference.zero_diagonal_ridge(matrix, ridge))
    ridge = reference.edlae_ridge(matrix, 3, 0.4)
    close(weights("edlae", x, l2=3, dropout=0.4, weighting=weighting), reference.zero_diagonal_ridge(matrix, ridge))
    for xi in (0.0, 0.2, 0.5, 1.0):
        close(weights("rlae", x, l2=3, xi=xi, weighting=weighting), reference.relaxed_ridge(matrix, 3, xi))


def test_at_the_end_of_their_range_both_are_ease(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    plain = weights("ease", x, l2=2)
    np.testing.assert_array_equal(weights("edlae", x, l2=2, dropout=0), plain)
    np.testing.assert_allclose(weights("rlae", x, l2=2, xi=0), plain, rtol=1e-6)


def test_diagonals_stay_within_their_bound(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    assert (weights("ease", x, l2=2).diagonal() == 0).all()
    assert (weights("edlae", x, l2=2).diagonal() == 0).all()
    relaxed = weights("rlae", x, l2=2, xi=0.3).diagonal()
    assert relaxed.max() == pytest.approx(0.3)
    assert relaxed.min() >= 0


@pytest.mark.parametrize("name", ["ease", "edlae", "rlae"])
@pytest.mark.parametrize("weighting", [{}, RECENT])
def test_by_way_of_the_users_it_is_the_same(
    name: str, weighting: dict[str, Any], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = random_interactions(rng, users=12, items=25)
    through_users = weights(name, x, l2=3, weighting=weighting)
    monkeypatch.setattr(ease, "ITEMS_AT_ONCE", 7)
    np.testing.assert_array_equal(weights(name, x, l2=3, weighting=weighting), through_users)
    monkeypatch.setattr(ease, "DOUBLE_UP_TO_ITEMS", 0)
    np.testing.assert_allclose(weights(name, x, l2=3, weighting=weighting), through_users, rtol=1e-3, atol=1e-5)
    monkeypatch.setattr(ease, "DOUBLE_UP_TO_ITEMS", 100)
    monkeypatch.setattr(ease.ClosedForm, "_by_users", None)  # from here on it would be an error to go there
    monkeypatch.setattr(ease, "USERS_FOR_AN_ITEM", 0)
    close(weights(name, x, l2=3, weighting=weighting), through_users)


def test_users_are_gone_through_only_where_there_is_room(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x = random_interactions(rng, users=20, items=25)
    monkeypatch.setattr(ease.ClosedForm, "_by_users", None)
    monkeypatch.setattr(ease, "available_memory", lambda: 8 * 25**2 * 2)  # of 1.5 and 1.5 + .64 tables
    weights("ease", x)
    monkeypatch.setattr(ease, "available_memory", lambda: 8 * 25**2 * 3)
    with pytest.raises(TypeError, match="not callable"):
        weights("ease", x)


@pytest.mark.parametrize("name", ["ease", "edlae", "rlae"])
def test_large_catalogues_go_in_blocks_and_float32(name: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_interactions(rng)
    whole = weights(name, x, weighting=RECENT)
    monkeypatch.setattr(sparse, "ITEMS_AT_ONCE", 7)
    np.testing.assert_array_equal(weights(name, x, weighting=RECENT), whole)
    monkeypatch.setattr(ease, "DOUBLE_UP_TO_ITEMS", 0)
    np.testing.assert_allclose(weights(name, x, weighting=RECENT), whole, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("name", "title"), [("ease", "EASE"), ("edlae", "EDLAE"), ("rlae", "RLAE")])
def test_a_catalogue_that_does_not_fit_is_refused_before_the_work(name: str, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "available_memory", lambda: 2**30)
    x = Interactions.from_arrays([0], [0], IdMap.range(1), IdMap.range(100_000))
    with pytest.raises(
        ModelError, match=rf"{title} on 100000 items needs about 41\.0 GiB and 1\.0 GiB are free.*some 15\d\d\d items.*itemknn"
    ):
        build(name).fit(x, RUN)


def test_a_ridge_too_small_to_invert_is_refused() -> None:
    alike = Interactions.from_arrays([0, 0], [0, 1], IdMap.range(1), IdMap.range(2))
    with pytest.raises(ModelError, match="l2 = 1e-30 is too small"):
        build("rlae", {"l2": 1e-30}).fit(alike, RUN)


@pytest.mark.parametrize(
    ("name", "setting"), [("edlae", {"dropout": 1.0}), ("rlae", {"xi": 1.5}), ("rlae", {"l2": 0}), ("edlae", {"xi": 0.1})]
)
def test_settings_out_of_range_are_refused(name: str, setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        build(name, setting)


def test_fitting_leaves_the_data_as_it_was(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    before = x.fingerprint()
    for name in ("ease", "itemknn", "rp3beta", "userknn", "puresvd", "gf-cf", "ials"):
        build(name, {"factors": 3} if name in ("puresvd", "gf-cf", "ials") else {}).fit(x, RUN)
    assert x.fingerprint() == before
    assert torch.get_default_dtype() == torch.float32
