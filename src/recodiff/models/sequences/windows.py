"""Windows: places of histories that follow each other, side by side for a network that reads them in their order.

A place is one interaction, or one event of several (all that a user does at one time), which is read as a set: as the mean of
its items.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width, `N` places of the batch that have a next one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from recodiff.data.weighting import Age, AnyWeighting
from recodiff.tensors.random import by_row
from recodiff.tensors.rows import Rows


@dataclass(frozen=True)
class Window(ABC):
    """Places of some histories that follow each other, from the left; those beyond a history are empty.

    Args:
        lengths: places that are filled, int64 [B].
        size: L.
    """

    lengths: Tensor
    size: int

    @abstractmethod
    def read(self, table: Tensor, scale: float) -> Tensor:
        """Rows of a table of items for each place, times `scale` and its weight, [B, L, D]; zeros of an empty one.

        Args:
            table: [I, D].
        """

    @abstractmethod
    def before_last(self) -> Window:
        """The same without the last place."""

    @abstractmethod
    def with_empty_place(self) -> Window:
        """The same with one more place behind the newest, at which nothing stands."""

    @abstractmethod
    def at(self, places: Tensor, width: int) -> Rows:
        """The content of some filled places, 1 in all for each.

        Args:
            places: which, boolean [B, L].
            width: I.

        Returns:
            [N, I].
        """

    @abstractmethod
    def following(self, horizon: int, weighting: AnyWeighting, width: int) -> tuple[Tensor, Rows]:
        """The items that follow each place that has a next one.

        Args:
            horizon: how many places at most.
            weighting: of them, by distance; the items of an event share its weight.
            width: I.

        Returns:
            Which places, boolean [B, L], and their rows [N, I].
        """

    @abstractmethod
    def known(self, places: Tensor, width: int) -> Rows:
        """The items that stand in the window up to each of some places, that place included.

        Args:
            places: which, boolean [B, L].
            width: I.

        Returns:
            [N, I].
        """

    def has_next(self) -> Tensor:
        """Mark the places that have a next one, boolean [B, L]."""
        return torch.arange(self.size, device=self.lengths.device) + 1 < self.lengths[:, None]

    def ahead(self, places: Tensor, horizon: int) -> tuple[Tensor, Tensor, Tensor]:
        """The places that follow each of some places [B, L].

        Args:
            places: boolean [B, L].
            horizon: how many places ahead, 1 or more.

        Returns:
            One number a pair of them, int64: which of those places it follows (0..N-1), its distance from 0 on, and where it
            stands, as user * L + place.
        """
        row, place = places.nonzero(as_tuple=True)
        next_ones = place[:, None] + 1 + torch.arange(horizon, device=row.device)
        which, step = (next_ones < self.lengths[row, None]).nonzero(as_tuple=True)
        return which, step, row[which] * self.size + next_ones[which, step]


@dataclass(frozen=True)
class ItemWindow(Window):
    """A window whose places are single interactions.

    Args:
        items: int64 [B, L], 0 where a place is empty.
        weights: [B, L], 0 where a place is empty.
    """

    items: Tensor
    weights: Tensor

    def read(self, table: Tensor, scale: float) -> Tensor:
        """See `Window`."""
        return table[self.items] * scale * self.weights[..., None]

    def before_last(self) -> ItemWindow:
        """See `Window`."""
        size = self.size - 1
        return ItemWindow(self.lengths.clamp(max=size), size, self.items[:, :-1], self.weights[:, :-1])

    def with_empty_place(self) -> ItemWindow:
        """See `Window`."""
        items, weights = (torch.cat([part, part.new_zeros(len(part), 1)], 1) for part in (self.items, self.weights))
        return ItemWindow(self.lengths + 1, self.size + 1, items, weights)

    def at(self, places: Tensor, width: int) -> Rows:
        """See `Window`."""
        items = self.items[places]
        return Rows(
            torch.arange(len(items) + 1, device=items.device), items, torch.ones_like(items, dtype=self.weights.dtype), width
        )

    def following(self, horizon: int, weighting: AnyWeighting, width: int) -> tuple[Tensor, Rows]:
        """See `Window`."""
        places = self.has_next()
        which, step, at = self.ahead(places, horizon)
        count = torch.bincount(which, minlength=int(places.sum()))
        values = weighting.factors(Age(step, count[which])).to(self.weights.dtype)
        offsets = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return places, Rows(offsets, self.items.flatten()[at], values, width)

    def known(self, places: Tensor, width: int) -> Rows:
        """See `Window`."""
        row, place = places.nonzero(as_tuple=True)
        up_to = torch.arange(self.size, device=row.device) <= place[:, None]
        which, step = up_to.nonzero(as_tuple=True)
        offsets = torch.cat([place.new_zeros(1), (place + 1).cumsum(0)])
        return Rows(offsets, self.items[row[which], step], self.weights.new_ones(len(which)), width)


@dataclass(frozen=True)
class EventWindow(Window):
    """A window whose places are events; a place that follows another foresees whole events.

    Args:
        events: the weighted items of each place, user by user, [B * L, I].
    """

    events: Rows

    def read(self, table: Tensor, scale: float) -> Tensor:
        """See `Window`: the mean of an event's items."""
        counts = self.events.offsets.diff().clamp(min=1)
        return (self.events.matmul(table) * (scale / counts[:, None])).view(-1, self.size, table.shape[1])

    def before_last(self) -> EventWindow:
        """See `Window`."""
        kept = torch.arange(len(self.events), device=self.lengths.device).view(-1, self.size)[:, :-1].flatten()
        return EventWindow(self.lengths.clamp(max=self.size - 1), self.size - 1, self.events.take(kept))

    def with_empty_place(self) -> EventWindow:
        """See `Window`."""
        ends = self.events.offsets[1:].view(-1, self.size)[:, -1:]
        begins = torch.cat([self.events.offsets[:-1].view(-1, self.size), ends], 1).flatten()
        offsets = torch.cat([begins, self.events.offsets[-1:]])
        events = Rows(offsets, self.events.columns, self.events.values, self.events.width)
        return EventWindow(self.lengths + 1, self.size + 1, events)

    def at(self, places: Tensor, width: int) -> Rows:
        """See `Window`."""
        found = self.events.take(places.flatten().nonzero()[:, 0])
        sizes = found.offsets.diff()[found.row_of()]
        return Rows(found.offsets, found.columns, 1 / sizes.to(found.values.dtype), width)

    def following(self, horizon: int, weighting: AnyWeighting, width: int) -> tuple[Tensor, Rows]:
        """See `Window`: each event weighs what a single interaction in its place would."""
        places = self.has_next()
        which, step, at = self.ahead(places, horizon)
        count = torch.bincount(which, minlength=int(places.sum()))
        found = self.events.take(at)
        event = found.row_of()
        values = weighting.factors(Age(step, count[which])).to(found.values.dtype) / found.offsets.diff()
        last = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return places, Rows(found.offsets[last], found.columns, values[event], width)

    def known(self, places: Tensor, width: int) -> Rows:
        """See `Window`."""
        row, place = places.nonzero(as_tuple=True)
        first = self.events.offsets[row * self.size]
        count = self.events.offsets[row * self.size + place + 1] - first
        offsets = torch.cat([count.new_zeros(1), count.cumsum(0)])
        entries = torch.repeat_interleave(first - offsets[:-1], count) + torch.arange(int(offsets[-1]), device=count.device)
        return Rows(offsets, self.events.columns[entries], torch.ones_like(self.events.values[entries]), width)


def windows(rows: Rows, length: int, generator: torch.Generator | None = None) -> Window:
    """The newest L places of histories.

    Args:
        rows: oldest first, [B, I].
        length: L.
        generator: where given, a longer history shows any L of its places that follow each other, equally likely.
    """
    whole = rows.offsets.diff() if rows.places is None else _places(rows, rows.places)
    lengths = whole.clamp(max=length)
    skipped = whole - lengths
    if generator is not None:
        device = skipped.device
        share = by_row(
            (len(rows),), generator, lambda shape: torch.rand(shape, dtype=torch.float64, generator=generator, device=device)
        )
        skipped = (share * (skipped + 1)).long()
    if rows.places is not None:
        row = rows.row_of()
        place = rows.places - skipped[row]
        shown = (place >= 0) & (place < length)
        count = torch.bincount((row * length + place)[shown], minlength=len(rows) * length)
        offsets = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return EventWindow(lengths, length, Rows(offsets, rows.columns[shown], rows.values[shown], rows.width))
    place = torch.arange(length, device=skipped.device)
    filled = place < lengths[:, None]
    entry = torch.where(filled, (rows.offsets[:-1] + skipped)[:, None] + place, 0)
    columns, values = (part if len(part) else part.new_zeros(1) for part in (rows.columns, rows.values))
    return ItemWindow(lengths, length, torch.where(filled, columns[entry], 0), torch.where(filled, values[entry], 0.0))


def _places(rows: Rows, places: Tensor) -> Tensor:
    """How many places each row has, int64 [B]."""
    counts = torch.zeros_like(rows.offsets[1:])
    filled = rows.offsets.diff() > 0
    counts[filled] = places[rows.offsets[1:][filled] - 1] + 1
    return counts
