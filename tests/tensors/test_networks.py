"""Networks over item rows: sparse and dense alike, and what is done to a row before them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reference
from layers import layers_of
from recodiff.tensors.networks import ACTIVATIONS, MLP, Activation, Pointwise, RowLinear, drop, linears, normalise
from recodiff.tensors.rows import Rows, as_dense
from toy import random_interactions

WIDTH = 12


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weighted_rows(users: int = 6) -> Rows:
    """Random rows of random weights; the last user has none."""
    rows = Rows.from_csr(random_interactions(np.random.default_rng(1), users, WIDTH, 0.4).matrix)
    offsets = torch.cat([rows.offsets, rows.offsets[-1:]])
    return Rows(offsets, rows.columns, torch.rand(len(rows.columns), generator=generator()) + 0.1, WIDTH)


def test_a_row_layer_gives_the_same_for_sparse_and_dense_rows_and_the_same_gradient() -> None:
    layer, rows = RowLinear(WIDTH, 5, generator()).double(), weighted_rows()
    torch.testing.assert_close(layer(rows), rows.dense().double() @ layer.weight + layer.bias)
    for x in (rows, rows.dense().double()):
        layer.zero_grad()
        layer(x).sin().sum().backward()
        assert layer.weight.grad is not None
        dense = rows.dense().double()
        expected = dense.T @ torch.cos(dense @ layer.weight + layer.bias)
        torch.testing.assert_close(layer.weight.grad, expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (7,), (7, 4)])
def test_an_mlp_is_its_layers_with_an_activation_between(activation: Activation, hidden: tuple[int, ...]) -> None:
    first, *rest = *hidden, 3
    net = MLP([RowLinear(WIDTH, first, generator()), *linears([first, *rest], generator(1))], lambda: Pointwise(activation))
    rows = weighted_rows()
    expected = reference.mlp(rows.dense().double().numpy(), layers_of(net), [reference.ACTIVATIONS[activation]] * len(hidden))
    np.testing.assert_allclose(net(rows).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(net(rows), net.last(net.hidden(rows)) if hidden else net.last(rows))


def test_initial_weights_have_the_variance_of_both_fans_and_belong_to_the_generator() -> None:
    layer = RowLinear(400, 200, generator())
    assert layer.weight.std().item() == pytest.approx((2 / 600) ** 0.5, rel=0.02)
    assert layer.bias.std().item() == pytest.approx(0.001, rel=0.2)
    assert torch.equal(layer.weight, RowLinear(400, 200, generator()).weight)
    (inner,) = linears([300, 100], generator())
    assert inner.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)


def test_rows_are_scaled_to_length_one_and_empty_ones_stay() -> None:
    rows = weighted_rows()
    expected = reference.unit_rows(rows.dense().double().numpy())
    for x in (rows, rows.dense()):
        np.testing.assert_allclose(as_dense(normalise(x)).numpy(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dense", [False, True])
def test_dropout_takes_a_share_away_and_scales_the_rest(dense: bool) -> None:
    whole = torch.rand(300, 400, generator=generator()) + 1
    flat = torch.arange(400).repeat(300)
    rows = Rows(torch.arange(301) * 400, flat, whole.flatten(), 400)
    left = as_dense(drop(whole if dense else rows, 0.3, generator()))
    assert (left == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(left[left != 0], whole[left != 0] / 0.7)


@pytest.mark.parametrize("dense", [False, True])
def test_no_dropout_draws_nothing(dense: bool) -> None:
    x, draws = weighted_rows().dense() if dense else weighted_rows(), generator()
    assert drop(x, 0.0, draws) is x
    assert torch.equal(draws.get_state(), generator().get_state())
