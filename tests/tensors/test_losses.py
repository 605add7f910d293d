from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import reference
from recodiff.tensors.losses import LOSSES, Multinomial, SquaredError
from recodiff.tensors.rows import Rows

TRUTHS: dict[str, Callable[..., np.ndarray]] = {"squared": reference.squared, "multinomial": reference.multinomial}


def draw_case(seed: int, rows: int = 5, width: int = 9) -> tuple[Tensor, Rows, Rows, list[set[int]]]:
    """An estimate, weighted targets, and seen entries that are none of the targets."""
    rng = np.random.default_rng(seed)
    picks = [rng.permutation(width) for _ in range(rows)]
    n_target, n_seen = rng.integers(0, 4, rows), rng.integers(0, 4, rows)
    target = [pick[:n] for pick, n in zip(picks, n_target, strict=True)]
    seen = [pick[n : n + m] for pick, n, m in zip(picks, n_target, n_seen, strict=True)]
    estimate = torch.tensor(rng.normal(size=(rows, width)), dtype=torch.float32)
    return estimate, sparse(target, width, rng), sparse(seen, width, rng), [{int(j) for j in row} for row in seen]


def sparse(columns: list[np.ndarray], width: int, rng: np.random.Generator) -> Rows:
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in columns])])
    values = torch.tensor(rng.uniform(0.1, 2, int(offsets[-1])), dtype=torch.float32)
    return Rows(offsets, torch.tensor(np.concatenate(columns), dtype=torch.int64), values, width)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_losses_equal_their_equations_for_sparse_and_dense_targets(name: str, masked: bool, seed: int) -> None:
    estimate, target, seen, sets = draw_case(seed)
    truth = TRUTHS[name](estimate.double().numpy(), target.dense().double().numpy(), sets if masked else None)
    for given_target in (target, target.dense()):
        loss = LOSSES[name]()(estimate, given_target, seen if masked else None)
        np.testing.assert_allclose(loss.numpy(), truth, rtol=2e-5, atol=1e-6)


def test_the_squared_error_is_a_mean_over_all_items_by_hand() -> None:
    estimate = torch.tensor([[1.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    target = torch.tensor([[0.0, 0.0, 2.0, 3.0], [1.0, 0.0, 0.0, 1.0]])
    assert SquaredError()(estimate, target).tolist() == [5 / 4, 2 / 4]


def test_the_multinomial_by_hand() -> None:
    estimate = torch.tensor([[0.0, np.log(2), 0.0]])
    loss = Multinomial()(estimate, torch.tensor([[0.0, 1.0, 0.5]]))
    assert loss.item() == pytest.approx(np.log(2) + 0.5 * np.log(4))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dense", [False, True])
def test_seen_entries_are_left_out(name: str, dense: bool) -> None:
    """Whatever is estimated there changes nothing, and no gradient reaches it."""
    estimate, target, seen, sets = draw_case(3)
    goal, loss = target.dense() if dense else target, LOSSES[name]()
    other = estimate.clone()
    for i, columns in enumerate(sets):
        other[i, list(columns)] = 7.0
    assert not torch.equal(other, estimate)
    torch.testing.assert_close(loss(other, goal, seen), loss(estimate, goal, seen), rtol=0, atol=0)
    estimate.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(estimate, goal, seen).sum(), estimate)
    hidden = seen.dense() != 0
    assert not gradient[hidden].any()
    assert gradient[~hidden].any()
    assert bool(gradient.isfinite().all())


def test_a_seen_entry_of_weight_zero_is_left_out_too() -> None:
    seen = Rows(torch.tensor([0, 1]), torch.tensor([1]), torch.tensor([0.0]), 3)
    estimate, target = torch.tensor([[1.0, 5.0, 2.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert SquaredError()(estimate, target, seen).item() == pytest.approx(4 / 3)
    assert Multinomial()(estimate, target, seen).item() == pytest.approx(np.log(1 + np.e))


@pytest.mark.parametrize("masked", [False, True])
def test_the_squared_losss_own_gradient_is_autograds(masked: bool) -> None:
    estimate, target, seen, _ = draw_case(1)
    estimate, goal, scale = estimate.double().requires_grad_(), target.dense().double(), torch.rand(5, dtype=torch.float64)
    keep = (seen.dense() == 0) if masked else torch.ones_like(goal)
    (ours,) = torch.autograd.grad(SquaredError()(estimate, goal, seen if masked else None) @ scale, estimate)
    (plain,) = torch.autograd.grad(((estimate - goal) * keep).square().mean(1) @ scale, estimate)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    estimate, target, seen, _ = draw_case(2)
    for goal in (target, target.dense()):
        assert torch.autograd.gradcheck(lambda x, goal=goal: LOSSES[name]()(x, goal, seen), estimate.double().requires_grad_())


def test_the_squared_loss_carries_gradients_to_a_learned_target() -> None:
    estimate, target = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: SquaredError()(estimate, x), target)


@settings(deadline=None, max_examples=50)
@given(st.floats(-50, 50), st.integers(0, 10_000))
def test_the_multinomial_ignores_a_constant_added_to_a_row(shift: float, seed: int) -> None:
    estimate, target, seen, _ = draw_case(seed)
    loss = Multinomial()
    torch.testing.assert_close(loss(estimate + shift, target, seen), loss(estimate, target, seen), rtol=1e-3, atol=1e-3)


def test_the_multinomial_survives_large_estimates() -> None:
    loss = Multinomial()(torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
    assert loss.tolist() == [0.0]


@pytest.mark.parametrize("name", LOSSES)
def test_rows_without_a_target_have_a_finite_loss_and_gradient(name: str) -> None:
    nothing = Rows(torch.zeros(3, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.empty(0), 4)
    estimate = torch.randn(2, 4, requires_grad=True)
    loss = LOSSES[name]()(estimate, nothing)
    loss.sum().backward()
    assert bool(loss.isfinite().all())
    assert estimate.grad is not None
    assert bool(estimate.grad.isfinite().all())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dense", [False, True])
def test_a_target_that_is_also_seen_is_left_out_like_any_seen_entry(name: str, dense: bool) -> None:
    target = Rows(torch.tensor([0, 3]), torch.tensor([0, 1, 2]), torch.tensor([1.0, 1.0, 0.0]), 4)
    seen = Rows(torch.tensor([0, 2]), torch.tensor([1, 2]), torch.tensor([1.0, 1.0]), 4)
    estimate = torch.tensor([[0.3, -1.0, 2.0, 0.7]])
    loss = LOSSES[name]()(estimate, target.dense() if dense else target, seen)
    truth = TRUTHS[name](estimate.double().numpy(), target.dense().double().numpy(), [{1, 2}])
    np.testing.assert_allclose(loss.numpy(), truth, rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dense", [False, True])
def test_a_row_that_has_seen_everything_costs_nothing(name: str, dense: bool) -> None:
    seen = Rows(torch.tensor([0, 3]), torch.tensor([0, 1, 2]), torch.ones(3), 3)
    nothing = Rows(torch.tensor([0, 0]), torch.empty(0, dtype=torch.int64), torch.empty(0), 3)
    estimate = torch.randn(1, 3, requires_grad=True)
    loss = LOSSES[name]()(estimate, nothing.dense() if dense else nothing, seen)
    loss.sum().backward()
    assert loss.item() == 0
    assert estimate.grad is not None
    assert estimate.grad.tolist() == [[0, 0, 0]]


def test_an_estimate_laid_out_by_column_has_the_same_squared_loss_and_stays_as_it_is() -> None:
    estimate, target, seen, _ = draw_case(3)
    by_column = estimate.T.contiguous().T
    torch.testing.assert_close(SquaredError()(by_column, target, seen), SquaredError()(estimate, target, seen))
    assert torch.equal(by_column, estimate)


@pytest.mark.parametrize("dense", [False, True])
def test_under_autocast_the_squared_loss_is_summed_in_float32_and_its_gradient_is_the_estimates_type(dense: bool) -> None:
    estimate, target, _, _ = draw_case(4, 5, 300)
    low = estimate.to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = SquaredError()(low, target.dense() if dense else target)
    truth = SquaredError()(wide := low.detach().double().requires_grad_(), target.dense().double())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), truth, rtol=1e-6, atol=0)
    loss.sum().backward()
    truth.sum().backward()
    assert low.grad is not None
    assert wide.grad is not None
    assert low.grad.dtype == torch.bfloat16
    torch.testing.assert_close(low.grad, wide.grad.to(torch.bfloat16), rtol=2**-7, atol=1e-6)
