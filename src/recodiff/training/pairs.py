"""Pairs: what is learned from what.

Shapes: `B` users in a batch, `I` items, `nnz` entries of their rows, `N` negatives drawn for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from recodiff.config import BaseConfig
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import SECONDS_PER_DAY, Age, AnyWeighting, HalfLife, Weighting
from recodiff.errors import DataError
from recodiff.tensors.rows import Rows


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

    def part(self, start: int, stop: int) -> Pair:
        """The pair of the users from `start` to `stop`."""
        parts = [None if rows is None else rows.part(start, stop) for rows in (self.source, self.target, self.seen)]
        source, target, seen = parts
        assert source is not None
        users = None if self.users is None else self.users[start:stop]
        negatives = None if self.negatives is None else self.negatives[source.before : source.before + len(source.columns)]
        return Pair(source, target, seen, users, negatives)


class Draw(Protocol):
    """Makes the pair of some users: positions int64 [B] and a generator -> Pair."""

    def __call__(self, users: Tensor, generator: torch.Generator) -> Pair:
        """The pair."""
        ...


class Pairs(Protocol):
    """A kind of pair; `bind` does once what does not depend on the draw."""

    least: ClassVar[int]
    """Interactions a user needs to be learned from."""

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """The draw over one set of interactions."""
        ...


class Reconstruct(BaseConfig):
    """The paper's pair: a user's weighted row is made from itself."""

    kind: Literal["reconstruct"] = "reconstruct"
    least: ClassVar[int] = 1

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`."""
        rows = Rows.from_csr(weighting.for_fit(train).matrix).to(device)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            return Pair(rows.take(users))

        return draw


class InOrder(Reconstruct):
    """A user's whole history in its order, for models that make their own targets from it."""

    least: ClassVar[int] = 2

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: the data has no time.
        """
        train.need_order("a sequence model")
        return super().bind(train, weighting, device)


class Forecast(BaseConfig):
    """What comes later is made from what came before: training as the model is used.

    A user's n interactions are cut at c ~ U{1..n-1}, anew in each epoch. The source is the first c, weighted by their age
    before the cut as `recommend` weights a whole history (wherever the weighting is placed: a prefix *is* a history). The
    target is the rest, weighted by distance after the cut. The source is `seen`, left out of the loss. Interactions of
    equal time stand in the order of the log, and a cut may fall between them.
    """

    kind: Literal["forecast"] = "forecast"
    target: AnyWeighting = HalfLife(half_life=10.0, floor=0.0)
    """How much what comes later counts; age 0 is the first after the cut."""
    reach: float | None = Field(default=None, gt=0)
    """How far after the cut counts at all, as a share of what came before it, rounded up; as far as it goes unless given. What
    comes later is not wanted by the loss, as if it were never met."""
    least: ClassVar[int] = 2

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: the data has no time, or not the kind that a weighting needs.
        """
        train.need_order("forecasting")
        weighting.check(train)
        self.target.check(train)
        rows = Rows.from_csr(train.matrix).to(device)
        days = None
        if train.time_kind == "clock" and train.times is not None:
            days = torch.from_numpy(train.times / SECONDS_PER_DAY).to(device)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            entries, offsets = rows.entries_of(users)
            length = offsets.diff()
            share = torch.rand(len(users), dtype=torch.float64, generator=generator, device=device)  # below 1, product included
            cut = 1 + (share * (length - 1)).long()
            end = length if self.reach is None else cut + (self.reach * cut).ceil().long()
            return _cut(rows, entries, offsets, (cut, end), days, (weighting, self.target))

        return draw


def _cut(
    rows: Rows,
    entries: Tensor,
    offsets: Tensor,
    bounds: tuple[Tensor, Tensor],
    days: Tensor | None,
    weightings: tuple[Weighting, Weighting],
) -> Pair:
    """Histories cut after their first `cut` [B] interactions, and what follows up to an `end` [B].

    Args:
        rows: everybody's histories.
        entries: the entries of the batch's users in `rows`, int64 [nnz].
        offsets: where each user's begin among them, int64 [B + 1].
        bounds: cut, 1..length - 1, and end, above it.
        days: time of every entry of `rows`.
        weightings: of what comes before, and of what comes after.
    """
    cut, end = bounds
    users = torch.repeat_interleave(torch.arange(len(cut), device=cut.device), offsets.diff(), output_size=len(entries))
    place = torch.arange(len(entries), device=cut.device) - offsets[users]
    after = place - cut[users]  # 0 is the first after the cut
    newest = entries[offsets[:-1] + cut - 1]
    parts: list[Rows] = []
    for weighting, chosen in zip(weightings, (after < 0, (after >= 0) & (place < end[users])), strict=True):
        own, user = entries[chosen], users[chosen]
        length = torch.zeros_like(cut).index_add_(0, user, torch.ones_like(user))
        apart = None if days is None else (days[own] - days[newest[user]]).abs()
        items = torch.where(after >= 0, after, -1 - after)[chosen]
        factors: Any = weighting.factors(Age(items, length[user], apart))
        begins = torch.cat([length.new_zeros(1), length.cumsum(0)])
        parts.append(Rows(begins, rows.columns[own], rows.values[own] * factors.to(rows.values.dtype), rows.width))
    source, target = parts
    return Pair(source, target, seen=source)


AnyPairs = Annotated[Reconstruct | Forecast, Field(discriminator="kind")]


class Contrast:
    """A user's row beside items drawn uniformly, with replacement, from those the user has not met.

    Args:
        negatives: N, items drawn for each entry of the row.
    """

    least: ClassVar[int] = 1

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
        rows = Rows.from_csr(weighting.for_fit(train).matrix).to(device)
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
