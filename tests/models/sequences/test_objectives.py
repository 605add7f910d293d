"""What places learn from, against slow truths in float64: drawn items, calibration, what does not count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from recodiff.models.sequences.objectives import GBCE, Places, SampledSoftmax
from recodiff.tensors.random import BatchSlice, SliceGenerator
from recodiff.tensors.rows import Rows

ITEMS, PLACES, WIDTH = 12, 5, 4


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Rows, Rows]:
    """States, vectors, bias, targets (two of the second place), and what was shown."""
    draw = torch.Generator().manual_seed(0)
    states, vectors, bias = (torch.randn(shape, generator=draw) for shape in ((PLACES, WIDTH), (ITEMS, WIDTH), (ITEMS,)))
    target = Rows(torch.tensor([0, 1, 3, 4, 5, 6]), torch.tensor([3, 4, 7, 0, 11, 5]), torch.tensor([1, 1, 0.5, 1, 1, 1.0]), ITEMS)
    shown = Rows(torch.tensor([0, 2, 3, 3, 4, 5]), torch.tensor([1, 2, 9, 6, 6]), torch.ones(5), ITEMS)
    return states, vectors, bias, target, shown


USERS = torch.tensor([0, 0, 2, 2, 2])


def places_of(states: torch.Tensor, target: Rows, shown: Rows | None = None) -> Places:
    """The first two places are of the first user, the others of the third."""
    return Places(states, USERS, 4, target, shown)


def drawn_by(objective: Any, seed: int) -> list[list[int]]:
    """The items drawn for each of four users."""
    return torch.randint(ITEMS, (4, objective.negatives), generator=torch.Generator().manual_seed(seed)).tolist()


def slow(objective: Any, seed: int, shown: Rows | None) -> list[float]:
    states, vectors, bias, target, _ = problem()
    scores = states.double().numpy() @ vectors.double().numpy().T + bias.double().numpy()
    hidden = np.zeros((PLACES, ITEMS), bool) if shown is None else shown.dense().bool().numpy()
    total, by_user = [0.0] * PLACES, drawn_by(objective, seed)
    for place in range(PLACES):
        drawn = by_user[int(USERS[place])]
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
    found = objective.losses(places_of(states, target, hidden), vectors, bias, torch.Generator().manual_seed(7))
    np.testing.assert_allclose(found, slow(objective, 7, hidden), rtol=1e-5)


def test_a_user_s_places_share_the_items_drawn_and_other_users_have_others() -> None:
    drawn = drawn_by(SampledSoftmax(negatives=6), 7)
    assert len({tuple(row) for row in drawn}) == 4
    states, vectors, bias, target, _ = problem()
    one = SampledSoftmax(negatives=6)
    every = one.losses(places_of(states, target), vectors, bias, torch.Generator().manual_seed(7))
    first = Places(states[:2], USERS[:2], 4, target.part(0, 2))
    torch.testing.assert_close(one.losses(first, vectors, bias, torch.Generator().manual_seed(7)), every[:2])


def test_a_process_that_has_some_of_the_users_draws_for_them_what_one_process_would() -> None:
    states, vectors, bias, target, _ = problem()
    one = SampledSoftmax(negatives=6)
    whole = one.losses(places_of(states, target), vectors, bias, torch.Generator().manual_seed(3))
    generator = SliceGenerator()
    generator.manual_seed(3)
    generator.batch_slice = BatchSlice(2, 4, 4, True, lambda mine: mine)
    rest = target.take(torch.arange(2, 5))
    torch.testing.assert_close(one.losses(Places(states[2:], USERS[2:] - 2, 2, rest), vectors, bias, generator), whole[2:])


def test_many_items_drawn_come_near_the_softmax_over_the_catalogue() -> None:
    """Up to the logarithm of how often each is drawn, by which all others are raised alike."""
    states, vectors, bias, _, _ = problem()
    many = 40_000
    asked = places_of(states, Rows(torch.arange(PLACES + 1), torch.tensor([3, 4, 0, 11, 5]), torch.ones(PLACES), ITEMS))
    found = SampledSoftmax(negatives=many).losses(asked, vectors, bias, torch.Generator().manual_seed(0))
    scores = (states @ vectors.T + bias).double()
    own = scores.gather(1, asked.target.columns[:, None])[:, 0]
    others = scores.scatter(1, asked.target.columns[:, None], float("-inf")).logsumexp(1) + math.log(many / ITEMS)
    np.testing.assert_allclose(found, torch.nn.functional.softplus(others - own), rtol=0.02)


def test_without_calibration_gbce_is_binary_cross_entropy() -> None:
    states, vectors, bias, target, _ = problem()
    asked = places_of(states, target)
    found = GBCE(negatives=6, calibration=0.0).losses(asked, vectors, bias, torch.Generator().manual_seed(1))
    scores = states @ vectors.T + bias
    own = scores[3, 11]
    others = torch.stack([scores[3, k] for k in drawn_by(GBCE(negatives=6), 1)[2] if k != 11])
    expected = -(torch.sigmoid(own).log() + torch.sigmoid(-others).log().sum()) / 7
    assert float(found[3]) == pytest.approx(float(expected), rel=1e-5)


def test_gradients_reach_the_items_that_were_drawn_and_no_others() -> None:
    states, vectors, bias, target, _ = problem()
    vectors.requires_grad_()
    one = SampledSoftmax(negatives=3)
    one.losses(places_of(states, target), vectors, bias, torch.Generator().manual_seed(2)).sum().backward()
    moved = set(vectors.grad.abs().sum(1).nonzero()[:, 0].tolist())  # type: ignore[union-attr]
    drawn = drawn_by(one, 2)
    assert moved == set(target.columns.tolist()) | set(drawn[0]) | set(drawn[2])
