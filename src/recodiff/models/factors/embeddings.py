"""Models of user and item vectors: what they learn by, score with, and make of unseen users.

Shapes: `B` users in a batch, `U` users, `I` items, `P` positive entries of the batch, `N` negatives of each,
`D` width of the vectors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from pydantic import Field
from torch import Tensor, nn

from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.factors.contrast import BPR, AnyContrastLoss, contrast_scores, sum_by_user
from recodiff.models.factors.fold_in import fold_in
from recodiff.models.network import TorchRecommender
from recodiff.moved import old_names
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Contrast, Pair, Pairs
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits


class FactorsConfig(ModelConfig):
    """Settings that models of user and item vectors share."""

    width: int = Field(default=64, ge=1)
    """D, length of the vectors."""
    l2: float = Field(default=1e-3, ge=0)
    """lambda, on the learned vectors of each user, positive item and negative that are compared."""
    negatives: int = Field(default=8, ge=1)
    """N, items without an interaction that each positive item is compared with at a step."""
    loss: AnyContrastLoss = BPR()
    """Of the scores of positive items and negatives."""
    training: TrainingConfig = TrainingConfig(batch_size=1024, lr=2e-2)


INITIAL = 0.1
"""Standard deviation of the vectors that training begins with."""


@dataclass(frozen=True)
class Factors:
    """The vectors and biases that score: `users[u] . items[i] + bias[i]`.

    Args:
        users: [U, D].
        items: [I, D].
        bias: [I].
    """

    users: Tensor
    items: Tensor
    bias: Tensor


class FactorNet(nn.Module, ABC):
    """A learned vector for each user and item; its forward is the training loss.

    Args:
        n_users: U.
        n_items: I.
        config: the model's settings.
        generator: of the initial vectors.
    """

    share = 1.0
    """How much of the vector learned for a user is in the one that is scored with."""

    def __init__(self, n_users: int, n_items: int, config: FactorsConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.loss, self.l2 = config.loss, config.l2
        self.users, self.items = (
            nn.Parameter(torch.empty(n, config.width).normal_(0, INITIAL, generator=generator)) for n in (n_users, n_items)
        )
        self._factors: Factors | None = None

    @abstractmethod
    def compute(self, generator: torch.Generator | None = None) -> Factors:
        """The factors of the weights as they stand.

        Args:
            generator: of dropout; there is none without it.
        """

    @abstractmethod
    def received(self, history: Rows) -> Tensor:
        """The share of a user's vector that comes from the history's items, [B, D], beside what is learned for the user.

        Args:
            history: rows [B, I].
        """

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; either way the weights may have changed, so the factors are made anew."""
        self._factors = None
        return super().train(mode)

    @torch.no_grad()
    def factors(self) -> Factors:
        """The factors to score with; call `eval()` after changing the weights."""
        if self._factors is None:
            made = self.compute()
            self._factors = Factors(made.users.detach(), made.items.detach(), made.bias.detach())
        return self._factors

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each user of the pair, summed over the positive items, [B]."""
        assert pair.users is not None
        factors = self.compute(generator)
        positives, negatives = contrast_scores(pair, factors.users.index_select(0, pair.users), factors.items, factors.bias)
        return sum_by_user(pair, self.loss(positives, negatives, progress) + self.l2 / 2 * self._sizes(pair, pair.users))

    def _sizes(self, pair: Pair, users: Tensor) -> Tensor:
        """|e_u|^2 + |e_i|^2 + mean_j |e_j|^2 of the learned vectors, [P]."""
        own, sizes = self.users.index_select(0, users).square().sum(1), self.items.square().sum(1)
        return own[pair.source.row_of()] + sizes[pair.source.columns] + sizes[pair.negatives].mean(1)


class FactorModel(TorchRecommender[FactorNet]):
    """A model that scores by a vector for each user and each item. It remembers its users, and folds unseen users in.

    A user of the training data is scored by what was learned of that user, whatever the history says; an unseen user by the
    vector that the same loss gives to the history while the items stand still (`fold_in`), and by the users' mean where
    there is no history.
    """

    Config = FactorsConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, remembers_users=True)

    def pairs(self) -> Pairs:
        """Items that a user interacted with against others."""
        return Contrast(self.config.negatives)

    def score(self, batch: Batch) -> Tensor:
        """Inner products of users and items with the items' biases, [B, I]."""
        factors = self.module.factors()
        return inner_products(self.user_vectors(batch), factors.items, factors.bias)

    def vectors(self) -> ItemVectors:
        """The items' vectors and biases as they are scored with."""
        _ = self.items
        factors = self.module.factors()
        return ItemVectors(factors.items, factors.bias)

    def item_embeddings(self) -> Tensor:
        """The items' vectors as they are scored with, [I, D]: what to cluster items by."""
        return self.vectors().vectors

    def user_vectors(self, batch: Batch) -> Tensor:
        """Vectors of users, [B, D]: learned for known users, folded in for unseen users."""
        return user_factors(self.module.factors(), batch, self._unseen_users)

    def _unseen_users(self, history: Rows) -> Tensor:
        factors = self.module.factors()
        return fold_in(
            history,
            factors.items,
            factors.bias,
            self.module.loss,
            negatives=self.config.negatives,
            received=self.module.received(history),
            share=self.module.share,
            l2=self.config.l2,
        )


def user_factors(factors: Factors, batch: Batch, unseen_users: Callable[[Rows], Tensor]) -> Tensor:
    """A vector for each user of a batch, [B, D].

    Args:
        factors: what was learned; known users get theirs, and their mean goes to unseen users whose history says nothing.
        batch: the users.
        unseen_users: gives the vectors of all others from their histories.
    """
    history, places = batch.history, batch.places()
    # Neither an empty history nor one of all items says what is liked better than what.
    telling = (history.sums() > 0) & (history.offsets.diff() < history.width)
    found = torch.where((places < 0)[:, None], factors.users.mean(0), factors.users[places.clamp(min=0)])
    unknown = ((places < 0) & telling).nonzero().flatten()
    if len(unknown):
        found[unknown] = unseen_users(history.take(unknown))
    return found


__getattr__ = old_names(__name__)
