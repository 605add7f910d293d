"""Losses on what users interacted with and on items drawn from the others.

Shapes: `B` users in a batch, `I` items, `P` positive entries of the batch, `N` negatives of each, `D` width of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from recodiff.config import BaseConfig
from recodiff.moved import old_names
from recodiff.tensors.losses import unrounded
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress

DENSE_SCORES_UP_TO = 32
"""All B x I scores are formed where they are at most this many times the wanted ones: one matrix product beats gathering."""


@dataclass(frozen=True)
class Parabola:
    """One that touches a user's loss, as a function of the scores, and lies nowhere below it.

    Args:
        pull: how much the loss falls as a positive item's score rises, [n].
        push: how much it rises with the score of another item, [m].
        bend_positives: curvature along a positive item's score, [n].
        bend_others: along that of another item, [m].
        cross: minus the mixed curvature, [n, m]; None where no score of one side is compared with one of the other.
    """

    pull: Tensor
    push: Tensor
    bend_positives: Tensor
    bend_others: Tensor
    cross: Tensor | None = None


class ContrastLoss(Protocol):
    """Scores of positive items [P] and of their negatives [P, N] -> the loss of each positive entry, [P]."""

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """The loss of each entry, [P]; `progress` is for losses that change in training.

        Args:
            positives: scores of positive items, [P].
            negatives: scores of their negatives, [P, N].
        """
        ...

    def parabola(self, positives: Tensor, others: Tensor, weights: Tensor, negatives: int) -> Parabola:
        """The same loss of one user, its mean over all negatives that may be drawn, at the scores where it stands.

        Args:
            positives: scores of the positive items, [n].
            others: scores of what the user did not, [m].
            weights: of the positive items, [n].
            negatives: N.
        """
        ...


class BPR(BaseConfig):
    """Rendle et al., *BPR: Bayesian Personalized Ranking from Implicit Feedback*, UAI 2009: -log sigma(s_ui - s_uj).

    The mean over the N negatives j.
    """

    kind: Literal["bpr"] = "bpr"

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return softplus(negatives - positives[:, None]).mean(1)

    def parabola(self, positives: Tensor, others: Tensor, weights: Tensor, negatives: int) -> Parabola:
        """See `ContrastLoss`."""
        margin, each = positives[:, None] - others, (weights / len(others))[:, None]
        slope, bend = each * torch.sigmoid(-margin), each * _bend_of_softplus(margin)
        return Parabola(slope.sum(1), slope.sum(0), bend.sum(1), bend.sum(0), bend)


class Logistic(BaseConfig):
    """The loss -log sigma(s_ui) - sum_j log(1 - sigma(s_uj))."""

    kind: Literal["logistic"] = "logistic"

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return softplus(-positives) + softplus(negatives).sum(1)

    def parabola(self, positives: Tensor, others: Tensor, weights: Tensor, negatives: int) -> Parabola:
        """See `ContrastLoss`."""
        each = weights.sum() * negatives / len(others)
        pull, push = weights * torch.sigmoid(-positives), each * torch.sigmoid(others)
        return Parabola(pull, push, weights * _bend_of_softplus(positives), each * _bend_of_softplus(others))


class Truncated(Logistic):
    """T-CE of Wang et al., *Denoising Implicit Feedback for Recommendation*, WSDM 2021: the logistic loss without what fits worst.

    Of a batch's positive entries the share epsilon with the greatest -log sigma(s_ui) count nothing; negatives count as ever.
    epsilon = drop_rate * min(1, n / drop_anneal_steps) after n batches. Of several processes each leaves out that share of what
    it has of the batch.
    """

    kind: Literal["truncated"] = "truncated"  # pyright: ignore[reportIncompatibleVariableOverride]
    drop_rate: float = Field(default=0.2, ge=0, lt=1)
    """epsilon_max, the share that is dropped in the end."""
    drop_anneal_steps: int = Field(default=500, ge=0)
    """Batches over which the share rises to that; 0 has it there from the start."""

    def share_at(self, step: int) -> float:
        """The share epsilon that is dropped after `step` batches."""
        return self.drop_rate * min(1.0, step / self.drop_anneal_steps) if self.drop_anneal_steps else self.drop_rate

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        dropped = int(self.share_at(progress.step) * len(positives))
        worst = positives.detach().argsort(stable=True)[:dropped]  # the loss falls as the score rises
        return softplus(-positives).index_fill(0, worst, 0.0) + softplus(negatives).sum(1)


class Reweighted(Logistic):
    """R-CE of Wang et al., WSDM 2021: the logistic loss, each term weighted by how well it is fitted already.

    -f_ui^beta log f_ui - sum_j (1 - f_uj)^beta log(1 - f_uj), f = sigma(s); no gradient passes through the weights.
    """

    kind: Literal["reweighted"] = "reweighted"  # pyright: ignore[reportIncompatibleVariableOverride]
    exponent: float = Field(default=0.2, ge=0)
    """beta; at 0 all terms count alike."""

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        pulled, pushed = softplus(-positives), softplus(negatives)
        trust, doubt = (torch.exp(-self.exponent * loss.detach()) for loss in (pulled, pushed))
        return trust * pulled + (doubt * pushed).sum(1)


class Squared(BaseConfig):
    """The loss ((1 - s_ui)^2 + sum_j s_uj^2) / 2."""

    kind: Literal["squared"] = "squared"

    def __call__(self, positives: Tensor, negatives: Tensor, progress: Progress) -> Tensor:
        """See `ContrastLoss`."""
        return ((1 - positives).square() + negatives.square().sum(1)) / 2

    def parabola(self, positives: Tensor, others: Tensor, weights: Tensor, negatives: int) -> Parabola:
        """See `ContrastLoss`."""
        each = (weights.sum() * negatives / len(others)).expand_as(others)
        return Parabola(weights * (1 - positives), each * others, weights, each)


AnyContrastLoss = Annotated[BPR | Logistic | Truncated | Reweighted | Squared, Field(discriminator="kind")]


def _bend_of_softplus(x: Tensor) -> Tensor:
    """The least curvature of a parabola that touches softplus at x or -x and lies above it (Jaakkola and Jordan, 2000)."""
    return torch.where(x.abs() < 1e-3, 0.25, torch.tanh(x / 2) / (2 * x))


def contrast_scores(pair: Pair, users: Tensor, items: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of a pair's positive items [P] and of their negatives [P, N].

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
    """The losses of a pair's positive entries, weighted as the entries are and summed over each user's, [B].

    Args:
        pair: of B users and P positive entries.
        losses: of the entries, [P].
    """
    weighted = losses * pair.source.values
    return weighted.new_zeros(len(pair.source)).index_add(0, pair.source.row_of(), weighted)


def scores_at(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Selected inner products of two sets of vectors.

    Args:
        left: [B, D].
        right: [I, D].
        rows: of `left`, int64 [P].
        columns: of `right`, int64 [P, N].

    Returns:
        [P, N].
    """
    if len(left) * len(right) <= DENSE_SCORES_UP_TO * columns.numel():
        every = unrounded(left @ right.T).flatten()
        return every.gather(0, (rows[:, None] * len(right) + columns).flatten()).view_as(columns)
    chosen = right.index_select(0, columns.flatten()).view(*columns.shape, -1)
    return torch.linalg.vecdot(left.index_select(0, rows)[:, None], chosen)


__getattr__ = old_names(__name__)
