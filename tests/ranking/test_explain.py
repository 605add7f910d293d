"""What speaks for an item is what the list would lose without it, whatever the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recodiff import Interactions, Recommender, Run, build, explain, history_of, recommend
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events
from recodiff.errors import DataError, ModelError
from recodiff.ranking import explain as explaining
from toy import checkerboard, random_interactions, scores_of

FEW: dict[str, dict[str, Any]] = {
    "ease": {"l2": 5.0},
    "itemknn": {},
    "diffrec": {"denoiser": {"hidden": [8]}, "diffusion": {"steps": 2}, "training": {"epochs": 2}},
    "f-diffrec": {"denoiser": {"hidden": [8]}, "training": {"epochs": 2}, "weighting": {"kind": "half_life", "half_life": 3.0}},
    "multivae": {"network": {"hidden": [8], "latent": 4}, "training": {"epochs": 2}},
    "sasrec": {"width": 8, "layers": 1, "training": {"epochs": 1}},
    "mf": {"width": 4, "training": {"epochs": 2}},
}


def fitted(name: str, x: Interactions) -> Recommender:
    return build(name, FEW.get(name)).fit(x, Run(device="cpu"))


def one_by_one(model: Recommender, x: Interactions, items: np.ndarray) -> list[np.ndarray]:
    """Effects [K, L] of each user, from a history without one entry at a time."""
    found = []
    for user in range(x.n_users):
        alone = Interactions(
            *(lambda one: (one.matrix, one.times, one.time_kind))(x.take([user])), IdMap.unnamed(1), x.items, x.events
        )
        above = []
        for entry in range(-1, alone.nnz):
            scores = scores_of(model, alone.only(np.arange(alone.nnz) != entry))[0].double()
            above.append((scores[torch.from_numpy(items[user])] - scores.mean()).numpy())
        found.append(
            np.stack([above[0] - without for without in above[1:]], axis=1) if alone.nnz else np.zeros((items.shape[1], 0))
        )
    return found


@pytest.mark.parametrize("name", FEW)
def test_effects_are_those_of_scoring_without_one_item_at_a_time(name: str, rng: np.random.Generator) -> None:
    x = random_interactions(rng, users=12, items=20)
    model = fitted(name, x)
    unseen = Interactions(x.matrix, x.times, x.time_kind, IdMap.unnamed(x.n_users), x.items)
    lists = recommend(model, unseen, 4)
    found = explain(model, unseen, lists, top=20)
    for user, effects in enumerate(one_by_one(model, unseen, lists.items)):
        entries = x.take([user]).matrix.indices
        for rank in range(4):
            said = dict(zip(found.because[user, rank].tolist(), found.effects[user, rank].tolist(), strict=True))
            said.pop(-1, None)
            true = {int(item): effect for item, effect in zip(entries, effects[rank], strict=True) if effect > 1e-4}
            assert true.keys() <= said.keys()
            assert all(said[item] == pytest.approx(effect, abs=2e-4) for item, effect in true.items())
            assert list(said.values()) == sorted(said.values(), reverse=True)


def test_of_ease_an_effect_is_its_weight_above_the_mean(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted("ease", x)
    weights = scores_of(model, history_of(model, *[[item] for item in range(20)])).double()  # row j: what item j gives to each
    history = history_of(model, [3, 7, 11])
    lists = recommend(model, history, 5)
    found = explain(model, history, lists, top=1)
    for rank, item in enumerate(lists.items[0]):
        effects = {j: float(weights[j, item] - weights[j].mean()) for j in (3, 7, 11)}
        best = max(effects, key=lambda j: effects[j])
        assert found.because[0, rank, 0] == best
        assert found.effects[0, rank, 0] == pytest.approx(effects[best], abs=1e-5)


def test_items_of_the_users_own_colour_speak_for_its_last_one() -> None:
    x = checkerboard(20)
    model = fitted("ease", x)
    history = history_of(model, ["item-000", "item-002", "item-005", "item-004", "item-006"])
    lists = recommend(model, history, 1)
    assert int(lists.items[0, 0]) % 2 == 0
    reasons = explain(model, history, lists).of(0, 0)
    assert len(reasons) == 3
    assert "item-005" not in dict(reasons)


def test_how_many_are_scored_at_once_changes_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random_interactions(rng)
    model = fitted("ease", x)
    lists = recommend(model, x, 3)
    whole = explain(model, x, lists)
    monkeypatch.setattr(explaining, "users_at_once", lambda n_items, products: 3)
    few = explain(model, x, lists)
    assert np.array_equal(whole.because, few.because)
    assert np.allclose(whole.effects, few.effects, atol=1e-6)


@pytest.mark.parametrize("events", ["whole", "ordered", "split"])
def test_one_item_of_a_basket_is_left_out_alone(events: Events) -> None:
    x = checkerboard(8)
    model = fitted("sasrec", x)
    basket = Interactions.from_arrays(
        [0, 0, 0], [1, 3, 5], IdMap.unnamed(1), x.items, times=[1, 2, 2], time_kind="order", events=events
    )
    lists = recommend(model, basket, 2)
    found = explain(model, basket, lists, top=3)
    (effects,) = one_by_one(model, basket, lists.items)
    for rank in range(2):
        best = int(np.argmax(effects[rank]))
        assert effects[rank, best] <= 0 or found.because[0, rank, 0] == basket.matrix.indices[best]


def test_short_lists_and_empty_histories_have_no_reasons(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted("ease", x)
    history = history_of(model, [], list(range(19)))
    found = explain(model, history, recommend(model, history, 3))
    assert (found.because[0] == -1).all()
    assert found.of(0, 0) == []
    assert (found.because[1, 1:] == -1).all()
    assert found.of(1, 2) == []


def test_what_cannot_be_explained_is_refused(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    popular = build("popularity").fit(x, Run(device="cpu"))
    with pytest.raises(ModelError, match="all users the same list"):
        explain(popular, x, recommend(popular, x, 2))
    remembers = fitted("mf", x)
    with pytest.raises(ModelError, match="user 0 by what it learned of that user"):
        explain(remembers, x, recommend(remembers, x, 2))
    ease = fitted("ease", x)
    lists = recommend(ease, x, 2)
    with pytest.raises(ModelError, match="top = 0"):
        explain(ease, x, lists, top=0)
    with pytest.raises(ModelError, match="newest = 0"):
        explain(ease, x, lists, newest=0)
    with pytest.raises(DataError, match="other users"):
        explain(ease, x.take([0, 1]), lists)


def test_of_a_long_history_the_newest_items_may_be_tried_alone(rng: np.random.Generator) -> None:
    x = random_interactions(rng)
    model = fitted("ease", x)
    history = history_of(model, [1, 2, 3, 4, 5, 6], [])
    lists = recommend(model, history, 5)
    whole, few = (explain(model, history, lists, top=6, newest=newest) for newest in (None, 2))
    for rank in range(5):
        newest = dict(few.of(0, rank))
        assert newest.keys() <= {5, 6}
        assert newest == pytest.approx({item: effect for item, effect in whole.of(0, rank) if item in (5, 6)}, abs=1e-5)
