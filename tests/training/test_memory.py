"""What training takes of memory: told before, and refused where it cannot fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recodiff import Run, build
from recodiff.config import merge
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ModelError
from recodiff.models.network import TorchRecommender
from recodiff.tensors.softmax import even
from recodiff.training import memory
from toy import checkerboard
from training_models import made, trained_by_epochs

CPU = torch.device("cpu")


def expected(model: TorchRecommender, data: Interactions, *, validated: bool = False) -> memory.MemoryEstimate:
    found = memory.estimate(model, data, CPU, validated=validated)
    assert found is not None
    return found


@pytest.mark.parametrize("name", trained_by_epochs())
def test_the_weights_are_counted_as_they_will_be(name: str) -> None:
    data = checkerboard(40)
    model = made(name, data)
    real = sum(p.numel() * p.element_size() for p in model.build(40, torch.Generator()).parameters())
    found = expected(model, data)
    assert (found.parameters, found.optimizer, found.best) == (real, 3 * real, 0)
    assert expected(model, data, validated=True).best == real


def wide(items: int = 1_000_000, users: int = 400) -> Interactions:
    user = np.repeat(np.arange(users), 2)
    return Interactions.from_arrays(
        user, np.tile([0, 1], users), IdMap.range(users), IdMap.range(items), times=np.arange(2 * users), time_kind="order"
    )


def test_a_million_items_are_estimated_without_making_them() -> None:
    dense, hidden = (
        expected(made("diffrec", wide(), denoiser={"hidden": [200]}, diffusion={"space": space}), wide())
        for space in ("dense", "hidden")
    )
    assert dense.parameters == hidden.parameters == pytest.approx(1_000_000 * 401 * 4, rel=1e-3)
    assert dense.batch == 7 * 4 * 400 * 1_000_000
    assert hidden.batch == 2 * 4 * 200 * 1_000_000


def test_a_multinomial_likelihood_is_counted_by_blocks_and_a_sampled_one_by_what_it_holds() -> None:
    latent = expected(made("l-diffrec", wide(), codec={"clusters": 1}), wide())
    whole = expected(made("f-diffrec", wide(), diffusion={"space": "hidden"}), wide())
    sampled = expected(made("f-diffrec", wide(), diffusion={"sampled_items": 1000}), wide())
    assert latent.batch == 2 * 4 * 256 * 1_000_000
    assert whole.batch == 2 * 4 * 200 * 1_000_000
    assert sampled.batch == 2 * 4 * 200 * even(1000 + 50 * 200) + 2 * 4 * 200 * 1_000_000
    many = wide(users=3000)
    large = expected(made("f-diffrec", many, diffusion={"sampled_items": 1000}, training={"batch_size": 2048}), many)
    assert large.batch == 2 * 4 * 256 * even(1000 + 50 * 2048) + 2 * 4 * 200 * 1_000_000


@pytest.mark.parametrize(
    ("name", "settings", "free", "remedy"),
    [
        (
            "diffrec",
            {"diffusion": {"space": "dense"}, "denoiser": {"hidden": [8]}},
            2**30,
            r"training.batch_size=400, or set diffusion.space='hidden'",
        ),
        ("f-diffrec", {"diffusion": {"space": "dense"}}, 2**31, r"lower training.batch_size=200, or set diffusion.space='hidden'"),
        ("f-diffrec", {"denoiser": {"normalise": True}}, 2**31, r"lower training.batch_size=200$"),
        ("l-diffrec", {"codec": {"clusters": 1, "decoder_hidden": [8]}}, 3 * 2**30, r"or set codec.likelihood='gaussian'"),
        (
            "diffrec",
            {"denoiser": {"hidden": [1000]}, "diffusion": {"space": "hidden"}},
            2**32,
            "narrow the item-sized layers, .*, or share them among GPUs or machines",
        ),
        (
            "diffrec",  # no batch is small enough: an item-sized gradient takes what it takes
            {"denoiser": {"hidden": [200]}, "diffusion": {"space": "hidden"}, "training": {"batch_size": 8192}},
            1400 * 2**20,
            "narrow the item-sized layers",
        ),
        ("f-diffrec", {}, 700 * 2**20, "narrow the item-sized layers"),
        ("mf", {}, 2**20, "narrow the item-sized layers"),
    ],
)
def test_a_run_that_cannot_fit_is_refused_with_the_remedy(
    name: str, settings: dict[str, Any], free: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    with pytest.raises(ModelError, match=rf"training takes about .* GiB are free: this cannot fit; .*{remedy}"):
        build(name, merge(settings, {"training": {"epochs": 1}})).fit(wide(200_000), Run(device="cpu", progress=False))


def test_a_batch_is_no_larger_than_the_users_that_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"denoiser": {"hidden": [8]}, "diffusion": {"space": "dense"}}
    assert expected(made("diffrec", wide(users=3), **settings), wide(users=3)).batch == 7 * 4 * 3 * 1_000_000
    few = wide(200_000, users=3)
    monkeypatch.setattr(memory, "available_memory", lambda: 2**24)
    with pytest.raises(ModelError, match=r"lower training.batch_size=400 below the 3 users that learn, or set diffusion.space"):
        build("diffrec", settings | {"denoiser": {"hidden": [1]}}).fit(few, Run(device="cpu", progress=False))


def test_processes_share_the_memory_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 2**30)
    model = made("mf", checkerboard(10))
    found = memory.estimate(model, checkerboard(10), CPU, validated=False, processes=4)
    assert found is not None
    assert found.free == 2**28


def test_the_estimate_is_told_once_and_a_system_that_says_nothing_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    told: list[str] = []
    settings = {"denoiser": {"hidden": [4]}, "training": {"epochs": 1}}
    build("diffrec", settings).fit(checkerboard(10), Run(device="cpu", progress=False, tell=told.append))
    (sentence,) = told
    assert sentence.startswith("training takes about 0.0")
    assert " MiB (weights, gradients and AdamW " in sentence
    assert "free" not in sentence
