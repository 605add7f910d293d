"""SASRec: self-attention over the newest items of a history, in their order.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width, `N` places of the batch that have a next item.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.diffusion.draws import by_row, keep_rows
from recodiff.diffusion.losses import Multinomial
from recodiff.diffusion.rows import Rows
from recodiff.errors import ConfigError
from recodiff.models.base import Batch, ItemVectors, ModelConfig, TorchRecommender
from recodiff.pairs import InOrder, Pair, Pairs
from recodiff.training import Progress, TrainingConfig
from recodiff.weighting import Age, AnyWeighting, Uniform


class SASRecConfig(ModelConfig):
    """Settings of SASRec."""

    width: int = Field(default=64, ge=1)
    """D, of the item vectors and of every layer."""
    layers: int = Field(default=2, ge=1)
    """Blocks of attention and feed-forward network."""
    heads: int = Field(default=1, ge=1)
    """Of the attention; they share the width."""
    length: int = Field(default=64, ge=1)
    """L, the newest items of a history that are looked at."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the item vectors and of each layer's answer that is zeroed in training."""
    horizon: int = Field(default=1, ge=1)
    """How many of the next items each place learns to foresee; 1 is the usual SASRec."""
    target: AnyWeighting = Uniform()
    """How much each of them counts; age 0 is the next one."""
    output: Literal["tied", "own"] = "tied"
    """Whether items are scored by the vectors they are read by (SASRec), or have vectors of their own for it."""
    training: TrainingConfig = TrainingConfig(batch_size=200, lr=2e-3, patience_epochs=15)


@dataclass(frozen=True)
class Window:
    """Items of some histories that follow each other, from the left; places beyond a history are empty.

    Args:
        items: int64 [B, L], 0 where a place is empty.
        weights: [B, L], 0 where a place is empty.
        lengths: places that are filled, int64 [B].
    """

    items: Tensor
    weights: Tensor
    lengths: Tensor

    def before_last(self) -> Window:
        """The same without the last place."""
        return Window(self.items[:, :-1], self.weights[:, :-1], self.lengths.clamp(max=self.items.shape[1] - 1))

    def following(self, horizon: int, weighting: AnyWeighting, width: int) -> tuple[Tensor, Rows]:
        """For each place that has a next item, the items that follow it.

        Args:
            horizon: how many at most.
            weighting: of them, by distance.
            width: I.

        Returns:
            Which places, boolean [B, L], and their rows [N, I].
        """
        has_next = torch.arange(self.items.shape[1], device=self.lengths.device) + 1 < self.lengths[:, None]
        row, place = has_next.nonzero(as_tuple=True)
        ahead = place[:, None] + 1 + torch.arange(horizon, device=row.device)
        there = ahead < self.lengths[row, None]
        count = there.sum(1)
        which, step = there.nonzero(as_tuple=True)
        values = weighting.factors(Age(step, count[which])).to(self.weights.dtype)
        offsets = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return has_next, Rows(offsets, self.items[row[which], ahead[which, step]], values, width)


def windows(rows: Rows, length: int, generator: torch.Generator | None = None) -> Window:
    """The newest L items of histories.

    Args:
        rows: oldest first, [B, I].
        length: L.
        generator: where given, a longer history shows any L of its items that follow each other, equally likely.
    """
    whole = rows.offsets.diff()
    lengths = whole.clamp(max=length)
    skipped = whole - lengths
    if generator is not None:
        device = skipped.device
        share = by_row(
            (len(rows),), generator, lambda shape: torch.rand(shape, dtype=torch.float64, generator=generator, device=device)
        )
        skipped = (share * (skipped + 1)).long()
    place = torch.arange(length, device=skipped.device)
    filled = place < lengths[:, None]
    entry = torch.where(filled, (rows.offsets[:-1] + skipped)[:, None] + place, 0)
    columns, values = (part if len(part) else part.new_zeros(1) for part in (rows.columns, rows.values))
    return Window(torch.where(filled, columns[entry], 0), torch.where(filled, values[entry], 0.0), lengths)


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
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # a place sees itself and what came before
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


def drop(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Dropout [.., D]: each number is zeroed with probability p, the others grow by 1 / (1 - p); nothing without a generator."""
    if generator is None or p == 0:
        return x
    return x * keep_rows(x.reshape(-1, x.shape[-1]), p, generator).view_as(x) / (1 - p)


class SASRecNet(nn.Module):
    """The network; its forward is the training loss."""

    def __init__(self, n_items: int, config: SASRecConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.likelihood = config, Multinomial()
        width = config.width
        self.items, self.places = (nn.Parameter(torch.empty(n, width)) for n in (n_items, config.length))
        self.own = nn.Parameter(torch.empty(n_items, width)) if config.output == "own" else None
        with torch.no_grad():
            for table in (self.items, self.places, *([self.own] if self.own is not None else [])):
                table.normal_(0, 0.02, generator=generator)
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.blocks = nn.ModuleList(_Block(width, config.heads, config.dropout, generator) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)

    @property
    def scored_by(self) -> Tensor:
        """The items' vectors that answers are compared with, [I, D]."""
        return self.items if self.own is None else self.own

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """What is known after each place, [B, L, D]."""
        read = self.items[window.items] * math.sqrt(self.config.width) * window.weights[..., None]
        x = drop(read + self.places[: window.items.shape[1]], self.config.dropout, generator)
        for block in self.blocks:
            x = block(x, generator)
        return self.norm(x)

    def last_states(self, history: Rows) -> Tensor:
        """What is known after a whole history, [B, D]; zeros of an empty one."""
        window = windows(history, self.config.length)
        newest = (window.lengths - 1).clamp(min=0)
        return self.states(window)[torch.arange(len(newest), device=newest.device), newest] * (window.lengths > 0)[:, None]

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """For each user the sum over places of the next items' negative log-likelihood, over the mean number of places, [B]."""
        window = windows(pair.source, self.config.length + 1, generator)
        places, target = window.following(self.config.horizon, self.config.target, pair.source.width)
        states = self.states(window.before_last(), generator)[places[:, :-1]]
        loss = self.likelihood(states @ self.scored_by.T + self.bias, target)
        user = places.nonzero()[:, 0]
        return torch.zeros(len(places), device=loss.device).index_add(0, user, loss) * (len(places) / max(len(user), 1))


class SASRec(TorchRecommender):
    """Kang and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018, with the full softmax in place of sampled negatives.

    The newest L items of a history are read in their order; blocks of causal self-attention and a feed-forward network give a
    state h_p after each place p, and items are scored by h . v_i + b_i at the last. Every place learns from the items that
    follow it, -sum_k w_k log softmax(h_p . v + b)_{i_{p+k}} for k = 1..horizon; a horizon of 1 is the usual next-item loss. A
    weighting scales the item vectors that are read.
    """

    Config = SASRecConfig
    item_vectors = True

    module: SASRecNet  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def order_aware(self) -> bool:
        """Always."""
        return True

    def build(self, n_items: int, generator: torch.Generator) -> SASRecNet:
        """See `TorchRecommender`."""
        config: SASRecConfig = self.config
        if config.width % config.heads:
            raise ConfigError(f"width={config.width} cannot be shared by heads={config.heads}; give a width that is a multiple")
        return SASRecNet(n_items, config, generator)

    def pairs(self) -> Pairs:
        """Whole histories, in their order."""
        return InOrder()

    @torch.no_grad()
    def score(self, batch: Batch) -> Tensor:
        """h . v_i + b_i after the whole history, [B, I]."""
        return self.user_vectors(batch) @ self.module.scored_by.T + self.module.bias

    def vectors(self) -> ItemVectors:
        """v and b."""
        return ItemVectors(self.module.scored_by.detach(), self.module.bias.detach())

    @torch.no_grad()
    def user_vectors(self, batch: Batch) -> Tensor:
        """h after the whole history, [B, D]."""
        return self.module.last_states(batch.history)
