"""One contract for every entry of MODELS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from recodiff import Run, build, history_of, load_model, recommend, save_model, similar_items
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError, DataError, ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch
from recodiff.models.network import TorchRecommender
from recodiff.models.saving import USERS
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Forecast
from toy import checkerboard, every_model, scores_of, with_gaps

# Toy settings: enough capacity and little regularisation, so that 50 users can be learned in a second.
NETWORK = {
    "denoiser": {"hidden": [32], "dropout": 0.2},
    "diffusion": {"steps": 3},
    "training": {"epochs": 60, "batch_size": 10, "lr": 3e-3},
}
LATENT = {
    "codec": {"latent": 24, "lr": 1e-2, "kl_weight": 0.0, "dropout": 0.05},
    "denoiser": {"hidden": [24], "dropout": 0.1},
    "diffusion": {"steps": 3},
    "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2},
}
FACTORS = {"width": 16, "negatives": 4, "dropout": 0.1, "training": {"epochs": 60, "batch_size": 25, "lr": 2e-2}}
AUTOENCODER = {
    "network": {"hidden": [], "latent": 32, "dropout": 0.2},
    "training": {"epochs": 60, "batch_size": 10, "lr": 3e-3},
}
SEQUENCE = {
    "width": 32,
    "layers": 1,
    "dropout": 0.1,
    "horizon": 8,
    "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2},
}
FORECAST = NETWORK | {"diffusion": {"steps": 1}}
TOY: dict[str, dict[str, Any]] = {
    # The board has two colours, hence two factors; a third would be any of 48 equally good ones.
    "puresvd": {"factors": 2},
    "gf-cf": {"factors": 2},
    "ials": {"factors": 2},
    "implicit-als": {"factors": 2, "epochs": 300},
    "implicit-bpr": {"factors": 16, "epochs": 300},
    "ease": {"l2": 1.0},
    "edlae": {"l2": 1.0, "dropout": 0.2},
    "rlae": {"l2": 1.0},
    "mf": FACTORS,
    "cdae": {"hidden": 32, "dropout": 0.2, "training": {"epochs": 80, "batch_size": 10, "lr": 1e-2}},
    "lightgcn": FACTORS | {"layers": 2},
    "irgan": FACTORS | {"warmup_epochs": 30},
    "diffrec": NETWORK,
    "t-diffrec": NETWORK,
    "l-diffrec": LATENT,
    "lt-diffrec": LATENT,
    "f-diffrec": FORECAST,
    "fs-diffrec": {
        "parts": {"rows": {"settings": FORECAST}, "sequence": {"settings": SEQUENCE}, "items": {"settings": {"l2": 1.0}}}
    },
    "lf-diffrec": LATENT,
    "f-ridge": {"l2": 1.0},
    "sasrec": SEQUENCE,
    "gru4rec": SEQUENCE,
    "acvae": SEQUENCE | {"latent": 16},
    "multidae": AUTOENCODER,
    "multivae": AUTOENCODER,
    "multidae++": AUTOENCODER,
    "giffcf": {"width": 32, "dropout": 0.2, "training": {"epochs": 60, "batch_size": 10, "lr": 3e-3}},
    "codigem": {"hidden": [32], "beta": 0.05, "training": {"epochs": 60, "batch_size": 10, "lr": 3e-3}},
}

# Who cannot learn from a catalogue of one item, and what is said.
ONE_ITEM_IS_TOO_FEW = {
    **dict.fromkeys(("mf", "lightgcn", "irgan", "cdae"), "has met all 1 items, so there is none to compare them with"),
    **dict.fromkeys(("f-diffrec", "fs-diffrec", "f-ridge", "sasrec", "gru4rec", "acvae"), "no user has the 2 interactions"),
    **dict.fromkeys(("l-diffrec", "lt-diffrec", "lf-diffrec"), "item embeddings need 2 users and 2 items"),
}

# Whose fit takes no weights, and what is said; on the history alone they take any.
NO_WEIGHTS_IN_THE_FIT = {"implicit-bpr": "draws interactions without weights"}  # the package has no place for them

BOARD = checkerboard(shuffled=True)
RUN = Run(seed=0, progress=False, device="cpu")


@pytest.fixture(scope="module", params=every_model())
def model(request: pytest.FixtureRequest) -> Recommender:
    return build(request.param, TOY.get(request.param)).fit(BOARD, RUN)


def short(name: str) -> dict[str, Any]:
    """Toy settings with one epoch."""
    return _short(TOY.get(name, {}))


def _short(settings: dict[str, Any], **training: Any) -> dict[str, Any]:
    return {
        key: value | {"epochs": 1} | training
        if key == "training"
        else _short(value, **training)
        if isinstance(value, dict)
        else value
        for key, value in settings.items()
    }


def has_network(model: Recommender) -> bool:
    """Whether a network is trained, in a part of the model at least."""
    return isinstance(model, TorchRecommender) or any(map(has_network, getattr(model, "parts", {}).values()))


def strangers(x: Interactions) -> Interactions:
    """The same histories, of users that no model knows."""
    return Interactions(x.matrix, x.times, x.time_kind, IdMap.unnamed(x.n_users), x.items)


def test_the_withheld_diagonal_is_ranked_first(model: Recommender) -> None:
    if not model.traits.personalised:
        pytest.skip("declared not personalised")
    first = recommend(model, BOARD, 1).items[:, 0]
    assert (first == np.arange(len(first))).mean() >= 0.95


def test_only_personalised_models_tell_users_apart(model: Recommender) -> None:
    scores = scores_of(model, BOARD)
    assert bool((scores != scores[0]).any()) == model.traits.personalised


def test_a_batch_scores_as_its_users_one_by_one(model: Recommender) -> None:
    together = scores_of(model, BOARD)
    alone = torch.cat([scores_of(model, BOARD.take([user])) for user in range(5)])
    torch.testing.assert_close(together[:5], alone, rtol=1e-5, atol=1e-5)


def test_a_user_never_seen_in_training_gets_what_a_known_user_with_that_history_gets(model: Recommender) -> None:
    known = BOARD.take([7])
    typed = history_of(model, known.items.externals(known.matrix.indices).to_list())
    if model.traits.remembers_users:  # what was learned of a user is more than the history says, but points the same way
        same = recommend(model, strangers(BOARD), 1).items == recommend(model, BOARD, 1).items
        assert same.mean() >= 0.9
    else:
        torch.testing.assert_close(scores_of(model, typed), scores_of(model, known))
    assert recommend(model, typed, 5).items.tolist() == recommend(model, strangers(known), 5).items.tolist()


def test_a_model_remembers_the_users_it_learned_from_if_it_says_so(model: Recommender) -> None:
    if not model.traits.remembers_users:
        assert len(model.users) == 0
        return
    assert model.users == BOARD.users
    assert not torch.allclose(scores_of(model, BOARD), scores_of(model, strangers(BOARD)))
    backwards = np.arange(50)[::-1]
    torch.testing.assert_close(scores_of(model, BOARD.take(backwards)), scores_of(model, BOARD).flip(0), rtol=1e-5, atol=1e-5)
    one_new = Interactions.from_arrays([0, 1], [3, 3], IdMap(["user-009", "nobody"]), BOARD.items, times=[1, 2], time_kind="order")
    torch.testing.assert_close(scores_of(model, one_new)[1:], scores_of(model, strangers(one_new))[1:], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(scores_of(model, one_new)[0], scores_of(model, one_new)[1])


def test_a_user_without_interactions_in_training_stays_a_stranger(model: Recommender) -> None:
    rest = BOARD.take(np.arange(1, 50))
    with_empty = Interactions.from_arrays(
        rest.rows() + 1, rest.matrix.indices, BOARD.users, BOARD.items, times=rest.times, time_kind="order"
    )
    fitted = build(model.registered, short(model.registered)).fit(with_empty, RUN)
    assert len(fitted.users) == (49 if model.traits.remembers_users else 0)
    first = BOARD.take([0])
    torch.testing.assert_close(scores_of(fitted, first), scores_of(fitted, strangers(first)))


@pytest.mark.parametrize("length", [0, 1, 49, 50])
def test_an_extreme_history_is_scored(model: Recommender, length: int) -> None:
    scores = scores_of(model, history_of(model, model.items.ids[:length].to_list()))
    assert scores.shape == (1, 50)
    assert scores.isfinite().all()


def test_scores_are_finite_and_never_masked(model: Recommender) -> None:
    scores = scores_of(model, BOARD)
    assert scores.shape == (50, 50)
    assert scores.isfinite().all()


def test_lists_leave_out_what_was_seen_unless_told(model: Recommender) -> None:
    seen = BOARD.matrix.toarray() > 0
    lists = recommend(model, BOARD, 26).items
    for user in range(50):
        found = lists[user][lists[user] >= 0]
        assert not seen[user, found].any()
        assert len(found) == 26
    everything = recommend(model, BOARD, 50, exclude_seen=False).items
    assert (np.sort(everything, axis=1) == np.arange(50)).all()


def test_a_list_ends_early_where_nothing_is_left(model: Recommender) -> None:
    lists = recommend(model, BOARD, 50)
    assert ((lists.items >= 0).sum(1) == 26).all()
    assert lists.to_frame().height == 50 * 26


def test_ranking_twice_gives_the_same_lists(model: Recommender) -> None:
    one = BOARD.take([3])
    assert recommend(model, one, 10).items.tolist() == recommend(model, one, 10).items.tolist()


def test_k_beyond_the_catalogue_is_refused(model: Recommender) -> None:
    for k in (0, 51):
        with pytest.raises(ModelError, match=rf"k = {k} lies outside 1\.\.50"):
            recommend(model, BOARD, k)


def test_an_unknown_item_is_refused_by_name(model: Recommender) -> None:
    with pytest.raises(DataError, match="unknown item 'nonsense'"):
        history_of(model, ["item-001", "nonsense"])


def test_a_history_over_another_catalogue_is_refused(model: Recommender) -> None:
    other = Interactions.from_arrays([0], [0], IdMap.range(1), IdMap.range(50))
    with pytest.raises(DataError, match="not the model's 50"):
        recommend(model, other, 3)


def test_a_second_fit_forgets_the_first(model: Recommender) -> None:
    settings = TOY.get(model.registered)
    twice = build(model.registered, settings).fit(checkerboard(30), RUN).fit(BOARD, RUN)
    torch.testing.assert_close(scores_of(twice, BOARD), scores_of(model, BOARD))


def first_losses(model: Recommender) -> list[float]:
    """The loss of the first epoch of the model, or of each part that has one."""
    logs = [model.summary.get("log"), *(model.summary.get(part, {}).get("log") for part in getattr(model, "parts", {}))]
    return [log[0]["loss"] for log in logs if log]


def test_half_the_bytes_cost_a_network_a_rounding_in_training(model: Recommender) -> None:
    if not has_network(model):
        pytest.skip("no network is trained")
    exact, rounded = (
        build(model.registered, _short(TOY[model.registered], precision=precision)).fit(BOARD, RUN)
        for precision in ("float32", "bfloat16")
    )
    assert first_losses(rounded) == pytest.approx(first_losses(exact), rel=0.01)
    assert all(tensor.dtype != torch.bfloat16 for tensor in rounded.state().values())
    assert not torch.equal(scores_of(exact, BOARD), scores_of(rounded, BOARD))


def test_a_model_that_draws_no_random_numbers_is_the_same_for_every_seed(model: Recommender) -> None:
    if model.traits.seeded:
        pytest.skip("declared to draw random numbers")
    again = build(model.registered, TOY.get(model.registered)).fit(BOARD, replace(RUN, seed=1))
    assert torch.equal(scores_of(again, BOARD), scores_of(model, BOARD))


def test_a_model_needs_time_exactly_if_it_says_so(model: Recommender) -> None:
    timeless = replace(BOARD, times=None, time_kind=None)
    again = build(model.registered, short(model.registered))
    if model.traits.order_aware:
        with pytest.raises(DataError, match="no time"):
            again.fit(timeless, RUN)
        with pytest.raises(DataError, match="no time"):
            recommend(model, timeless, 3)
    else:
        assert recommend(again.fit(timeless, RUN), timeless, 3).items.shape == (50, 3)


def test_saved_and_loaded_it_scores_the_same(model: Recommender, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model", item_table=pl.DataFrame({"title": [f"Title {i}" for i in range(50)]}))
    loaded = load_model(tmp_path / "model")
    assert loaded.config == model.config
    assert loaded.registered == model.registered
    assert loaded.parameters == model.parameters
    assert loaded.users == model.users
    assert (tmp_path / "model" / USERS).exists() == model.traits.remembers_users
    assert torch.equal(scores_of(loaded, BOARD), scores_of(model, BOARD))
    assert not list(tmp_path.rglob("*.pkl"))


def test_item_vectors_are_there_where_declared_and_refused_elsewhere(model: Recommender) -> None:
    if model.traits.item_vectors:
        near = similar_items(model, ["item-004"], 3)
        assert near["rank"].to_list() == [1, 2, 3]
        assert "item-004" not in near["similar"].to_list()
    else:
        with pytest.raises(ModelError, match="no item vectors"):
            similar_items(model, ["item-004"], 3)


def test_an_unfitted_model_says_so(model: Recommender) -> None:
    with pytest.raises(ModelError, match="not fitted"):
        recommend(build(model.registered), BOARD, 3)


def test_fitting_to_nothing_is_refused(model: Recommender) -> None:
    nothing = Interactions.from_arrays([], [], IdMap.range(2), IdMap.range(3))
    with pytest.raises(ModelError, match="no interactions"):
        build(model.registered).fit(nothing, RUN)


def test_permuting_the_items_permutes_the_scores(model: Recommender) -> None:
    if has_network(model) or model.registered == "implicit-bpr":
        pytest.skip("initial weights belong to positions")
    order = np.random.default_rng(0).permutation(50)
    place = np.argsort(order)
    x = BOARD
    moved = Interactions.from_arrays(
        x.rows(), place[x.matrix.indices], x.users, x.items.take(order), times=x.times, time_kind="order"
    )
    again = build(model.registered, TOY.get(model.registered)).fit(moved, RUN)
    torch.testing.assert_close(scores_of(again, moved), scores_of(model, x)[:, torch.from_numpy(order)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "half_life", "power_law"])
def test_any_model_takes_any_weighting_on_the_history_alone(model: Recommender, kind: str) -> None:
    weighted = build(model.registered, short(model.registered) | {"weighting": {"kind": kind, "on": "history"}}).fit(BOARD, RUN)
    assert recommend(weighted, BOARD, 5).items.shape == (50, 5)
    if model.traits.personalised:  # a model need not look at the history of a user it remembers
        uniform = weighted.score(Batch(Rows.from_csr(BOARD.matrix)))
        assert not torch.allclose(scores_of(weighted, strangers(BOARD)), uniform)


@pytest.mark.parametrize("kind", ["linear", "half_life"])
def test_any_model_takes_any_weighting_on_the_fit(model: Recommender, kind: str) -> None:
    if refusal := NO_WEIGHTS_IN_THE_FIT.get(model.registered):
        with pytest.raises(ConfigError, match=refusal):
            build(model.registered, short(model.registered) | {"weighting": {"kind": kind}}).fit(BOARD, RUN)
        return
    plain, weighted = (
        build(model.registered, short(model.registered) | {"weighting": {"kind": kind, "on": on}}).fit(BOARD, RUN)
        for on in ("history", "fit+history")
    )
    assert scores_of(weighted, BOARD).isfinite().all()
    # What comes before a cut is a history, wherever the weighting is placed.
    forecasts = isinstance(getattr(model.config, "pairs", None), Forecast)
    assert torch.allclose(scores_of(plain, BOARD), scores_of(weighted, BOARD)) == forecasts


def test_users_and_items_without_interactions_are_no_trouble(model: Recommender, recwarn: pytest.WarningsRecorder) -> None:
    x = with_gaps()
    scores = scores_of(build(model.registered, short(model.registered)).fit(x, RUN), x)
    assert scores.shape == (x.n_users, x.n_items)
    assert scores.isfinite().all()
    assert not recwarn.list


def test_a_catalogue_of_one_item_is_no_trouble(model: Recommender, recwarn: pytest.WarningsRecorder) -> None:
    x = Interactions.from_arrays([0, 1], [0, 0], IdMap.range(3), IdMap.range(1), times=[1, 2], time_kind="order")
    if refusal := ONE_ITEM_IS_TOO_FEW.get(model.registered):
        with pytest.raises((DataError, ModelError), match=refusal):
            build(model.registered, short(model.registered)).fit(x, RUN)
        return
    fitted = build(model.registered, short(model.registered)).fit(x, RUN)
    assert scores_of(fitted, x).isfinite().all()
    assert recommend(fitted, x, 1).items.tolist() == [[-1], [-1], [0]]
    assert not recwarn.list


def test_weights_that_are_all_zero_are_no_trouble(model: Recommender, recwarn: pytest.WarningsRecorder) -> None:
    x = BOARD.with_values(np.zeros(BOARD.nnz, np.float32))
    assert scores_of(build(model.registered, short(model.registered)).fit(x, RUN), x).isfinite().all()
    assert not recwarn.list


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_scores_as_the_cpu(model: Recommender) -> None:
    there = build(model.registered, TOY.get(model.registered))
    there = there.restore(model.state(), model.items, "cuda", users=model.users)
    for x in (BOARD, strangers(BOARD)):
        torch.testing.assert_close(scores_of(there, x).cpu(), scores_of(model, x), rtol=1e-3, atol=1e-3)


def test_noise_while_ranking_belongs_to_the_history_not_to_its_place_in_the_batch() -> None:
    settings = NETWORK | {"sampling": {"noise_steps": 2, "noise": True}, "training": {"epochs": 1}}
    noisy = build("diffrec", settings).fit(BOARD, RUN)
    together = scores_of(noisy, BOARD)
    torch.testing.assert_close(together[7:8], scores_of(noisy, BOARD.take([7])), rtol=1e-5, atol=1e-5)
    plain = build("diffrec", NETWORK | {"training": {"epochs": 1}}).fit(BOARD, RUN)
    assert not torch.allclose(together, scores_of(plain, BOARD))
