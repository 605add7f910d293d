"""Forecasting pairs: a cut, what came before it, what came after."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from recodiff import Run, build, recommend
from recodiff.data.interactions import IdMap, Interactions
from recodiff.data.weighting import HalfLife, LinearRecency, PowerLaw, Uniform
from recodiff.errors import DataError, ModelError
from recodiff.models.batch import Batch
from recodiff.models.network import TorchRecommender
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Forecast, Pair
from toy import checkerboard, random_interactions, scores_of, walk

CPU = torch.device("cpu")
DAY = 86_400


def draw(x: Interactions, users: list[int], seed: int = 0, weighting: Any = None, pairs: Forecast | None = None) -> Pair:
    bound = (pairs or Forecast()).bind(x, weighting or HalfLife(), CPU)
    return bound(torch.tensor(users), torch.Generator().manual_seed(seed))


def per_user(rows: Any) -> list[dict[int, float]]:
    bounds = rows.offsets.tolist()
    return [dict(zip(rows.columns[a:b].tolist(), rows.values[a:b].tolist(), strict=True)) for a, b in pairwise(bounds)]


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_a_history_falls_into_what_came_before_and_what_came_after(seed: int) -> None:
    x = random_interactions(np.random.default_rng(seed % 7))
    users = np.flatnonzero(x.lengths() >= 2)
    pair = draw(x, users.tolist(), seed)
    assert pair.seen is pair.source
    assert pair.target is not None
    for user, before, after in zip(users, per_user(pair.source), per_user(pair.target), strict=True):
        whole = x.matrix.indices[x.matrix.indptr[user] : x.matrix.indptr[user + 1]].tolist()
        assert [*before, *after] == whole  # oldest first, nothing lost, nothing twice
        assert before
        assert after


def test_every_place_is_cut_equally_often() -> None:
    x = checkerboard(12)  # five interactions a user, so four places
    cuts = torch.cat([draw(x, list(range(12)), seed).source.offsets.diff() for seed in range(300)])
    shares = torch.bincount(cuts, minlength=6) / len(cuts)
    assert shares[[0, 5]].tolist() == [0, 0]
    np.testing.assert_allclose(shares[1:5], 0.25, atol=0.03)


def test_the_source_is_weighted_as_recommend_weights_a_whole_history() -> None:
    x = random_interactions(np.random.default_rng(3))
    users = np.flatnonzero(x.lengths() >= 2)
    for weighting in (HalfLife(on="history"), LinearRecency(), PowerLaw(unit="days", floor=0.01), Uniform()):
        found = per_user(draw(x, users.tolist(), 1, weighting).source)
        for user, before in zip(users, found, strict=True):
            first = x.matrix.indptr[user]
            entries = slice(first, first + len(before))
            prefix = Interactions.from_arrays(
                np.zeros(len(before), int),
                x.matrix.indices[entries],
                IdMap.range(1),
                x.items,
                times=x.times[entries],  # pyright: ignore[reportOptionalSubscript]
                time_kind="clock",
            )
            assert list(before.values()) == pytest.approx(weighting(prefix).matrix.data.tolist(), rel=1e-5)


def test_the_target_is_weighted_by_distance_after_the_cut() -> None:
    x = random_interactions(np.random.default_rng(4))
    users = np.flatnonzero(x.lengths() >= 2).tolist()
    for after in per_user(draw(x, users, pairs=Forecast(target=HalfLife(half_life=3, floor=0.2))).target):
        assert list(after.values()) == pytest.approx(reference.half_life(range(len(after)), 3, 0.2))


def test_the_target_reaches_no_farther_than_a_share_of_what_came_before() -> None:
    x = random_interactions(np.random.default_rng(6))
    users = np.flatnonzero(x.lengths() >= 2).tolist()
    for seed in range(5):
        whole, near = draw(x, users, seed), draw(x, users, seed, pairs=Forecast(reach=0.5))
        assert per_user(near.source) == per_user(whole.source)
        for before, after, first in zip(per_user(whole.source), per_user(whole.target), per_user(near.target), strict=True):
            assert list(first.items()) == list(after.items())[: math.ceil(0.5 * len(before))]


def test_distance_can_be_counted_in_days_since_the_cut() -> None:
    times = np.array([0, 1, 4, 9]) * DAY
    x = Interactions.from_arrays([0] * 4, [3, 1, 0, 2], IdMap.range(1), IdMap.range(4), times=times, time_kind="clock")
    pairs = Forecast(target=HalfLife(half_life=2, floor=0.0, unit="days"))
    for seed in range(8):
        pair = draw(x, [0], seed, HalfLife(half_life=2, floor=0.0, unit="days"), pairs)
        c = len(pair.source.values)
        assert pair.source.values.tolist() == pytest.approx([2 ** (-(times[c - 1] - t) / DAY / 2) for t in times[:c]])
        assert pair.target.values.tolist() == pytest.approx([2 ** (-(t - times[c - 1]) / DAY / 2) for t in times[c:]])  # pyright: ignore[reportOptionalMemberAccess]


def test_interactions_of_equal_time_stand_in_the_order_of_the_log() -> None:
    x = Interactions.from_arrays([0] * 3, [2, 0, 1], IdMap.range(1), IdMap.range(3), times=[7, 7, 7], time_kind="clock")
    pair = draw(x, [0])
    assert [*per_user(pair.source)[0], *per_user(pair.target)[0]] == [2, 0, 1]


def test_ratings_stay_in_the_weights() -> None:
    x = random_interactions(np.random.default_rng(5))
    rated = x.with_values(np.full(x.nnz, 4.0))
    users = np.flatnonzero(x.lengths() >= 2).tolist()
    plain, heavy = draw(x, users), draw(rated, users)
    torch.testing.assert_close(heavy.source.values, 4 * plain.source.values)
    torch.testing.assert_close(heavy.target.values, 4 * plain.target.values)  # pyright: ignore[reportOptionalMemberAccess]


def test_data_without_time_is_refused() -> None:
    x = Interactions.from_arrays([0, 0], [0, 1], IdMap.range(1), IdMap.range(2))
    with pytest.raises(DataError, match="forecasting needs to know what came first"):
        build("f-diffrec").fit(x)


def test_distances_in_days_need_clock_time() -> None:
    with pytest.raises(DataError, match="need clock time"):
        draw(checkerboard(), [0], pairs=Forecast(target=HalfLife(unit="days")))


def test_histories_of_one_teach_nothing_and_nobody_else_is_refused() -> None:
    ids = IdMap.range(3), IdMap.range(4)
    x = Interactions.from_arrays([0, 1, 1, 2], [0, 1, 2, 3], *ids, times=range(4), time_kind="order")
    small = {"denoiser": {"hidden": [4]}, "training": {"epochs": 1}}
    assert build("f-diffrec", small).fit(x, Run(progress=False)).summary["users"] == 1
    alone = Interactions.from_arrays([0, 1], [0, 1], *ids, times=range(2), time_kind="order")
    with pytest.raises(ModelError, match="no user has the 2 interactions"):
        build("f-diffrec", small).fit(alone)


@pytest.mark.parametrize("name", ["f-diffrec", "lf-diffrec"])
def test_forecasting_learns_what_comes_next_and_the_newest_item_decides(name: str) -> None:
    settings_: dict[str, Any] = {
        "denoiser": {"hidden": [32], "dropout": 0.0},
        "training": {"epochs": 250, "batch_size": 6, "lr": 1e-2},
        "weighting": {"half_life": 0.5, "floor": 0.0},
        "pairs": {"target": {"kind": "half_life", "half_life": 0.5, "floor": 0.0}},
    }
    if name == "lf-diffrec":
        settings_["codec"] = {"latent": 64, "clusters": 1, "lr": 1e-2, "kl_weight": 0.0, "dropout": 0.0}
        settings_["denoiser"] = {"hidden": [64], "dropout": 0.0}
    model = build(name, settings_).fit(walk(), Run(seed=0, progress=False))
    first = recommend(model, walk(), 1).items[:, 0]
    assert (first == (np.arange(12) + 6) % 12).mean() >= 0.9
    other = walk().take([0])
    swapped = Interactions.from_arrays([0] * 6, [0, 1, 2, 3, 5, 4], other.users, other.items, times=range(6), time_kind="order")
    one, another = (model.score(Batch(Rows.from_csr(model.config.weighting(x).matrix))) for x in (other, swapped))
    assert not torch.allclose(one, another)


@pytest.mark.parametrize("codec", ["identity", "clustered_vae"])
@pytest.mark.parametrize("loss", ["squared", "multinomial"])
@pytest.mark.parametrize("schedule", ["linear_variance", "cosine", "binomial", "none"])
@pytest.mark.parametrize("weighting", ["linear", "power_law"])
def test_forecasting_goes_with_every_codec_loss_schedule_and_weighting(
    codec: str, loss: str, schedule: str, weighting: str
) -> None:
    """With T = 3 every weight moves, nothing diverges, and whole histories have finite scores."""
    latent = codec == "clustered_vae"
    if latent and loss == "multinomial":
        pytest.skip("codes of a latent have the squared distance")
    given: dict[str, Any] = {
        "codec": {"kind": "clustered_vae", "clusters": 1, "latent": 8} if latent else {"kind": "identity"},
        "diffusion": {"steps": 3, "schedule": {"kind": schedule}, "loss": loss, "timesteps": "uniform"},
        "denoiser": {"hidden": [8]},
        "weighting": {"kind": weighting},
        "training": {"epochs": 2, "batch_size": 10},
    }
    model = build("lf-diffrec" if latent else "f-diffrec", given)
    assert model.config.pairs.kind == "forecast"
    board, run = checkerboard(20), Run(seed=0, progress=False, device="cpu")
    assert isinstance(model, TorchRecommender)
    model.derived = model.derive(board, run)
    fresh = dict(model.build(20, keyed_generator(0, "init")).named_parameters())
    model.fit(board, run)
    assert all((p != fresh[name]).any() for name, p in model.module.named_parameters())
    assert scores_of(model, board).isfinite().all()
