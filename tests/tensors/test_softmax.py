"""The blocked likelihood against the plain one: figures and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodiff.errors import ConfigError
from recodiff.models.registry import build
from recodiff.runtime.run import Run
from recodiff.tensors import softmax
from recodiff.tensors.losses import Multinomial
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import even, linear_multinomial, sample, sampled_multinomial
from toy import checkerboard, random_interactions


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
        v, c = weight.double().requires_grad_(), bias.double().requires_grad_()
        leaves = [g.double().requires_grad_(), v, c]
        rows = _some_rows(target.double())
        loss = (
            linear_multinomial(leaves[0], v, c, rows, hidden)
            if blocked
            else Multinomial()(leaves[0] @ leaves[1].T + leaves[2], rows, hidden)
        )
        (loss * scale).sum().backward()
        found.append([loss.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_under_autocast_the_products_alone_are_rounded() -> None:
    g, weight, bias, target, seen = _case(1, rows=40, items=60, width=20)
    found: list[list[torch.Tensor]] = []
    for low in (False, True):
        leaves = [tensor.clone().requires_grad_() for tensor in (g, weight, bias)]
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            loss = linear_multinomial(leaves[0], leaves[1], leaves[2], _some_rows(target), _some_rows(seen))
        loss.sum().backward()
        found.append([loss.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    for exact, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        assert not torch.equal(rounded, exact)
        torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02 * float(exact.abs().max()))


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g, weight, bias, target, seen = _case(3, rows=23)
    seen[4] = 1  # nothing is left of this row
    leaves = [part.requires_grad_() for part in (g, weight, bias)]
    found: list[list[torch.Tensor]] = []
    for least, numbers in ((256, 2**19), (1, 22)):
        monkeypatch.setattr(softmax, "NUMBERS_IN_BLOCK", numbers)
        monkeypatch.setattr(softmax, "LEAST_ROWS", least)
        loss = linear_multinomial(g, weight, bias, _some_rows(target), _some_rows(seen))
        twice = [torch.autograd.grad(loss.square().sum(), leaves, retain_graph=again) for again in (True, False)]
        found.append([loss.detach(), *twice[0], *twice[1]])
    for whole, blocked in zip(*found, strict=True):
        torch.testing.assert_close(blocked, whole)
    for first, again in zip(found[0][1:4], found[0][4:], strict=True):
        assert torch.equal(first, again)


def test_rows_without_targets_cost_nothing() -> None:
    g, weight, bias, target, _ = _case(5)
    target[2] = 0
    loss = linear_multinomial(g.requires_grad_(), weight, bias, _some_rows(target))
    loss.sum().backward()
    assert loss[2] == 0
    assert g.grad is not None
    assert not g.grad[2].any()


@pytest.mark.parametrize("masked", [False, True])
def test_samples_of_everything_are_the_full_loss(masked: bool) -> None:
    g, weight, bias, target, seen = _case(7)
    hidden, odds = _some_rows(seen) if masked else None, torch.rand(len(bias)) + 0.1
    leaves = [part.requires_grad_() for part in (g, weight, bias)]
    found: list[list[torch.Tensor]] = []
    for loss in (
        linear_multinomial(g, weight, bias, _some_rows(target), hidden),
        sampled_multinomial(g, weight, bias, _some_rows(target), hidden, 1000, odds, torch.Generator().manual_seed(0)),
    ):
        found.append([loss.detach(), *torch.autograd.grad(loss.sum(), leaves)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@given(number=st.integers(1, 10**7))
def test_samples_come_in_few_sizes_and_not_many_more_than_asked(number: int) -> None:
    size = even(number)
    assert number <= size <= number * 17 / 16
    assert len({even(near) for near in range(number, 2 * number, max(number // 50, 1))}) <= 33  # sixteen from a power of two on


def test_as_many_items_learn_as_even_says() -> None:
    g, weight, bias, _, _ = _case(11, rows=2, items=80)
    target = torch.zeros(2, 80)
    target[0, 3] = target[1, 8] = 1.0
    odds, generator = torch.arange(1.0, 81.0), torch.Generator().manual_seed(0)
    loss = sampled_multinomial(g, weight, bias.requires_grad_(), _some_rows(target), None, 31, odds, generator)
    (slope,) = torch.autograd.grad(loss.sum(), bias)
    assert even(33) == 34
    assert int(slope.count_nonzero()) == 34


@given(seed=st.integers(0, 1000), number=st.integers(0, 6))
def test_a_sample_has_no_item_twice_and_none_without_odds(seed: int, number: int) -> None:
    odds = torch.tensor([0.0, 1.0, 3.0, 0.0, 1e-3, 20.0, 1.0, 1.0])
    drawn, log_probability = sample(odds, number, torch.Generator().manual_seed(seed))
    assert len(set(drawn.tolist())) == number
    assert bool((odds[drawn] > 0).all())
    assert bool((log_probability <= 0).all())
    assert number < 6 or bool((log_probability > -1e-9).all()), "all of them for certain"


@pytest.mark.parametrize("odds", [[1e9, 1e9, 1, 1e-6, 1e-6, 1e-7], [1e9] * 2 + [1e-9] * 100, [1 + k * 1e-9 for k in range(50)]])
def test_samples_of_odds_far_apart_and_all_but_equal_are_of_the_number_asked(odds: list[float]) -> None:
    given, generator = torch.tensor(odds, dtype=torch.float64), torch.Generator().manual_seed(0)
    for number in (1, 4, len(odds) - 1, len(odds)):
        for _ in range(20):
            drawn, log_probability = sample(given, number, generator)
            assert len(set(drawn.tolist())) == number
            assert bool(torch.isfinite(log_probability).all())


def test_the_last_place_of_a_rounded_sum_is_an_item_with_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    odds = torch.tensor([0.1] * 10 + [0.0] * 90)
    monkeypatch.setattr(torch, "rand", lambda *_, **how: torch.full((1,), 1 - 2**-53, dtype=how["dtype"]))
    for seed in range(20):
        drawn, _ = sample(odds, 7, torch.Generator().manual_seed(seed))
        assert bool((odds[drawn] > 0).all())


@pytest.mark.parametrize("number", [8, 25])  # the second draws the largest for certain
def test_a_sum_over_a_sample_is_right_in_the_mean_and_certain_where_it_is_of_the_odds(number: int) -> None:
    values, generator = torch.arange(1.0, 41.0) ** 2, torch.Generator().manual_seed(0)

    def sums(values: torch.Tensor, odds: torch.Tensor) -> torch.Tensor:
        draws = [sample(odds, number, generator) for _ in range(4000)]
        return torch.stack([(values[drawn] * (-log_probability).exp()).sum() for drawn, log_probability in draws])

    for odds in (torch.ones(40), values, values.flip(0)):
        found = sums(values, odds)
        assert abs(float(found.mean() - values.sum())) < 5 * float(found.std()) / len(found) ** 0.5 + 1e-3 * float(values.sum())
    torch.testing.assert_close(sums(values, values), values.sum().expand(4000).double())


def test_the_sum_of_exponentials_is_right_in_the_mean() -> None:
    g, weight, bias, _, _ = _case(11, rows=2, items=40)
    target = torch.zeros(2, 40)
    target[0, 3] = target[1, 8] = 1.0
    rows, generator = _some_rows(target), torch.Generator().manual_seed(0)
    logits = g @ weight.T + bias
    own, odds = torch.stack([logits[0, 3], logits[1, 8]]), torch.rand(40, generator=generator) ** 2 + 0.01
    draws = [(sampled_multinomial(g, weight, bias, rows, None, 5, odds, generator) + own).exp() for _ in range(4000)]
    found = torch.stack(draws)
    error = found.std(0) / len(draws) ** 0.5
    assert bool(((found.mean(0) - logits.exp().sum(1)).abs() < 5 * error).all())


def test_items_are_sampled_by_the_histories_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    board, odds = random_interactions(np.random.default_rng(0)), list[torch.Tensor]()
    assert len(set(board.matrix.sum(0))) > 5

    def watched(given: torch.Tensor, *rest: Any) -> Any:
        odds.append(given)
        return sample(given, *rest)

    monkeypatch.setattr(softmax, "sample", watched)
    settings = {"diffusion": {"sampled_items": 4, "sampled_by": "popularity"}, "training": {"epochs": 1, "batch_size": 10}}
    build("f-diffrec", settings).fit(board, Run(seed=0, progress=False, device="cpu"))
    met = torch.from_numpy(board.matrix.sum(0)).float().clamp(min=1).sqrt()
    assert odds
    assert all(torch.equal(given[given > 0], met[given > 0]) for given in odds)


def test_a_model_learns_from_sampled_items_and_refuses_them_where_they_mean_nothing() -> None:
    board, run = checkerboard(), Run(seed=0, progress=False, device="cpu")
    settings = {"diffusion": {"sampled_items": 4}, "training": {"epochs": 2, "batch_size": 10}}
    assert build("f-diffrec", settings).fit(board, run).summary["epochs"] == 2
    for wrong, why in (({"loss": "squared"}, "loss='multinomial'"), ({"space": "dense"}, "hidden space")):
        with pytest.raises(ConfigError, match=why):
            build("f-diffrec", {"diffusion": {"sampled_items": 4, **wrong}})
    with pytest.raises(ConfigError, match="give their number"):
        build("f-diffrec", {"diffusion": {"sampled_by": "popularity"}})
    latent = {"codec": {"clusters": 1, "latent": 4}, "diffusion": {"sampled_items": 4}}
    with pytest.raises(ConfigError, match="sampled_items is for"):
        build("l-diffrec", latent)
