"""SASRec: self-attention over the newest items of a history, in their order.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width.
"""

from __future__ import annotations

import math
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recodiff.config import Added, refuse
from recodiff.models.sequences.blocks import BLOCKS, BlockName, Filled
from recodiff.models.sequences.encoder import SequenceConfig, SequenceNet, SequenceRecommender
from recodiff.models.sequences.windows import Window


class SASRecConfig(SequenceConfig):
    """Settings of SASRec; a layer is a block of attention and feed-forward network."""

    heads: int = Field(default=1, ge=1)
    """Of the attention; they share the width."""
    block: Annotated[BlockName, Added()] = "transformer"
    """What a layer is: attention and feed-forward network as published, or both behind gates (`GatedBlock`)."""
    widening: Annotated[int, Added()] = Field(default=4, ge=1)
    """Width of the feed-forward network, in multiples of D."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            refuse(f"width={self.width} cannot be shared by heads={self.heads}; give a width that is a multiple")
        return self


class SASRecNet(SequenceNet):
    """The network."""

    def __init__(self, n_items: int, config: SASRecConfig, generator: torch.Generator) -> None:
        super().__init__(n_items, config, generator)
        self.places = nn.Parameter(torch.empty(config.length, config.width))
        with torch.no_grad():
            self.places.normal_(0, 0.02, generator=generator)
        block, shape = BLOCKS[config.block], (config.width, config.heads, config.widening, config.dropout)
        self.blocks = nn.ModuleList(block(*shape, generator) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """See `SequenceNet`."""
        places = Filled.of(window)
        read = places.pack(window.read(self.items, math.sqrt(self.config.width)) + self.places[: window.size])
        x = places.drop(read, self.config.dropout, generator)
        for block in self.blocks:
            x = block(x, places, generator)
        return places.unpack(self.norm(x))


class SASRec(SequenceRecommender):
    """Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018, with the full softmax in place of sampled negatives.

    Item vectors and vectors of the places are read by blocks of causal self-attention and a feed-forward network. For what is
    learned from them see `SequenceRecommender`; a horizon of 1 is the published next-item loss.
    """

    Config = SASRecConfig

    def build(self, n_items: int, generator: torch.Generator) -> SASRecNet:
        """See `TorchRecommender`."""
        return SASRecNet(n_items, self.config, generator)
