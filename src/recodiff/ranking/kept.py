"""What is found once of item vectors and serves while they stay as they are: their greatest norm, and copies of fewer bits.

Shapes: `B` users, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from recodiff.models.batch import ItemVectors
from recodiff.ranking import sixteen_bits
from recodiff.ranking.sixteen_bits import Narrow

ROUNDOFF, MARGIN = 2.0**-24, 1.02
"""Of float32; for the rounding of the bounds themselves."""
LEAST_TERM = 2.0**-125
"""What may be lost of a product or sum that is too small for float32."""
LISTS_TO_PAY = 32
"""Lists from which a copy pays: to make it reads the vectors a few times."""
MOST_LOOKED_AT = 1 / 50
"""Share of the catalogue that may be looked at again, on average of the lists; beyond it products of float32 cost less."""
LEAST_SPARE, MOST_SPARE, OFTEN = 8, 64, 1 / 16
"""Candidate groups beyond K for which there is room; users who may be sent back, of all, before it is doubled."""
ROWS_AT_ONCE = 4096


def greatest_norm(vectors: Tensor) -> float:
    """The greatest |v|.

    Args:
        vectors: [I, H].
    """
    norm = float(torch.linalg.vector_norm(vectors, dim=1).amax())
    if sixteen_bits.LEAST <= norm <= sixteen_bits.MOST:
        return norm  # else squares may have left float32
    return max(float(torch.linalg.vector_norm(part.double(), dim=1).amax()) for part in vectors.split(ROWS_AT_ONCE))


class Kept:
    """What is kept of a model's item vectors.

    Args:
        vectors: [I, H] and bias [I], float32 on the CPU; they are held, so that no others come to lie where they are.
    """

    def __init__(self, vectors: ItemVectors) -> None:
        self.vectors, self.bias = vectors.vectors.contiguous(), vectors.bias
        self.asked = 0
        """Lists so far."""
        self.copied = False
        """Whether a copy was made, or found to be of no use."""
        self.copy: Narrow | None = None
        self.spare = LEAST_SPARE
        """Candidate groups beyond K that are scored at first."""
        self._made = self._looked_at = 0

    @cached_property
    def norm(self) -> float:
        """Of `greatest_norm`: to find it reads all vectors, as a single user's products do."""
        return greatest_norm(self.vectors)

    @cached_property
    def offset(self) -> float:
        """The greatest |b|."""
        return float(self.bias.abs().amax())

    def prepare(self, lists: int) -> None:
        """Make the copy of 16 bits, where so many lists are asked for that it pays.

        Args:
            lists: that are to be made.
        """
        self.asked += lists
        if not self.copied and self.asked >= LISTS_TO_PAY:
            self.copied = True
            self.copy = sixteen_bits.copied(self.vectors, self.bias) if sixteen_bits.pays() else None

    def note(self, lists: int, sent_back: int, items: int) -> None:
        """Learn how much must be looked at again: leave more room, or give the copy up where products of float32 cost less.

        Args:
            lists: that were made.
            sent_back: users for whom there was not room enough.
            items: that were looked at again for them.
        """
        if sent_back > OFTEN * lists:
            self.spare = min(2 * self.spare, MOST_SPARE)
        self._made, self._looked_at = self._made + lists, self._looked_at + items
        if self._looked_at > MOST_LOOKED_AT * max(self._made, LISTS_TO_PAY) * len(self.vectors):
            self.copy = None

    def margins(self, users: Tensor) -> Tensor:
        """The most that a fast product of float32 may lie from the one of fixed order, [B, 1]; 0 where numbers leave float32.

        Args:
            users: [B, H].
        """
        terms = self.vectors.shape[1] + 1
        unit = MARGIN * ROUNDOFF * 2 * (terms + 2)
        sizes = torch.linalg.vector_norm(users, dim=1, keepdim=True, dtype=torch.float64) * self.norm + self.offset
        margins = torch.where(sizes > 0, unit * sizes + terms * LEAST_TERM, 0.0)
        return margins.float().nan_to_num_(0.0, posinf=0.0)
