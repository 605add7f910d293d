"""Windows: items of histories that follow each other, side by side for a network that reads them in their order.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `N` places of the batch that have a next item.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recodiff.data.weighting import Age, AnyWeighting
from recodiff.tensors.random import by_row
from recodiff.tensors.rows import Rows


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

    def known(self, places: Tensor, width: int) -> Rows:
        """What stands in the window up to each of some places, that place included.

        Args:
            places: which, boolean [B, L].
            width: I.

        Returns:
            [N, I].
        """
        row, place = places.nonzero(as_tuple=True)
        up_to = torch.arange(self.items.shape[1], device=row.device) <= place[:, None]
        which, step = up_to.nonzero(as_tuple=True)
        offsets = torch.cat([place.new_zeros(1), (place + 1).cumsum(0)])
        return Rows(offsets, self.items[row[which], step], self.weights.new_ones(len(which)), width)


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
