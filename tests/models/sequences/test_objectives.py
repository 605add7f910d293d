"""What places learn from, against slow truths in float64: drawn items, calibration, what does not count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from recodiff.models.sequences.objectives import GBCE, SampledSoftmax, Softmax
from recodiff.tensors.rows import Rows

ITEMS, PLACES, WIDTH = 12, 5, 4


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Rows, Rows]:
    """States, vectors, bias, targets (two of the second place), and what was shown."""
    draw = torch.Generator().manual_seed(0)
    states, vectors, bias = (torch.randn(shape, generator=draw) for shape in ((PLACES, WIDTH), (ITEMS, WIDTH), (ITEMS,)))
    target = Rows(torch.tensor([0, 1, 3, 4, 5, 6]), torch.tensor([3, 4, 7, 0, 11, 5]), torch.tensor([1, 1, 0.5, 1, 1, 1.0]), ITEMS)
    shown = Rows(torch.tensor([0, 2, 3, 3, 4, 5]), torch.tensor([1, 2, 9, 6, 6]), torch.ones(5), ITEMS)
    return states, vectors, bias, target, shown


def drawn_by(objective: Any, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(ITEMS, generator=generator)[: objective.negatives].tolist()


def slow(objective: Any, seed: int, shown: Rows | None) -> list[float]:
    states, vectors, bias, target, _ = problem()
    scores = states.double().numpy() @ vectors.double().numpy().T + bias.double().numpy()
    hidden = np.zeros((PLACES, ITEMS), bool) if shown is None else shown.dense().bool().numpy()
    total, drawn = [0.0] * PLACES, drawn_by(objective, seed)
    for place in range(PLACES):
        targets = target.dense()[place].nonzero()[:, 0].tolist()
        others = [k for k in drawn if k not in targets and not hidden[place, k]]
        for j in targets:
            weight, s = float(target.dense()[place, j]), scores[place, j]
            if isinstance(objective, SampledSoftmax):
                found = -math.log(math.exp(s) / (math.exp(s) + sum(math.exp(scores[place, k]) for k in others)))
            else:
                a, t = len(drawn) / (ITEMS - 1), objective.calibration
                beta = a * (t * (1 - 1 / a) + 1 / a)
                sigma = 1 / (1 + math.exp(-s))
                rest = sum(math.log(1 - 1 / (1 + math.exp(-scores[place, k]))) for k in others)
                found = -(math.log(sigma**beta) + rest) / (len(drawn) + 1)
            total[place] += weight * found
    return total


@pytest.mark.parametrize("objective", [SampledSoftmax(negatives=6), GBCE(negatives=6), GBCE(negatives=6, calibration=1.0)])
@pytest.mark.parametrize("with_shown", [False, True])
def test_drawn_items_by_hand(objective: Any, with_shown: bool) -> None:
    states, vectors, bias, target, shown = problem()
    hidden = shown if with_shown else None
    found = objective.losses(states, vectors, bias, target, hidden, torch.Generator().manual_seed(7))
    np.testing.assert_allclose(found, slow(objective, 7, hidden), rtol=1e-5)


def test_all_items_drawn_are_the_softmax_over_the_catalogue() -> None:
    states, vectors, bias, _, _ = problem()
    target = Rows(torch.arange(PLACES + 1), torch.tensor([3, 4, 0, 11, 5]), torch.ones(PLACES), ITEMS)
    some, every = (
        one.losses(states, vectors, bias, target, None, torch.Generator()) for one in (SampledSoftmax(negatives=500), Softmax())
    )
    torch.testing.assert_close(some, every)


def test_without_calibration_gbce_is_binary_cross_entropy() -> None:
    states, vectors, bias, target, _ = problem()
    found = GBCE(negatives=6, calibration=0.0).losses(states, vectors, bias, target, None, torch.Generator().manual_seed(1))
    scores = states @ vectors.T + bias
    own = scores[3, 11]
    others = torch.stack([scores[3, k] for k in drawn_by(GBCE(negatives=6), 1) if k != 11])
    expected = -(torch.sigmoid(own).log() + torch.sigmoid(-others).log().sum()) / 7
    assert float(found[3]) == pytest.approx(float(expected), rel=1e-5)


def test_gradients_reach_the_items_that_were_drawn_and_no_others() -> None:
    states, vectors, bias, target, _ = problem()
    vectors.requires_grad_()
    SampledSoftmax(negatives=3).losses(states, vectors, bias, target, None, torch.Generator().manual_seed(2)).sum().backward()
    moved = set(vectors.grad.abs().sum(1).nonzero()[:, 0].tolist())  # type: ignore[union-attr]
    assert moved == set(target.columns.tolist()) | set(drawn_by(SampledSoftmax(negatives=3), 2))
