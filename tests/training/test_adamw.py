"""AdamW on weights as they lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from recodiff import Run, build
from recodiff.training.adamw import AdamW
from toy import checkerboard


class Updated(TorchDispatchMode):
    """Notes whether what the fused kernel is given lies row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.row_by_row: list[bool] = []

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._fused_adamw_.default:
            self.row_by_row += [tensor.is_contiguous() for tensors in args[:4] for tensor in tensors]
        return func(*args, **(kwargs or {}))


def parameters() -> list[nn.Parameter]:
    g = torch.Generator().manual_seed(0)
    return [
        nn.Parameter(torch.randn(7, 3, generator=g).T),  # column by column
        nn.Parameter(torch.randn(3, 7, generator=g)),
        nn.Parameter(torch.randn(4, 4, generator=g).T),
        nn.Parameter(torch.randn(5, generator=g)),
    ]


def updated(kind: type[torch.optim.AdamW], *, fused: bool, steps: int = 3) -> list[Tensor]:
    own = parameters()
    optimizer = kind([{"params": own[:2], "weight_decay": 0.5}, {"params": own[2:], "lr": 0.2}], lr=0.1, fused=fused)
    for step in range(steps):
        g = torch.Generator().manual_seed(step)
        for p in own:
            p.grad = torch.empty_like(p).copy_(torch.randn(p.shape, generator=g))
        optimizer.step()
    return [p.detach() for p in own]


@pytest.mark.parametrize("fused", [True, False])
def test_the_update_is_that_of_pytorch(fused: bool) -> None:
    for ours, theirs in zip(updated(AdamW, fused=fused), updated(torch.optim.AdamW, fused=False), strict=True):
        assert ours.stride() == theirs.stride()
        torch.testing.assert_close(ours, theirs)


def test_a_gradient_that_lies_otherwise_than_its_weight_is_laid_out_alike() -> None:
    found: list[Tensor] = []
    for kind, fused in ((AdamW, True), (torch.optim.AdamW, False)):
        own = parameters()[:2]
        optimizer = kind(own, lr=0.1, fused=fused)
        for p in own:
            g = torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
            p.grad = g if not p.is_contiguous() else g.T.contiguous().T
            assert p.grad.stride() != p.stride()
        optimizer.step()
        found += [p.detach() for p in own]
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_no_gradient_of_a_training_step_has_to_be_copied() -> None:
    settings = {"denoiser": {"hidden": [6]}, "diffusion": {"space": "hidden"}, "training": {"epochs": 1}}
    with Updated() as seen:
        build("diffrec", settings).fit(checkerboard(20), Run(device="cpu", progress=False))
    assert seen.row_by_row
    assert all(seen.row_by_row)
    with Updated() as plain:
        updated(torch.optim.AdamW, fused=True, steps=1)
    assert not all(plain.row_by_row)
