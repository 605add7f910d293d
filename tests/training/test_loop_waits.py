"""How often a training step waits for a GPU to tell a number or an array's size: when users are picked, and to split by cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.runtime.run import Run
from recodiff.tensors import gram, rows, softmax
from recodiff.tensors.random import keyed_generator
from recodiff.training.trainable import Progress
from toy import checkerboard

DATA = checkerboard(60)
SIZED_BY_NUMBERS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "bincount",
    "_unique2",
    "unique_consecutive",
    "equal",
    "isin",
}
"""Operators that make a GPU tell; `isin` sorts what is unique among its numbers."""
HIDDEN = {"denoiser": {"hidden": [12]}, "diffusion": {"space": "hidden"}}


class Waits(TorchDispatchMode):
    """Notes what would make the program stop until a GPU has caught up."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __enter__(self) -> Self:
        self.lists = mock.patch.object(Tensor, "tolist", self._told(Tensor.tolist))
        self.lists.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.lists.__exit__(*error)

    def _told(self, tolist: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def told(tensor: Tensor) -> Any:
            self.found.append("tolist")  # of a CPU's tensor it is no operator
            return tolist(tensor)

        return told

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        mask = name in ("index", "index_put", "index_put_") and any(at is not None and at.dtype == torch.bool for at in args[1])
        unsized = func is torch.ops.aten.repeat_interleave.Tensor and kwargs.get("output_size") is None
        if name in SIZED_BY_NUMBERS or mask or unsized:
            self.found.append(name)
        return func(*args, **kwargs)


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rows, gram):
        monkeypatch.setattr(module, "waits_to_count", lambda _: True)


def step_of(name: str, settings: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[Any], Tensor], torch.nn.Module]:
    model = build(name, settings)
    assert isinstance(model, TorchRecommender)
    model.derived = model.derive(DATA, Run())
    net = model.build(DATA.n_items, keyed_generator(0, "init")).train()
    draw = model.pairs().bind(DATA, model.config.weighting, torch.device("cpu"))

    def learn(pair: Any) -> Tensor:
        loss = net(pair, Progress(0, 0), keyed_generator(0, "step")).mean()
        loss.backward()
        return loss.detach()

    return lambda: draw(torch.arange(40), keyed_generator(0, "step")), learn, net


def test_waits_are_seen() -> None:
    x = torch.arange(4)
    with Waits() as waits:
        _ = x[x > 1], x.nonzero(), x.sum().item(), torch.repeat_interleave(x, x), x.tolist(), torch.isin(x, x)
    assert waits.found == ["index", "nonzero", "_local_scalar_dense", "repeat_interleave", "tolist", "isin"]


@pytest.mark.parametrize(
    ("name", "settings", "picking", "waits"),
    [
        ("diffrec", HIDDEN, 1, 0),
        ("diffrec", {"diffusion": {"space": "dense"}}, 1, 0),
        ("t-diffrec", HIDDEN, 1, 0),
        ("f-diffrec", {}, 7, 0),
        ("f-diffrec", {"diffusion": {"loss": "squared", "space": "hidden"}}, 7, 1),  # which entries were seen
        ("f-diffrec", {"diffusion": {"sampled_items": 5}}, 7, 5),  # how many items are to be found
        ("l-diffrec", {}, 1, 4),  # two parts of a row, each of its columns and its values
    ],
    ids=str,
)
def test_how_often_a_step_waits(name: str, settings: dict[str, Any], picking: int, waits: int) -> None:
    draw, learn, _ = step_of(name, settings)
    with Waits() as drawing:
        pair = draw()
    with Waits() as learning:
        learn(pair)
    assert (len(drawing.found), len(learning.found)) == (picking, waits)


def test_a_loss_of_several_blocks_waits_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "LEAST_ROWS", 16)
    monkeypatch.setattr(softmax, "NUMBERS_IN_BLOCK", 1)
    draw, learn, _ = step_of("f-diffrec", {})
    pair = draw()
    with Waits() as learning:
        learn(pair)
    assert learning.found == ["tolist"]  # where the blocks end


@pytest.mark.parametrize("name", ["diffrec", "f-diffrec"])
def test_loss_and_gradients_are_those_that_wait(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def learned() -> list[Tensor]:
        draw, learn, net = step_of(name, HIDDEN)
        return [learn(draw()), *(p.grad for p in net.parameters() if p.grad is not None)]

    ours = learned()
    for module in (rows, gram):
        monkeypatch.setattr(module, "waits_to_count", lambda _: False)
    for a, b in zip(ours, learned(), strict=True):
        torch.testing.assert_close(a, b)
