"""Losses on met items and negatives, against slow float64 truths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import reference
from recodiff.models import contrast
from recodiff.models.contrast import BPR, Logistic, Squared, scores_at
from recodiff.training import Progress

NOW = Progress(0, 0)


@pytest.mark.parametrize(
    ("loss", "truth"),
    [(BPR(), reference.bpr), (Logistic(), reference.logistic), (Squared(), reference.half_square)],
    ids=lambda value: getattr(value, "kind", ""),
)
@pytest.mark.parametrize("n", [1, 5])
def test_losses_are_their_equations(loss: Any, truth: Callable[..., float], n: int, rng: np.random.Generator) -> None:
    met, negatives = rng.normal(0, 5, 20), rng.normal(0, 5, (20, n))
    expected = [truth(a, b) for a, b in zip(met, negatives, strict=True)]
    found = loss(torch.tensor(met), torch.tensor(negatives), NOW)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [BPR(), Logistic()], ids=lambda loss: loss.kind)
def test_scores_far_apart_overflow_nothing(loss: Any) -> None:
    met = torch.tensor([-1e4, 1e4], requires_grad=True)
    found = loss(met, torch.tensor([[1e4], [-1e4]]), NOW)
    assert found[1] == 0
    assert 1e4 < found[0] <= 2e4
    found.sum().backward()
    assert met.grad is not None
    assert met.grad.isfinite().all()


@pytest.mark.parametrize("dense", [True, False])
def test_wanted_scores_and_their_gradients_are_the_inner_products(
    dense: bool, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(contrast, "DENSE_UP_TO", 1e9 if dense else 0)
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
