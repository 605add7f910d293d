"""What training takes of memory: told before, and refused where it cannot fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from recodiff import Run, build, memory
from recodiff.config import merge
from recodiff.data.interactions import IdMap, Interactions
from recodiff.diffusion.softmax import even
from recodiff.errors import ModelError
from recodiff.models import MODELS
from recodiff.models.base import TorchRecommender
from toy import checkerboard, is_here

CPU = torch.device("cpu")


def trained_by_epochs() -> list[str]:
    return [name for name in MODELS if is_here(name) and isinstance(build(name), TorchRecommender)]


def made(name: str, data: Interactions, **settings: Any) -> TorchRecommender:
    model = build(name, settings)
    assert isinstance(model, TorchRecommender)
    model.users = data.users
    model.derived = model.derive(data, Run(device="cpu"))
    return model


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
    assert sentence.startswith("training takes about 0.00 GiB")
    assert "free" not in sentence


@pytest.mark.parametrize("name", trained_by_epochs())
def test_a_blank_network_is_the_one_that_is_built_but_for_its_numbers(name: str) -> None:
    model = made(name, checkerboard(40))
    real = model.build(40, torch.Generator())
    found = memory.blank(lambda: model.build(40, torch.Generator()))
    shapes = {key: (tensor.shape, tensor.stride()) for key, tensor in real.named_parameters()}
    assert {key: (tensor.shape, tensor.stride()) for key, tensor in found.named_parameters()} == shapes
    assert not any(tensor.is_meta for tensor in (*found.parameters(), *found.buffers()))
    for (key, held), (_, expected_one) in zip(found.named_buffers(), real.named_buffers(), strict=True):
        assert torch.equal(held, expected_one), key


def test_a_network_that_needs_numbers_to_be_built_is_built_with_them() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(3).fill_(2.0))
            self.register_buffer("length", torch.empty(1).fill_(3.0))
            self.size = float(self.weight.detach().sum())

    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.empty(2).fill_(5.0)  # neither parameter nor buffer

    keeping = memory.blank(Keeping)
    assert isinstance(keeping, Keeping)
    assert torch.equal(keeping.scale, torch.full((2,), 5.0))
    scaled = memory.blank(Scaled)
    assert isinstance(scaled, Scaled)
    assert scaled.size == 6.0
    assert torch.equal(scaled.weight, torch.full((3,), 2.0))


@pytest.mark.parametrize(
    ("items", "users"), [(0, 1024), (2_810, 1024), (94_949, 353), (300_000, 128), (1_000_000, 128), (10_000_000, 13), (10**9, 1)]
)
def test_scores_are_made_of_as_many_users_as_memory_and_the_reading_of_items_ask(items: int, users: int) -> None:
    assert memory.users_at_once(items, products=True) == users
    assert 8 * items * users <= 2**30 or users == 1
    assert memory.users_at_once(items, products=False) == (users if items < 262_144 else max(1, 2**28 // (8 * items)))
