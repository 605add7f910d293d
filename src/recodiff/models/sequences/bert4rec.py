"""BERT4Rec: attention both ways over the newest items of a history, learned from places that are hidden.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width, `N` places of the batch that are hidden.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recodiff.config import refuse
from recodiff.models.sequences.blocks import BLOCKS, Filled
from recodiff.models.sequences.encoder import SequenceNet, SequenceRecommender, loss_by_user
from recodiff.models.sequences.objectives import Places
from recodiff.models.sequences.sasrec import SASRecConfig
from recodiff.models.sequences.windows import Window, windows
from recodiff.tensors.random import by_row
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress


class BERT4RecConfig(SASRecConfig):
    """Settings of BERT4Rec; a layer is a block of attention and feed-forward network."""

    heads: int = Field(default=2, ge=1)
    """Of the attention; they share the width."""
    hidden_share: float = Field(default=0.2, gt=0, lt=1)
    """rho, the share of places that are hidden in training, each by itself."""
    newest_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the users of whom the newest place alone is hidden, as it is when lists are made."""

    @model_validator(mode="after")
    def _foresees_one(self) -> Self:
        if self.horizon != 1 or self.loss_over != "all":
            refuse(
                f"horizon={self.horizon}, loss_over={self.loss_over!r}: a hidden place foresees its own item among all; "
                "leave them at 1 and 'all'"
            )
        return self


class BERT4RecNet(SequenceNet):
    """The network; a hidden place is read as a vector of its own."""

    def __init__(self, n_items: int, config: BERT4RecConfig, generator: torch.Generator) -> None:
        super().__init__(n_items, config, generator)
        self.config: BERT4RecConfig = config
        self.hidden, self.places = (nn.Parameter(torch.empty(n, config.width)) for n in (1, config.length + 1))
        with torch.no_grad():
            for table in (self.hidden, self.places):
                table.normal_(0, 0.02, generator=generator)
        block, shape = BLOCKS[config.block], (config.width, config.heads, config.widening, config.dropout)
        self.blocks = nn.ModuleList(block(*shape, generator, causal=False) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def read(self, window: Window, hidden: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """States of each place of which some are hidden, [B, L, D]; with a generator under dropout.

        Args:
            window: of at most L + 1 places.
            hidden: which places are not read, boolean [B, L].
            generator: draws dropout.
        """
        scale = math.sqrt(self.config.width)
        read = torch.where(hidden[..., None], scale * self.hidden, window.read(self.items, scale))
        newest = window.lengths[:, None] - 1  # a place is known by its distance to the newest
        at = (newest - torch.arange(window.size, device=hidden.device)).clamp(min=0)
        filled = Filled.of(window)
        x = filled.drop(filled.pack(read + self.places[at]), self.config.dropout, generator)
        for block in self.blocks:
            x = block(x, filled, generator)
        return filled.unpack(self.norm(x))

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """See `SequenceNet`: of a place nothing but what stands there is hidden."""
        return self.read(
            window, torch.zeros(len(window.lengths), window.size, dtype=torch.bool, device=self.bias.device), generator
        )

    def last_states(self, history: Rows) -> Tensor:
        """The state of a hidden place behind a whole history, [B, D]; zeros of an empty one."""
        window = windows(history, self.config.length).with_empty_place()
        last = window.lengths - 1
        hidden = torch.arange(window.size, device=last.device) == last[:, None]
        found = self.read(window, hidden)[torch.arange(len(last), device=last.device), last]
        return found * (window.lengths > 1)[:, None]

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each user's hidden places, summed, over the mean number of hidden places, [B]."""
        window = windows(pair.source, self.config.length + 1, generator)
        hidden = self._hide(window, generator)
        states, target = self.read(window, hidden, generator)[hidden], window.at(hidden, pair.source.width)
        asked = Places(states, hidden.nonzero()[:, 0], len(hidden), target)
        losses = self.config.objective.losses(asked, self.scored_by, self.bias, generator)
        return loss_by_user(losses, hidden, generator)

    def _hide(self, window: Window, generator: torch.Generator) -> Tensor:
        """Which places are hidden, boolean [B, L]; of every user at least one, and not all."""
        shape = (len(window.lengths), window.size + 1)
        draws = by_row(shape, generator, lambda shape: torch.rand(shape, generator=generator, device=self.bias.device))
        place = torch.arange(window.size, device=self.bias.device)
        filled, newest = place < window.lengths[:, None], place == window.lengths[:, None] - 1
        hidden = (draws[:, 1:] < self.config.hidden_share) & filled
        alone = (draws[:, 0] < self.config.newest_share) | (hidden.sum(1) == 0) | (hidden.sum(1) == window.lengths)
        return torch.where(alone[:, None], newest, hidden)


class BERT4Rec(SequenceRecommender):
    """Sun et al., *BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from Transformer*, CIKM 2019.

    Some places of a window are hidden, each with probability rho, and the items there are foreseen from those before and after
    them. Of some users the newest place alone is hidden, which stands for the samples that the paper ends its training with;
    lists are made from a hidden place behind the history. Places are known by their distance to the newest, so that those of
    short histories are all learned. `target` says nothing here: each hidden place foresees its own item.
    """

    Config = BERT4RecConfig

    def build(self, n_items: int, generator: torch.Generator) -> BERT4RecNet:
        """See `TorchRecommender`."""
        return BERT4RecNet(n_items, self.config, generator)
