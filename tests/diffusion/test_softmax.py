"""The blocked likelihood against the plain one: figures and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodiff.diffusion import softmax
from recodiff.diffusion.losses import Multinomial
from recodiff.diffusion.rows import Rows
from recodiff.diffusion.softmax import linear_multinomial


def _some_rows(dense: torch.Tensor) -> Rows:
    counts = (dense != 0).sum(1)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    row, column = dense.nonzero(as_tuple=True)
    return Rows(offsets, column, dense[row, column], dense.shape[1])


def _case(seed: int, rows: int = 7, items: int = 11, width: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    g, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((rows, width), (items, width), (items,)))
    target = torch.rand(rows, items, generator=generator) * (torch.rand(rows, items, generator=generator) < 0.4)
    seen = (torch.rand(rows, items, generator=generator) < 0.3).float()
    seen[:, 0] = 0  # somebody who has met everything has nothing to be told
    return g, weight, bias, target, seen


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), masked=st.booleans())
def test_figures_and_gradients_are_those_of_the_plain_loss(seed: int, masked: bool) -> None:
    g, weight, bias, target, seen = _case(seed)
    hidden = _some_rows(seen) if masked else None
    scale = torch.rand(len(g), generator=torch.Generator().manual_seed(seed))
    found: list[list[torch.Tensor]] = []
    for blocked in (True, False):
        leaves = [part.double().requires_grad_() for part in (g, weight, bias)]
        rows = _some_rows(target.double())
        loss = (
            linear_multinomial(*leaves, rows, hidden)
            if blocked
            else Multinomial()(leaves[0] @ leaves[1].T + leaves[2], rows, hidden)
        )
        (loss * scale).sum().backward()
        found.append([loss.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g, weight, bias, target, seen = _case(3, rows=23)
    whole = linear_multinomial(g, weight, bias, _some_rows(target), _some_rows(seen))
    monkeypatch.setattr(softmax, "NUMBERS_IN_BLOCK", 22)
    monkeypatch.setattr(softmax, "LEAST_ROWS", 1)
    torch.testing.assert_close(linear_multinomial(g, weight, bias, _some_rows(target), _some_rows(seen)), whole)


def test_rows_without_targets_cost_nothing() -> None:
    g, weight, bias, target, _ = _case(5)
    target[2] = 0
    loss = linear_multinomial(g.requires_grad_(), weight, bias, _some_rows(target))
    loss.sum().backward()
    assert loss[2] == 0
    assert g.grad is not None
    assert not g.grad[2].any()
