"""Inner products of users and items."""

from __future__ import annotations

import pytest
import torch

from recodiff.tensors.products import ScoreBuffer, inner_products


@pytest.mark.parametrize("users", [0, 1, 2, 5])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("laid_out", ["by item", "by number", "sliced"])
def test_any_layout_gives_what_float64_gives(users: int, with_bias: bool, laid_out: str) -> None:
    generator = torch.Generator().manual_seed(0)
    u, v = torch.randn(users, 7, generator=generator), torch.randn(31, 7, generator=generator)
    if laid_out == "by number":
        v = v.T.contiguous().T
    elif laid_out == "sliced":
        v = torch.cat([v, v], 1)[:, :7]
    bias = torch.randn(31, generator=generator) if with_bias else None
    truth = u.double() @ v.double().T + (0 if bias is None else bias.double())
    torch.testing.assert_close(inner_products(u, v, bias).double(), truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("users", [1, 2])
def test_scores_are_the_callers_and_weights_stay(users: int) -> None:
    u, v, bias = torch.ones(users, 3), torch.nn.Parameter(torch.ones(4, 3)), torch.nn.Parameter(torch.zeros(4))
    scores = inner_products(u, v, bias)
    scores.fill_(-1.0)
    assert not scores.requires_grad
    assert bool((v == 1).all())
    assert bool((bias == 0).all())


def test_float64_stays_float64() -> None:
    assert inner_products(torch.ones(1, 3, dtype=torch.float64), torch.ones(4, 3, dtype=torch.float64)).dtype == torch.float64


def test_a_room_is_used_again_and_lent_once_at_a_time() -> None:
    generator, room = torch.Generator().manual_seed(0), ScoreBuffer()
    u, v = torch.randn(4, 7, generator=generator), torch.randn(31, 7, generator=generator)
    with room:
        first, second = inner_products(u, v), inner_products(-u, v)
    truth = u @ v.T
    assert first.data_ptr() != second.data_ptr(), "a model may need two"
    torch.testing.assert_close(first, truth)
    torch.testing.assert_close(second, -truth)
    with room:
        third = inner_products(u[:2] * 2, v)
    assert third.data_ptr() == first.data_ptr()
    torch.testing.assert_close(third, 2 * truth[:2])
    outside = inner_products(u, v)
    assert outside.data_ptr() != first.data_ptr()
    with room:
        larger = inner_products(torch.cat([u, u]), v)
    torch.testing.assert_close(larger, torch.cat([truth, truth]))
