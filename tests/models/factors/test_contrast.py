"""Losses on met items and negatives, against slow float64 truths."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import reference
from recodiff.models.factors import contrast
from recodiff.models.factors.contrast import BPR, Logistic, Reweighted, Squared, Truncated, scores_at
from recodiff.training.trainable import Progress

NOW = Progress(0, 0)


@pytest.mark.parametrize(
    ("loss", "truth"),
    [
        (BPR(), reference.bpr),
        (Logistic(), reference.logistic),
        (Squared(), reference.half_square),
        (Reweighted(exponent=0.3), partial(reference.reweighted, exponent=0.3)),
        (Reweighted(exponent=0.0), reference.logistic),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
@pytest.mark.parametrize("n", [1, 5])
def test_losses_are_their_equations(loss: Any, truth: Callable[..., float], n: int, rng: np.random.Generator) -> None:
    met, negatives = rng.normal(0, 5, 20), rng.normal(0, 5, (20, n))
    expected = [truth(a, b) for a, b in zip(met, negatives, strict=True)]
    found = loss(torch.tensor(met), torch.tensor(negatives), NOW)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("drop_rate", "dropped"), [(0.0, 0), (0.04, 0), (0.05, 1), (0.2, 4), (0.99, 19)])
def test_the_worst_fitted_of_a_batch_are_left_out(drop_rate: float, dropped: int, rng: np.random.Generator) -> None:
    met, negatives = rng.normal(0, 5, 20), rng.normal(0, 5, (20, 3))
    at = torch.tensor(met, requires_grad=True)
    found = Truncated(drop_rate=drop_rate, drop_anneal_steps=0)(at, torch.tensor(negatives), NOW)
    np.testing.assert_allclose(found.detach(), reference.truncated(met.tolist(), negatives.tolist(), dropped), rtol=1e-12)
    found.sum().backward()
    assert at.grad is not None
    assert ((at.grad == 0).nonzero().flatten() == torch.tensor(np.sort(np.argsort(met)[:dropped]))).all()


def test_the_share_left_out_rises_batch_by_batch() -> None:
    loss = Truncated(drop_rate=0.4, drop_anneal_steps=10)
    assert [loss.share_at(step) for step in (0, 5, 10, 99)] == [0.0, 0.2, 0.4, 0.4]
    met, negatives = torch.arange(10.0), torch.full((10, 1), -100.0)
    counted = [int((loss(met, negatives, Progress(0, step)) > 1e-9).sum()) for step in (0, 5, 10)]
    assert counted == [10, 8, 6]


def test_no_gradient_passes_through_the_weights(rng: np.random.Generator) -> None:
    met, negatives, loss = rng.normal(0, 2, 6), rng.normal(0, 2, (6, 2)), Reweighted(exponent=0.5)
    tensors = torch.tensor(met, requires_grad=True), torch.tensor(negatives, requires_grad=True)
    loss(*tensors, NOW).sum().backward()

    def frozen(m: Any, n: Any) -> float:
        return sum(reference.reweighted(a, b, 0.5, at=(c, d)) for a, b, c, d in zip(m, n, met, negatives, strict=True))

    slopes = reference.slopes(lambda m: frozen(m, negatives), met), reference.slopes(lambda n: frozen(met, n), negatives)
    for tensor, slope in zip(tensors, slopes, strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(tensor.grad, slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", [BPR(), Logistic(), Truncated(), Reweighted()], ids=lambda loss: loss.kind)
def test_scores_far_apart_overflow_nothing(loss: Any) -> None:
    met = torch.tensor([-1e4, 1e4], requires_grad=True)
    found = loss(met, torch.tensor([[1e4], [-1e4]]), NOW)
    assert found[1] == 0
    assert found[0] == 0 if isinstance(loss, Reweighted) else 1e4 < found[0] <= 2e4
    found.sum().backward()
    assert met.grad is not None
    assert met.grad.isfinite().all()


@pytest.mark.parametrize("dense", [True, False])
def test_wanted_scores_and_their_gradients_are_the_inner_products(
    dense: bool, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(contrast, "DENSE_SCORES_UP_TO", 1e9 if dense else 0)
    left, right = (torch.tensor(rng.normal(size=(n, 4)), requires_grad=True) for n in (5, 7))
    # User 1 is asked for nowhere, item 1 often, and twice for one entry.
    rows, columns = torch.tensor([0, 0, 2, 4]), torch.tensor([[1, 1], [6, 0], [3, 1], [1, 2]])
    found = scores_at(left, right, rows, columns)
    truth = (left.detach() @ right.detach().T)[rows[:, None], columns]
    np.testing.assert_allclose(found.detach(), truth, rtol=1e-12)
    weights = torch.tensor(rng.normal(size=(4, 2)))
    (found * weights).sum().backward()
    g = torch.zeros(5, 7, dtype=torch.float64).index_put((rows[:, None], columns), weights, accumulate=True)
    for tensor, gradient in ((left, g @ right.detach()), (right, g.T @ left.detach())):
        assert tensor.grad is not None
        np.testing.assert_allclose(tensor.grad, gradient, atol=1e-12)
