"""Users that a model of user vectors was never trained on: their vector is found from their history, the items' standing still.

Shapes: `B` users in a batch, `I` items, `n` items that a user met, `N` items the user did not, `D` width of the vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recodiff.diffusion.rows import Rows
from recodiff.pairs import Unmet

NEGATIVES = 512
"""Items not met, evenly spaced over the catalogue, that stand for all of them: nothing is drawn, so a history has one answer."""
ROUNDS = 12
"""Steps to the minimum; each goes at least as low as the one before."""
LEAST_L2 = 1e-6
"""Keeps the minimum single where a model has no l2."""


def fold_in(history: Rows, items: Tensor, bias: Tensor, *, received: Tensor, share: float, l2: float) -> Tensor:
    """The vectors e = received + share v of strangers, v being what training would learn of them from the same loss:

        v = argmin  sum_i w_i mean_j softplus(s_j - s_i) / sum_i w_i + l2/2 |v|^2,   s = e . items + bias

    over the items i met, of weight w_i, and the items j not met.

    Args:
        history: [B, I]; none empty, none with every item.
        items: [I, D].
        bias: [I].
        received: the part of the vectors that is known, [B, D].
        share: of v in the vector, above 0.
        l2: lambda.

    Returns:
        e, [B, D].
    """
    unmet = Unmet(history)
    place = torch.arange(NEGATIVES, device=items.device)
    found = []
    for row in range(len(history)):
        begin, end = history.offsets[row : row + 2].tolist()
        met, weights = history.columns[begin:end], history.values[begin:end]
        count = int(unmet.count[row])
        spaced = place * count // NEGATIVES if count > NEGATIVES else place[:count]
        others = unmet.nth(torch.full_like(spaced, row), spaced)
        weights = (weights / (weights.sum() * len(others)))[:, None]
        found.append(_minimum(items[met], items[others], bias[met][:, None] - bias[others], weights, received[row], share, l2))
    return torch.stack(found)


def _minimum(met: Tensor, unmet: Tensor, ahead: Tensor, weights: Tensor, received: Tensor, share: float, l2: float) -> Tensor:
    """e of one user; met [n, D], unmet [N, D], ahead [n, N] (differences of the biases), weights [n, 1], summing to 1/N.

    Each step minimises the parabola that touches the loss where it stands and lies nowhere below it: softplus bends at most
    tanh(x/2)/(2x) for that (Jaakkola and Jordan, 2000). So no step overshoots, and none needs a size.
    """
    v = torch.zeros_like(received)
    ridge = max(l2, LEAST_L2)
    for _ in range(ROUNDS):
        e = received + share * v
        margin = ahead + (met @ e)[:, None] - unmet @ e
        push = weights * torch.sigmoid(-margin)
        bend = weights * torch.where(margin.abs() < 1e-3, 0.25, torch.tanh(margin / 2) / (2 * margin))
        slope = unmet.T @ push.sum(0) - met.T @ push.sum(1)
        cross = met.T @ bend @ unmet
        curve = met.T @ (bend.sum(1)[:, None] * met) + unmet.T @ (bend.sum(0)[:, None] * unmet) - cross - cross.T
        curve = share**2 * curve
        curve.diagonal().add_(ridge)
        v = v - torch.linalg.solve(curve, share * slope + ridge * v)
    return received + share * v
