"""Codecs: what turns item rows into the vectors that are diffused, and back.

Shapes: `B` rows in a batch, `I` items, `D` width of the diffused vector. Items stand in catalogue order outside a codec,
whatever order it keeps inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from recodiff.diffusion.rows import Rows


@dataclass(frozen=True)
class Code:
    """An encoded batch.

    Args:
        z: what is diffused, [B, D] dense or sparse.
        kl: KL divergence from the prior, [], or None where the codec has none.
    """

    z: Rows | Tensor
    kl: Tensor | None = None


class Codec(Protocol):
    """Items to latent to items."""

    def encode(self, x: Rows | Tensor) -> Code:
        """[B, I] -> code of [B, D]."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """[B, D] -> scores [B, I]."""
        ...


class IdentityCodec(nn.Module):
    """DiffRec's and T-DiffRec's: the row itself is diffused, D = I."""

    def encode(self, x: Rows | Tensor) -> Code:
        """The rows as they are."""
        return Code(x)

    def decode(self, z: Tensor) -> Tensor:
        """The vector as it is."""
        return z
