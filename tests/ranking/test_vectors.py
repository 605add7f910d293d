from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recodiff import build, item_vectors, recommend, similar_items, user_vectors
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch
from recodiff.runtime.run import Run
from recodiff.tensors.rows import Rows

N_USERS, N_ITEMS = 15, 12


def data() -> Interactions:
    draw = np.random.default_rng(0)
    pairs = [(u, int(i)) for u in range(N_USERS) for i in draw.permutation(N_ITEMS)[: 2 + u % 4]]
    user, item = zip(*pairs, strict=True)
    users, items = IdMap([f"u{n}" for n in range(N_USERS)]), IdMap([f"i{n}" for n in range(N_ITEMS)])
    return Interactions.from_arrays(user, item, users, items, times=np.arange(len(pairs)), time_kind="order")


def fitted(name: str = "diffrec", **groups: Any) -> Recommender:
    settings = {"denoiser": {"hidden": [6, 4]}, "training": {"epochs": 3}}
    for group, value in groups.items():
        settings[group] = settings.get(group, {}) | value
    return build(name, settings if name.endswith("diffrec") else {}).fit(data(), Run(device="cpu", progress=False))


@pytest.mark.parametrize("name", ["diffrec", "t-diffrec"])
@pytest.mark.parametrize("steps", [1, 5])
def test_inner_products_are_the_scores(name: str, steps: int) -> None:
    model = fitted(name, diffusion={"steps": steps})
    vectors, bias = item_vectors(model)
    users = user_vectors(model, data())
    assert vectors.shape == (N_ITEMS, 4)
    assert bias.shape == (N_ITEMS,)
    assert users.shape == (N_USERS, 4)
    scores = model.score(Batch(Rows.from_csr(model.config.weighting(data()).matrix)))
    np.testing.assert_allclose(users @ vectors.T + bias, scores.numpy(), rtol=1e-4, atol=1e-5)


def test_inner_products_give_the_lists_of_recommend() -> None:
    model = fitted("t-diffrec")
    vectors, bias = item_vectors(model)
    scores = user_vectors(model, data()) @ vectors.T + bias
    best = np.argsort(-scores, axis=1)[:, :5]
    np.testing.assert_array_equal(recommend(model, data(), 5, exclude_seen=False).items, best)


def test_users_the_model_has_never_seen_have_vectors() -> None:
    model = fitted()
    new = Interactions.from_arrays([0, 0, 2], [3, 5, 1], IdMap(["x", "y", "z"]), data().items, times=[1, 2, 3], time_kind="order")
    vectors = user_vectors(model, new)
    assert vectors.shape == (3, 4)
    assert np.isfinite(vectors).all()


def test_a_history_over_another_catalogue_is_refused() -> None:
    model = fitted()
    foreign = Interactions.from_arrays([0], [1], IdMap.range(1), IdMap.range(N_ITEMS))
    with pytest.raises(DataError):
        user_vectors(model, foreign)


def test_similar_items_are_the_nearest_by_cosine_and_never_the_item_itself() -> None:
    model = fitted()
    table = similar_items(model, ["i3", "i0", "i3"], 4)
    assert table.columns == ["item", "rank", "similar", "cosine"]
    assert table["item"].to_list() == ["i3"] * 4 + ["i0"] * 4 + ["i3"] * 4
    assert table["rank"].to_list() == [1, 2, 3, 4] * 3
    directions = normalize(torch.tensor(item_vectors(model)[0]).double()).numpy()
    for item in ("i3", "i0"):
        at = int(item[1:])
        others = sorted((n for n in range(N_ITEMS) if n != at), key=lambda n: -(directions[at] @ directions[n]))
        rows = table.filter(table["item"] == item)
        assert rows["similar"].to_list()[:4] == [f"i{n}" for n in others[:4]]
        np.testing.assert_allclose(rows["cosine"].to_numpy()[:4], directions[others[:4]] @ directions[at], rtol=1e-5, atol=1e-6)


def test_every_other_item_can_be_asked_for() -> None:
    table = similar_items(fitted(), ["i7"], N_ITEMS - 1)
    assert sorted(table["similar"]) == sorted(f"i{n}" for n in range(N_ITEMS) if n != 7)
    assert table["cosine"].is_finite().all()


@pytest.mark.parametrize("k", [0, -1, N_ITEMS, N_ITEMS + 5, True])
def test_a_k_outside_the_other_items_is_refused(k: int) -> None:
    with pytest.raises(ModelError, match=rf"k = {k} lies outside 1\.\.{N_ITEMS - 1}"):
        similar_items(fitted(), ["i0"], k)


def test_an_unknown_item_is_refused() -> None:
    with pytest.raises(DataError, match="unknown item 'nope'"):
        similar_items(fitted(), ["nope"], 2)


@pytest.mark.parametrize("name", ["popularity", "ease"])
def test_models_without_item_vectors_say_so(name: str) -> None:
    model = fitted(name)
    for call in (lambda: item_vectors(model), lambda: user_vectors(model, data()), lambda: similar_items(model, ["i0"], 1)):
        with pytest.raises(ModelError, match="has no item vectors"):
            call()


@pytest.mark.parametrize(
    "groups",
    [
        {"diffusion": {"prediction": "eps"}},
        {"denoiser": {"normalise": True}},
        {"sampling": {"noise_steps": 1}},
        {"sampling": {"noise": True}},
    ],
    ids=str,
)
def test_models_whose_scores_are_no_inner_product_say_so(groups: dict[str, Any]) -> None:
    model = fitted(**groups)
    with pytest.raises(ModelError, match="scores are an inner product only"):
        item_vectors(model)
    with pytest.raises(ModelError, match="scores are an inner product only"):
        user_vectors(model, data())
