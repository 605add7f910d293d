"""Pairs: what is learned from what.

Shapes: `B` users in a batch, `I` items, `nnz` entries of their rows, `N` negatives drawn for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.diffusion.rows import Rows
from recodiff.errors import DataError
from recodiff.weighting import Weighting


@dataclass(frozen=True)
class Pair:
    """One batch to learn from.

    Args:
        source: what the model is given, [B, I].
        target: what it should answer, [B, I]; None means the source itself.
        seen: entries left out of the loss; None means none.
        users: whose rows they are, positions in the training data, int64 [B].
        negatives: beside each entry of the source, items that its user has not met, int64 [nnz, N].
    """

    source: Rows
    target: Rows | None = None
    seen: Rows | None = None
    users: Tensor | None = None
    negatives: Tensor | None = None


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


class Contrast:
    """A user's row beside items drawn uniformly, with replacement, from those the user has not met.

    Args:
        negatives: N, items drawn for each entry of the row.
    """

    def __init__(self, negatives: int) -> None:
        self.negatives = negatives

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: a user has met every item.
        """
        full = np.flatnonzero(train.lengths() == train.n_items)
        if len(full):
            raise DataError(
                f"user {train.users.ids[int(full[0])]!r} has met all {train.n_items} items, so there is none to compare them with; "
                f"leave out the {len(full)} such users"
            )
        rows = rows_of(weighting.for_fit(train)).to(device)
        unmet = Unmet(rows)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            source = rows.take(users)
            whose = users[source.row_of()][:, None].expand(-1, self.negatives)
            chance = torch.rand(whose.shape, dtype=torch.float64, device=device, generator=generator)
            return Pair(source, users=users, negatives=unmet.nth(whose, (chance * unmet.count[whose]).long()))

        return draw


class Unmet:
    """The items that the users of some rows have not met, counted in catalogue order: any of them is found by bisection.

    Args:
        met: [B, I].
    """

    def __init__(self, met: Rows) -> None:
        self.width = met.width
        self.offsets = met.offsets[:-1]
        self.count = met.width - met.offsets.diff()
        """How many items each user has not met, int64 [B]."""
        row = met.row_of()
        rank = torch.arange(len(row), device=row.device) - self.offsets[row]
        # Below the k-th item of a sorted row (k from 0) lie `item - k` unmet ones; rows are told apart by a multiple of I.
        self.below = met.flat().sort().values - rank

    def nth(self, users: Tensor, n: Tensor) -> Tensor:
        """The n-th unmet item of each user.

        Args:
            users: rows, int64 of any shape.
            n: 0..`count` - 1, of that shape.
        """
        passed = torch.searchsorted(self.below, users * self.width + n, right=True) - self.offsets[users]
        return n + passed


def rows_of(x: Interactions) -> Rows:
    """Interactions as tensors on the CPU, entries in their order."""
    matrix = x.matrix
    offsets, columns = (torch.from_numpy(part.astype("int64")) for part in (matrix.indptr, matrix.indices))
    return Rows(offsets, columns, torch.tensor(matrix.data), x.n_items)
