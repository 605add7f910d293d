"""Blocks of attention and feed-forward network over the filled places of windows.

Shapes: `B` users in a batch, `L` places of the window, `D` width, `n` places of the batch that are filled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.models.sequences.windows import Window
from recodiff.tensors.losses import unrounded
from recodiff.tensors.random import by_row, keep_mask

BlockName = Literal["transformer", "gated"]


@dataclass(frozen=True)
class Filled:
    """The filled places of windows: layers that look at one place alone work on these.

    Args:
        at: as user * L + place, int64 [n].
        users: B.
        size: L.
        longest: the places of the longest window.
    """

    at: Tensor
    users: int
    size: int
    longest: int

    @staticmethod
    def of(window: Window) -> Filled:
        """Those of a window.

        Args:
            window: the newest L items of B users.
        """
        place = torch.arange(window.size, device=window.lengths.device)
        at = (place < window.lengths[:, None]).flatten().nonzero()[:, 0]
        return Filled(at, len(window.lengths), window.size, max(int(window.lengths.max()), 1) if len(window.lengths) else 1)

    def pack(self, x: Tensor) -> Tensor:
        """The filled places alone, [n, D].

        Args:
            x: [B, L, D].
        """
        return x.flatten(0, 1)[self.at]

    def unpack(self, x: Tensor) -> Tensor:
        """All places, [B, L, D], zeros where a place is empty.

        Args:
            x: of the filled places, [n, D].
        """
        return x.new_zeros(self.users * self.size, x.shape[1]).index_copy(0, self.at, x).view(self.users, self.size, -1)

    def drop(self, x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
        """Dropout of the filled places [n, D], drawn for all of them and the empty ones; nothing without a generator.

        Args:
            x: of the filled places, [n, D].
            p: in [0, 1).
            generator: of the draws; nothing is dropped without it.
        """
        if generator is None or p == 0:
            return x
        shape = (self.users * self.size, x.shape[1])
        keep = by_row(shape, generator, lambda shape: keep_mask((shape[0], shape[1]), p, x, generator))
        return x * keep[self.at].view(torch.int8) * (1 / (1 - p))


class Block(nn.Module):
    """Attention, then a feed-forward network; each is normalised first and added to what came in.

    Args:
        width: D.
        heads: of the attention; they share the width.
        widening: width of the feed-forward network, in multiples of D.
        dropout: share of each layer's answer that is zeroed in training.
        generator: of the initial weights.
        causal: whether a place sees nothing of what comes after it.
    """

    def __init__(
        self, width: int, heads: int, widening: int, dropout: float, generator: torch.Generator, *, causal: bool = True
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.causal = heads, dropout, causal
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        wide = widening * width
        self.project, self.merge, self.wide, self.narrow = (
            linear(a, b, generator) for a, b in ((width, 3 * width), (width, width), (width, wide), (wide, width))
        )

    def forward(self, x: Tensor, places: Filled, generator: torch.Generator | None) -> Tensor:
        """The block's output, [n, D]."""
        x = x + places.drop(self.attended(self.norms[0](x), places), self.dropout, generator)
        return x + places.drop(self.widened(self.norms[1](x)), self.dropout, generator)

    def attended(self, x: Tensor, places: Filled) -> Tensor:
        """The attention of places to each other, [n, D].

        Args:
            x: [n, D].
            places: where they stand.
        """
        q, k, v = (self._split(part, places) for part in self.project(x).chunk(3, -1))
        seen = attend(q, k, v, _may_see(places, q, causal=self.causal))
        size = places.longest
        at = places.at // places.size * size + places.at % places.size
        return self.merge(seen.transpose(1, 2).reshape(places.users * size, -1)[at])

    def widened(self, x: Tensor) -> Tensor:
        """The feed-forward network, [n, D].

        Args:
            x: [n, D].
        """
        return self.narrow(F.gelu(self.wide(x)))

    def _split(self, x: Tensor, places: Filled) -> Tensor:
        """[n, D] -> [B, heads, longest, D / heads]; places beyond the longest window would be empty in all."""
        size = places.longest
        at = places.at // places.size * size + places.at % places.size
        padded = x.new_zeros(places.users * size, x.shape[1]).index_copy(0, at, x)
        return padded.view(places.users, size, self.heads, -1).transpose(1, 2)


class GatedBlock(Block):
    """The LiGR layer (Borisyuk et al., arXiv 2502.03417): x + F(norm x) * sigmoid(W x), F attention, then a SwiGLU network.

    Arguments are those of `Block`.
    """

    def __init__(
        self, width: int, heads: int, widening: int, dropout: float, generator: torch.Generator, *, causal: bool = True
    ) -> None:
        super().__init__(width, heads, widening, dropout, generator, causal=causal)
        self.gates = nn.ModuleList(linear(width, width, generator) for _ in range(2))
        self.switch = linear(width, widening * width, generator)

    def forward(self, x: Tensor, places: Filled, generator: torch.Generator | None) -> Tensor:
        """The block's output, [n, D]."""
        x = x + places.drop(self.attended(self.norms[0](x), places) * self.gates[0](x).sigmoid(), self.dropout, generator)
        return x + places.drop(self.widened(self.norms[1](x)) * self.gates[1](x).sigmoid(), self.dropout, generator)

    def widened(self, x: Tensor) -> Tensor:
        """See `Block`: silu(S x) * (U x), narrowed (Shazeer, arXiv 2002.05202)."""
        return self.narrow(F.silu(self.switch(x)) * self.wide(x))


BLOCKS: dict[BlockName, type[Block]] = {"transformer": Block, "gated": GatedBlock}


def linear(fan_in: int, fan_out: int, generator: torch.Generator) -> nn.Linear:
    """A layer with normal weights of variance 2 / (fan_in + fan_out).

    Args:
        fan_in: width of the input.
        fan_out: width of the output.
        generator: of the initial weights.
    """
    layer = nn.Linear(fan_in, fan_out)
    with torch.no_grad():
        layer.weight.normal_(0, math.sqrt(2 / (fan_in + fan_out)), generator=generator)
        layer.bias.zero_()
    return layer


def attend(q: Tensor, k: Tensor, v: Tensor, may_see: Tensor | None) -> Tensor:
    """Attention [B, heads, L, D / heads]; on a CPU bfloat16 is four times as slow here.

    Args:
        q: what each place asks for.
        k: what each place answers to.
        v: what each place tells.
        may_see: who sees whom, boolean [B, 1, L, L]; None where each sees itself and what came before.
    """
    on_cpu = q.device.type == "cpu"
    with torch.autocast(q.device.type, enabled=torch.is_autocast_enabled(q.device.type) and not on_cpu):
        q, k, v = (unrounded(x) if on_cpu else x for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=may_see, is_causal=may_see is None)


def _may_see(places: Filled, like: Tensor, *, causal: bool) -> Tensor | None:
    """Where a place sees both ways: the filled ones of its user, and at least itself."""
    if causal:
        return None
    size = places.longest
    there = torch.zeros(places.users * size, dtype=torch.bool, device=like.device)
    there[places.at // places.size * size + places.at % places.size] = True
    own = torch.eye(size, dtype=torch.bool, device=like.device)
    return there.view(places.users, 1, 1, size) | own
