"""GRU4Rec: a recurrent network over the newest items of a history, in their order.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from recodiff.models.sequences.encoder import SequenceConfig, SequenceNet, SequenceRecommender, drop_numbers
from recodiff.models.sequences.windows import Window


class GRU4RecNet(SequenceNet):
    """The network."""

    def __init__(self, n_items: int, config: SequenceConfig, generator: torch.Generator) -> None:
        super().__init__(n_items, config, generator)
        self.layers = nn.ModuleList(nn.GRU(config.width, config.width, batch_first=True) for _ in range(config.layers))
        with torch.no_grad():
            for parameter in self.layers.parameters():
                bound = 1 / math.sqrt(config.width)
                parameter.uniform_(-bound, bound, generator=generator)

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """See `SequenceNet`."""
        read = window.read(self.items, math.sqrt(self.config.width))
        x = drop_numbers(read, self.config.dropout, generator)
        for layer in self.layers:
            x = drop_numbers(layer(x)[0], self.config.dropout, generator)
        return x


class GRU4Rec(SequenceRecommender):
    """Hidasi, Karatzoglou, Baltrunas and Tikk, *Session-based Recommendations with Recurrent Neural Networks*, ICLR 2016, with the
    full softmax in place of sampled negatives.

    Gated recurrent units read the item vectors. For what is learned from them see `SequenceRecommender`; a horizon of 1 is
    the published next-item loss.
    """

    Config = SequenceConfig

    def build(self, n_items: int, generator: torch.Generator) -> GRU4RecNet:
        """See `TorchRecommender`."""
        return GRU4RecNet(n_items, self.config, generator)
