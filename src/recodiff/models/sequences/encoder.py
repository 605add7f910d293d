"""What sequence models share: windows read in their order, a state after each place, items scored by it.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width, `N` places of the batch that have a next item.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recodiff.config import Added, refuse
from recodiff.data.weighting import AnyWeighting, Uniform
from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.network import TorchRecommender
from recodiff.models.sequences.objectives import AnyObjective, Places, Softmax
from recodiff.models.sequences.windows import Window, windows
from recodiff.moved import old_names
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import batch_slice_of, keep_rows
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import block_rows
from recodiff.training.pairs import InOrder, Pair, Pairs
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits

KEPT_BY_LAYER = 16
"""Arrays [B, L, D] that a layer of attention keeps for its gradient: most are in the feed-forward network, four wide."""


class SequenceConfig(ModelConfig):
    """Settings that all sequence models have."""

    width: int = Field(default=64, ge=1)
    """D, of the item vectors and of every layer."""
    layers: int = Field(default=2, ge=1, le=1000)
    """Layers of the network."""
    length: int = Field(default=64, ge=1)
    """L, the newest items of a history that are looked at; of whole events the newest events."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the item vectors and of each layer's answer that is zeroed in training."""
    horizon: int = Field(default=1, ge=1)
    """How many of the next items (of whole events: events) each place learns to foresee; 1 is the usual next-item model."""
    target: AnyWeighting = Uniform()
    """How much each of them counts; age 0 is the next one."""
    loss_over: Literal["all", "unmet"] = "all"
    """What the softmax is over: all items, as published, or those that the window has not shown yet, as lists hold no others."""
    objective: Annotated[AnyObjective, Added()] = Softmax()
    """How they are compared with the other items: with all, or with a few that are drawn."""
    output: Literal["tied", "own"] = "tied"
    """Whether items are scored by the vectors they are read by, or have vectors of their own for it."""
    training: TrainingConfig = TrainingConfig(batch_size=50, lr=2e-3, check_every_epochs=3, patience_epochs=15)

    @model_validator(mode="after")
    def _counts_places(self) -> Self:
        if getattr(self.target, "unit", "items") == "days":
            refuse("target.unit='days' is not for sequence models, whose places are counted; use 'items'")
        return self


def drop_numbers(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Dropout: each number is zeroed with probability p, the others grow by 1 / (1 - p).

    Args:
        x: [.., D].
        p: in [0, 1).
        generator: of the draws; nothing is dropped without it.
    """
    if generator is None or p == 0:
        return x
    flat = x.reshape(-1, x.shape[-1])
    keep = keep_rows(flat, p, generator)
    return (keep.of(flat) * keep.growth).view_as(x)


def loss_by_user(losses: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
    """The losses [N] of some places summed over each user's, over the mean number of places, [B].

    Args:
        losses: user by user, place by place.
        places: which they are of, boolean [B, L].
        generator: of the batch; where a part of it is here, the mean is that of the whole.
    """
    mine, part = places.sum(1).to(losses.dtype), batch_slice_of(generator)
    mean = (mine if part is None else part.join(mine)).mean().clamp(min=torch.finfo(losses.dtype).tiny)
    return losses.new_zeros(len(places)).index_add(0, places.nonzero()[:, 0], losses) / mean


class SequenceNet(nn.Module):
    """Item vectors and a state after each place; its forward is the training loss."""

    def __init__(self, n_items: int, config: SequenceConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.items = nn.Parameter(torch.empty(n_items, config.width))
        self.own = nn.Parameter(torch.empty(n_items, config.width)) if config.output == "own" else None
        self.bias = nn.Parameter(torch.zeros(n_items))
        with torch.no_grad():
            for table in (self.items, *([self.own] if self.own is not None else [])):
                table.normal_(0, 0.02, generator=generator)

    @property
    def scored_by(self) -> Tensor:
        """The items' vectors that answers are compared with, [I, D]."""
        return self.items if self.own is None else self.own

    @abstractmethod
    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """States after each place, [B, L, D].

        Args:
            window: the newest L items of B users.
            generator: of dropout; there is none without it.
        """

    def last_states(self, history: Rows) -> Tensor:
        """States after whole histories, [B, D]; zeros of an empty one.

        Args:
            history: rows [B, I], in order.
        """
        window = windows(history, self.config.length)
        newest = (window.lengths - 1).clamp(min=0)
        return self.states(window)[torch.arange(len(newest), device=newest.device), newest] * (window.lengths > 0)[:, None]

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The negative log-likelihood of the next items, summed over a user's places, over the mean number of places, [B]."""
        window = windows(pair.source, self.config.length + 1, generator)
        places, target = window.following(self.config.horizon, self.config.target, pair.source.width)
        states = self.states(window.before_last(), generator)[places[:, :-1]]
        return loss_by_user(self.missed(states, window, places, target, generator), places, generator)

    def missed(self, states: Tensor, window: Window, places: Tensor, target: Rows, generator: torch.Generator) -> Tensor:
        """The loss of what follows some places by the objective, [N].

        Args:
            states: what is known after each of them, [N, D].
            window: of every user of the batch.
            places: which they are, boolean [B, L].
            target: what follows, [N, I].
            generator: draws the items to compare with.
        """
        shown = window.known(places, target.width) if self.config.loss_over == "unmet" else None
        asked = Places(states, places.nonzero()[:, 0], len(places), target, shown)
        return self.config.objective.losses(asked, self.scored_by, self.bias, generator)


class SequenceRecommender(TorchRecommender[SequenceNet]):
    """A model that reads the newest L items of a history in their order.

    A state h_p after each place p scores items by h_p . v_i + b_i. Every place learns from the items that follow it,
    -sum_k w_k log softmax(h_p . v + b)_{i_{p+k}} for k = 1..horizon, over the whole catalogue. A weighting scales the item
    vectors that are read. A whole event of several items is one place: the mean of their vectors is read, and the mean over them
    stands for i in the loss.
    """

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, order_aware=True, reads_order=True)

    @abstractmethod
    def build(self, n_items: int, generator: torch.Generator) -> SequenceNet:
        """See `TorchRecommender`."""

    def working_bytes(self, module: SequenceNet, batch: int) -> int:
        """Bytes of what each layer keeps of every place, and of blocks of logits."""
        c: SequenceConfig = self.config
        states = 4 * batch * c.length * c.width * KEPT_BY_LAYER * (c.layers + 1)
        items = len(module.bias)
        return states + 4 * 2 * min(batch * c.length, block_rows(items)) * items

    def pairs(self) -> Pairs:
        """Whole histories, in their order."""
        return InOrder()

    @torch.no_grad()
    def score(self, batch: Batch) -> Tensor:
        """Scores h . v_i + b_i after the whole history, [B, I]."""
        return inner_products(self.user_vectors(batch), self.module.scored_by, self.module.bias)

    def vectors(self) -> ItemVectors:
        """The items' v and b."""
        return ItemVectors(self.module.scored_by.detach(), self.module.bias.detach())

    @torch.no_grad()
    def user_vectors(self, batch: Batch) -> Tensor:
        """States h after the whole history, [B, D]."""
        return self.module.last_states(batch.history)


__getattr__ = old_names(__name__)
