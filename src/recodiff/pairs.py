"""Pairs: what is learned from what.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.diffusion.rows import Rows
from recodiff.weighting import Weighting


@dataclass(frozen=True)
class Pair:
    """One batch to learn from.

    Args:
        source: what the model is given, [B, I].
        target: what it should answer, [B, I]; None means the source itself.
        seen: entries left out of the loss; None means none.
    """

    source: Rows
    target: Rows | None = None
    seen: Rows | None = None


class Draw(Protocol):
    """Makes the pair of some users: positions int64 [B] and a generator -> Pair."""

    def __call__(self, users: Tensor, generator: torch.Generator) -> Pair:
        """The pair."""
        ...


class Pairs(Protocol):
    """A kind of pair; `bind` does once what does not depend on the draw."""

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """The draw over one set of interactions."""
        ...


class Reconstruct:
    """The paper's pair: a user's weighted row is made from itself."""

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`."""
        rows = rows_of(weighting.for_fit(train)).to(device)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            return Pair(rows.take(users))

        return draw


def rows_of(x: Interactions) -> Rows:
    """Interactions as tensors on the CPU, entries in their order."""
    matrix = x.matrix
    offsets, columns = (torch.from_numpy(part.astype("int64")) for part in (matrix.indptr, matrix.indices))
    return Rows(offsets, columns, torch.tensor(matrix.data), x.n_items)
