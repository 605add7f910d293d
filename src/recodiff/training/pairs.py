"""Pairs: what is learned from what.

Shapes: `B` users in a batch, `I` items, `nnz` entries of their rows, `N` negatives drawn for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from recodiff.config import Added, BaseConfig
from recodiff.data.interactions import Interactions
from recodiff.data.weighting import SECONDS_PER_DAY, Age, AnyWeighting, HalfLife, Weighting
from recodiff.errors import DataError, ModelError
from recodiff.moved import old_names
from recodiff.tensors.rows import Rows


@dataclass(frozen=True)
class Pair:
    """One batch to learn from.

    Args:
        source: what the model is given, [B, I].
        target: what it should answer, [B, I]; None means the source itself.
        seen: entries left out of the loss; None means none.
        users: whose rows they are, positions in the training data, int64 [B].
        negatives: beside each entry of the source, items that its user has not interacted with, int64 [nnz, N].
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
        """The pair of some users.

        Args:
            users: positions, int64 [B].
            generator: of the draws.
        """
        ...


class Pairs(Protocol):
    """A kind of pair; `bind` does once what does not depend on the draw."""

    min_events: ClassVar[int]
    """Events a user needs to be learned from: interactions, where each is an event of its own."""

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """The draw over one set of interactions.

        Args:
            train: what is learned from, unweighted.
            weighting: of the model.
            device: of the pairs.
        """
        ...


def users_to_learn_from(train: Interactions, pairs: Pairs) -> NDArray[np.int64]:
    """Positions of the users who have enough events, [n].

    Args:
        train: what is learned from.
        pairs: of the model.

    Raises:
        ModelError: no user has.
    """
    users = np.flatnonzero(train.event_counts() >= pairs.min_events)
    if not len(users):
        what = "events (all that a user does at one time)" if train.shares_times() else "interactions"
        raise ModelError(f"no user has the {pairs.min_events} {what} that this model learns from; check filters and split")
    return users


class Reconstruct(BaseConfig):
    """The paper's pair: a user's weighted row is made from itself."""

    kind: Literal["reconstruct"] = "reconstruct"
    min_events: ClassVar[int] = 1
    needs_order: ClassVar[bool] = False
    """Whether the settings of a model with these pairs need data with time."""

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`."""
        rows = self.rows(train, weighting).to(device)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            return Pair(rows.take(users))

        return draw

    def rows(self, train: Interactions, weighting: Weighting) -> Rows:
        """The rows that a draw takes from, [n_users, I].

        Args:
            train: what is learned from, unweighted.
            weighting: of the model.
        """
        return Rows.from_csr(weighting.for_fit(train).matrix)


class InOrder(Reconstruct):
    """A user's whole history in its order, for models that make their own targets from it; a `whole` event has one place."""

    min_events: ClassVar[int] = 2

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: the data has no time.
        """
        train.need_order("a sequence model")
        return super().bind(train, weighting, device)

    def rows(self, train: Interactions, weighting: Weighting) -> Rows:
        """See `Reconstruct`."""
        return Rows.from_csr(weighting.for_fit(train).matrix, places=train.shared_places())


class Forecast(BaseConfig):
    """Pairs of what came before and what comes later: training as the model is used.

    A user's n events are cut at c ~ U{1..n-1}, anew in each epoch. The source is the first c, weighted by their age before the
    cut as `recommend` weights a whole history (wherever the weighting is placed: a prefix *is* a history). The target is the
    rest, weighted by distance after the cut. The source is `seen`, left out of the loss. An event is all that the user does at
    one time; where events are `split`, it is one interaction, and those of equal time stand in the order of the log.
    """

    kind: Literal["forecast"] = "forecast"
    target: AnyWeighting = HalfLife(half_life=10.0, floor=0.0)
    """How much what comes later counts; age 0 is the first after the cut."""
    reach: Annotated[float | None, Added()] = Field(default=None, gt=0)
    """How far after the cut counts at all, as a share of what came before it, rounded up; as far as it goes unless given. What
    comes later is not wanted by the loss, as if the user never interacted with it."""
    min_events: ClassVar[int] = 2
    needs_order: ClassVar[bool] = True

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: the data has no time, or not the kind that a weighting needs.
        """
        train.need_order("forecasting")
        weighting.check(train)
        self.target.check(train)
        histories = _Histories(train, device)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            events = histories.events[users]
            share = torch.rand(len(users), dtype=torch.float64, generator=generator, device=device)  # below 1, product included
            cut = 1 + (share * (events - 1)).long()
            end = events if self.reach is None else torch.minimum(events, cut + (self.reach * cut).ceil().long())
            return histories.cut(users, cut, end, (weighting, self.target))

        return draw


class _Histories:
    """Histories that can be cut between their events.

    Args:
        x: the histories.
        device: where they stand.
    """

    def __init__(self, x: Interactions, device: torch.device) -> None:
        self.rows = Rows.from_csr(x.matrix, places=x.shared_places()).to(device)
        counts = x.event_counts()
        self.events = torch.from_numpy(counts).to(device)
        """How many each user has, int64 [n_users]."""
        self.days: Tensor | None = None
        if x.time_kind == "clock" and x.times is not None:
            self.days = torch.from_numpy(x.times / SECONDS_PER_DAY).to(device)
        self.begins: tuple[Tensor, Tensor] | None = None
        if x.shares_times():
            first = np.flatnonzero(x.event_begins())
            before = np.insert(first - x.matrix.indptr[x.rows()[first]], np.cumsum(counts), x.lengths())
            table = np.concatenate([[0], np.cumsum(counts + 1)])
            self.begins = torch.from_numpy(before.astype(np.int64)).to(device), torch.from_numpy(table).to(device)

    def before(self, users: Tensor, events: Tensor) -> Tensor:
        """How many interactions of `users` [B] stand before the event of a number [B]; all before the number of their events."""
        if self.begins is None:
            return events
        counts, tables = self.begins
        return counts[tables[users] + events]

    def cut(self, users: Tensor, cut: Tensor, end: Tensor, weightings: tuple[Weighting, Weighting]) -> Pair:
        """Histories cut after their first `cut` [B] events, and what follows up to an `end` [B].

        Args:
            users: whose, int64 [B].
            cut: 1..events - 1.
            end: above the cut, up to the number of events.
            weightings: of what comes before, and of what comes after.
        """
        entries, offsets = self.rows.entries_of(users)
        user = torch.repeat_interleave(torch.arange(len(cut), device=cut.device), offsets.diff(), output_size=len(entries))
        nth = torch.arange(len(entries), device=cut.device) - offsets[user]
        first, last = self.before(users, cut), self.before(users, end)
        # Ages are counted in what models read as one: interactions, or whole events.
        shared = self.rows.places
        after, bounds = (nth - first[user], (first, last)) if shared is None else (shared[entries] - cut[user], (cut, end))
        newest, lengths = entries[offsets[:-1] + first - 1], (bounds[0], bounds[1] - bounds[0])
        parts: list[Rows] = []
        for weighting, length, chosen in zip(
            weightings, lengths, (nth < first[user], (nth >= first[user]) & (nth < last[user])), strict=True
        ):
            own, whose = entries[chosen], user[chosen]
            size = torch.zeros_like(cut).index_add_(0, whose, torch.ones_like(whose))
            days = None if self.days is None else (self.days[own] - self.days[newest[whose]]).abs()
            items = torch.where(after >= 0, after, -1 - after)[chosen]
            factors: Any = weighting.factors(Age(items, length[whose], days))
            begins = torch.cat([size.new_zeros(1), size.cumsum(0)])
            values = self.rows.values[own] * factors.to(self.rows.values.dtype)
            parts.append(Rows(begins, self.rows.columns[own], values, self.rows.width))
        source, target = parts
        return Pair(source, target, seen=source)


AnyPairs = Annotated[Reconstruct | Forecast, Field(discriminator="kind")]


class Contrast:
    """A user's row beside items drawn uniformly, with replacement, from those the user has not seen.

    Args:
        negatives: N, items drawn for each entry of the row.
    """

    min_events: ClassVar[int] = 1

    def __init__(self, negatives: int) -> None:
        self.negatives = negatives

    def bind(self, train: Interactions, weighting: Weighting, device: torch.device) -> Draw:
        """See `Pairs`.

        Raises:
            DataError: a user has interacted with every item.
        """
        full = np.flatnonzero(train.lengths() == train.n_items)
        if len(full):
            raise DataError(
                f"user {train.users.ids[int(full[0])]!r} has all {train.n_items} items, so there is none to compare them with; "
                f"leave out the {len(full)} such users"
            )
        rows = Rows.from_csr(weighting.for_fit(train).matrix).to(device)
        unseen = Unseen(rows)

        def draw(users: Tensor, generator: torch.Generator) -> Pair:
            source = rows.take(users)
            whose = users[source.row_of()][:, None].expand(-1, self.negatives)
            chance = torch.rand(whose.shape, dtype=torch.float64, device=device, generator=generator)
            return Pair(source, users=users, negatives=unseen.nth(whose, (chance * unseen.count[whose]).long()))

        return draw


class Unseen:
    """The items that the users of some rows have not seen, counted in catalogue order: any of them is found by bisection.

    Args:
        seen: [B, I].
    """

    def __init__(self, seen: Rows) -> None:
        self.width = seen.width
        self.offsets = seen.offsets[:-1]
        self.count = seen.width - seen.offsets.diff()
        """How many items each user has not seen, int64 [B]."""
        row = seen.row_of()
        rank = torch.arange(len(row), device=row.device) - self.offsets[row]
        # Below the k-th item of a sorted row (k from 0) lie `item - k` unseen ones; a multiple of I separates the rows.
        self.below = seen.flat().sort().values - rank

    def nth(self, users: Tensor, n: Tensor) -> Tensor:
        """The n-th unseen item of each user.

        Args:
            users: rows, int64 of any shape.
            n: 0..`count` - 1, of that shape.
        """
        passed = torch.searchsorted(self.below, users * self.width + n, right=True) - self.offsets[users]
        return n + passed


__getattr__ = old_names(__name__)
