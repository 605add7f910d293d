"""Losses on what users have met and on items drawn from what they have not.

Shapes: `B` users in a batch, `I` items, `P` met entries of the batch, `N` negatives of each, `D` width of the vectors.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from recodiff.config import BaseConfig
from recodiff.pairs import Pair
from recodiff.training import Progress

DENSE_UP_TO = 32
"""All B x I scores are formed where they are at most this many times the wanted ones: one matrix product beats gathering."""


class ContrastLoss(Protocol):
    """Scores of met items [P] and of their negatives [P, N] -> the loss of each met entry, [P]."""

    def __call__(self, met: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """The loss of each entry; `progress` is for losses that change in training."""
        ...


class BPR(BaseConfig):
    """Rendle et al., *BPR: Bayesian Personalized Ranking from Implicit Feedback*, UAI 2009: -log sigma(s_ui - s_uj).

    The mean over the N negatives j.
    """

    kind: Literal["bpr"] = "bpr"

    def __call__(self, met: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return softplus(negatives - met[:, None]).mean(1)


class Logistic(BaseConfig):
    """-log sigma(s_ui) - sum_j log(1 - sigma(s_uj))."""

    kind: Literal["logistic"] = "logistic"

    def __call__(self, met: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return softplus(-met) + softplus(negatives).sum(1)


class Squared(BaseConfig):
    """((1 - s_ui)^2 + sum_j s_uj^2) / 2."""

    kind: Literal["squared"] = "squared"

    def __call__(self, met: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return ((1 - met).square() + negatives.square().sum(1)) / 2


AnyContrastLoss = Annotated[BPR | Logistic | Squared, Field(discriminator="kind")]


def compare(pair: Pair, users: Tensor, items: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of a pair's met items [P] and of their negatives [P, N].

    Args:
        pair: with negatives.
        users: vectors of the pair's users, [B, D].
        items: vectors of all items, [I, D].
        bias: of the items, [I].
    """
    assert pair.negatives is not None
    compared = torch.cat([pair.source.columns[:, None], pair.negatives], 1)
    scores = scores_at(users, items, pair.source.row_of(), compared) + bias[compared]
    return scores[:, 0], scores[:, 1:]


def sum_by_user(pair: Pair, losses: Tensor) -> Tensor:
    """The losses [P] of a pair's met entries, weighted as the entries are and summed over each user's, [B]."""
    weighted = losses * pair.source.values
    return weighted.new_zeros(len(pair.source)).index_add(0, pair.source.row_of(), weighted)


def scores_at(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Some of the inner products of two sets of vectors.

    Args:
        left: [B, D].
        right: [I, D].
        rows: of `left`, int64 [P].
        columns: of `right`, int64 [P, N].

    Returns:
        [P, N].
    """
    if len(left) * len(right) <= DENSE_UP_TO * columns.numel():
        every = (left @ right.T).flatten()
        return every.gather(0, (rows[:, None] * len(right) + columns).flatten()).view_as(columns)
    chosen = right.index_select(0, columns.flatten()).view(*columns.shape, -1)
    return torch.linalg.vecdot(left.index_select(0, rows)[:, None], chosen)
