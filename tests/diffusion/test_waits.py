"""How often a training step waits for a GPU to tell a number or an array's size: when users are picked, and to split by cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recodiff.diffusion import gram, rows
from recodiff.diffusion.draws import keyed_generator
from recodiff.models import build
from recodiff.models.base import TorchRecommender
from recodiff.training import Progress, Run
from toy import checkerboard

DATA = checkerboard(60)
SIZED_BY_NUMBERS = {"_local_scalar_dense", "nonzero", "masked_select", "bincount", "_unique2", "unique_consecutive", "equal"}
HIDDEN = {"denoiser": {"hidden": [12]}, "diffusion": {"space": "hidden"}}


class Waits(TorchDispatchMode):
    """Notes what would make the program stop until a GPU has caught up."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

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
        _ = x[x > 1], x.nonzero(), x.sum().item(), torch.repeat_interleave(x, x)
    assert waits.found == ["index", "nonzero", "_local_scalar_dense", "repeat_interleave"]


@pytest.mark.parametrize(
    ("name", "settings", "picking", "waits"),
    [
        ("diffrec", HIDDEN, 1, 0),
        ("diffrec", {"diffusion": {"space": "dense"}}, 1, 0),
        ("t-diffrec", HIDDEN, 1, 0),
        ("f-diffrec", {}, 7, 0),
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
