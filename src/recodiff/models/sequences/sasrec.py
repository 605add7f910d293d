"""SASRec: self-attention over the newest items of a history, in their order.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.config import refuse
from recodiff.models.sequences.encoder import SequenceConfig, SequenceNet, SequenceRecommender, drop
from recodiff.models.sequences.windows import Window
from recodiff.tensors.losses import unrounded


class SASRecConfig(SequenceConfig):
    """Settings of SASRec; a layer is a block of attention and feed-forward network."""

    heads: int = Field(default=1, ge=1)
    """Of the attention; they share the width."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            refuse(f"width={self.width} cannot be shared by heads={self.heads}; give a width that is a multiple")
        return self


class _Block(nn.Module):
    """Causal self-attention, then a feed-forward network; each is normalised first and added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.project, self.merge, self.wide, self.narrow = (
            _linear(a, b, generator) for a, b in ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
        )

    def forward(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """[B, L, D] -> [B, L, D]."""
        q, k, v = (self._split(part) for part in self.project(self.norms[0](x)).chunk(3, -1))
        attended = _attend(q, k, v)
        x = x + drop(self.merge(attended.transpose(1, 2).flatten(2)), self.dropout, generator)
        return x + drop(self.narrow(F.gelu(self.wide(self.norms[1](x)))), self.dropout, generator)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _linear(fan_in: int, fan_out: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    with torch.no_grad():
        layer.weight.normal_(0, math.sqrt(2 / (fan_in + fan_out)), generator=generator)
        layer.bias.zero_()
    return layer


class SASRecNet(SequenceNet):
    """The network."""

    def __init__(self, n_items: int, config: SASRecConfig, generator: torch.Generator) -> None:
        super().__init__(n_items, config, generator)
        self.places = nn.Parameter(torch.empty(config.length, config.width))
        with torch.no_grad():
            self.places.normal_(0, 0.02, generator=generator)
        self.blocks = nn.ModuleList(_Block(config.width, config.heads, config.dropout, generator) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """See `SequenceNet`."""
        read = window.read(self.items, math.sqrt(self.config.width))
        x = drop(read + self.places[: window.size], self.config.dropout, generator)
        for block in self.blocks:
            x = block(x, generator)
        return self.norm(x)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every place sees itself and what came before, [B, heads, L, D / heads]; on a CPU bfloat16 is four times as slow here."""
    on_cpu = q.device.type == "cpu"
    with torch.autocast(q.device.type, enabled=torch.is_autocast_enabled(q.device.type) and not on_cpu):
        q, k, v = (unrounded(x) if on_cpu else x for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class SASRec(SequenceRecommender):
    """Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018, with the full softmax in place of sampled negatives.

    Item vectors and vectors of the places are read by blocks of causal self-attention and a feed-forward network. For what is
    learned from them see `SequenceRecommender`; a horizon of 1 is the published next-item loss.
    """

    Config = SASRecConfig

    def build(self, n_items: int, generator: torch.Generator) -> SASRecNet:
        """See `TorchRecommender`."""
        return SASRecNet(n_items, self.config, generator)
