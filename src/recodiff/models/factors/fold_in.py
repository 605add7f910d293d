"""Users that a model of user vectors was never trained on: their vector is found from their history, the items' standing still.

Shapes: `B` users in a batch, `I` items, `n` items that a user interacted with, `m` other items, `D` width of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recodiff.models.factors.contrast import ContrastLoss
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Unseen

NEGATIVES = 512
"""Other items, evenly spaced over the catalogue, that stand for all of them: nothing is drawn, so a history has one answer."""
ROUNDS = 12
"""Steps to the minimum; each goes at least as low as the one before."""
LEAST_L2 = 1e-6
"""Keeps the minimum single where a model has no l2."""


def fold_in(
    history: Rows,
    items: Tensor,
    bias: Tensor,
    loss: ContrastLoss,
    *,
    negatives: int,
    received: Tensor,
    share: float,
    l2: float,
) -> Tensor:
    """The vectors e = received + share v of unseen users, v being what training would learn of them from the same loss:

        v = argmin  sum_i w_i loss(s_i, {s_j}) / sum_i w_i + l2/2 |v|^2,   s = e . items + bias

    over the items i of the history, of weight w_i, the loss being its mean over the other items j. Of a denoising loss it is
    what is denoised: which entries of a batch are noise can be known only beside those of others.

    Args:
        history: [B, I]; none empty, none with every item.
        items: [I, D].
        bias: [I].
        loss: of the comparisons.
        negatives: N, items that each positive item is compared with in training.
        received: the part of the vectors that is known, [B, D].
        share: of v in the vector, above 0.
        l2: lambda.

    Returns:
        e, [B, D].
    """
    unseen = Unseen(history)
    place = torch.arange(NEGATIVES, device=items.device)
    found = []
    for row in range(len(history)):
        begin, end = history.offsets[row : row + 2].tolist()
        positives, weights = history.columns[begin:end], history.values[begin:end]
        count = int(unseen.count[row])
        spaced = place * count // NEGATIVES if count > NEGATIVES else place[:count]
        others = unseen.nth(torch.full_like(spaced, row), spaced)
        user = _UnseenUser(items[positives], items[others], bias[positives], bias[others], weights / weights.sum(), received[row])
        found.append(user.vector(loss, negatives, share, max(l2, LEAST_L2)))
    return torch.stack(found)


@dataclass(frozen=True)
class _UnseenUser:
    """What is known of one user: vectors and biases of the positive items, [n, D] and [n], and of others, [m, D] and [m]; weights
    of the positive ones, [n], summing to 1; what the user's vector is sure to hold, [D]."""

    positives: Tensor
    others: Tensor
    positives_bias: Tensor
    others_bias: Tensor
    weights: Tensor
    received: Tensor

    def vector(self, loss: ContrastLoss, negatives: int, share: float, ridge: float) -> Tensor:
        """e. Each step minimises a parabola that lies nowhere below the loss: so no step overshoots, and none needs a size."""
        v = torch.zeros_like(self.received)
        for _ in range(ROUNDS):
            e = self.received + share * v
            at = loss.parabola(
                self.positives @ e + self.positives_bias, self.others @ e + self.others_bias, self.weights, negatives
            )
            slope = self.others.T @ at.push - self.positives.T @ at.pull
            bend, others_bend = at.bend_positives[:, None], at.bend_others[:, None]
            curve = self.positives.T @ (bend * self.positives) + self.others.T @ (others_bend * self.others)
            if at.cross is not None:
                cross = self.positives.T @ at.cross @ self.others
                curve = curve - cross - cross.T
            curve = share**2 * curve
            curve.diagonal().add_(ridge)
            v = v - torch.linalg.solve(curve, share * slope + ridge * v)
        return self.received + share * v
