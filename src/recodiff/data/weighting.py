"""Weightings: pure functions `Interactions -> Interactions` that say how much each interaction of a history counts.

A weighting multiplies the weights that are there and leaves the pattern, hence what a user has seen, alone. Its settings
are its fields, so a weighting in a config *is* the weighting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from recodiff.config import BaseConfig
from recodiff.data.interactions import Interactions
from recodiff.errors import DataError

SECONDS_PER_DAY = 86_400
Place = Literal["fit+history", "history"]


@dataclass(frozen=True)
class Age:
    """The age of the interactions of some histories; numpy arrays or torch tensors, one number an interaction.

    Args:
        items: how many of the history came after it, 0 for the newest; those of one `whole` event count as one.
        length: how many the history has in all, counted alike.
        days: time before the history's newest; None where there is no clock time.
    """

    items: Any
    length: Any
    days: Any = None


def ages(x: Interactions) -> Age:
    """Ages of every entry of `x` [nnz]; equal for all entries of a `whole` event."""
    rows = x.rows()
    length = x.read_lengths()[rows]
    days = None
    if x.times is not None and x.time_kind == "clock":
        newest = x.matrix.indptr[1:][rows] - 1
        days = (x.times[newest] - x.times) / SECONDS_PER_DAY
    return Age(length - 1 - x.read_positions(), length, days)


class Weighting(BaseConfig):
    """Base of the weightings; adding one is a class with `kind` and `factors`."""

    on: Place = "fit+history"
    """Where it applies: to what the model is fitted to and to the history it ranks from, or to the history alone."""
    needs_order: ClassVar[bool] = True
    """Whether data without time is refused."""

    @property
    def needs_clock(self) -> bool:
        """Whether data whose times are no clock's is refused."""
        return False

    def check(self, x: Interactions) -> None:
        """Refuse data that lacks the time this weighting needs.

        Args:
            x: the data.

        Raises:
            DataError: it does.
        """

    def factors(self, age: Age) -> Any:
        """The factor of each interaction, of the kind (array or tensor) that the ages are.

        Args:
            age: of the interactions, in items and in days.

        Raises:
            DataError: the class does not say how it weights.
        """
        raise DataError(f"{type(self).__name__} does not say how it weights: define factors()")

    def __call__(self, x: Interactions) -> Interactions:
        """Weight `x`: each weight times its factor."""
        self.check(x)
        return x.with_values(x.matrix.data * self.factors(ages(x)))

    def for_fit(self, x: Interactions) -> Interactions:
        """The data as the model is fitted to it.

        Args:
            x: the training data, unweighted.
        """
        return x if self.on == "history" else self(x)


class Uniform(Weighting):
    """Every interaction counts alike (DiffRec, L-DiffRec)."""

    kind: Literal["uniform"] = "uniform"
    needs_order: ClassVar[bool] = False

    def factors(self, age: Age) -> Any:
        """A factor of 1 for each interaction."""
        return age.items * 0 + 1.0

    def __call__(self, x: Interactions) -> Interactions:
        """Give `x` itself."""
        return x


class LinearRecency(Weighting):
    """The paper's, section 2.2: w_m = w_min + (w_max - w_min) (m - 1) / (M - 1) for the m-th of M interactions in time.

    A user's only interaction gets w_min, as in the released program. Of `whole` events it is the m-th of M events.
    """

    kind: Literal["linear"] = "linear"
    w_min: float = Field(default=0.1, ge=0, le=1)
    """Weight of the oldest interaction."""
    w_max: float = Field(default=1.0, gt=0)
    """Weight of the newest."""

    def check(self, x: Interactions) -> None:
        """See `Weighting`."""
        x.need_order("linear recency weighting")

    def factors(self, age: Age) -> Any:
        """See `Weighting`."""
        last = age.length - 1
        return self.w_min + (self.w_max - self.w_min) * (last - age.items) / last.clip(1)


class _Decay(Weighting):
    """A weighting by age: how many interactions (of `whole` events: events), or days, before the user's newest."""

    unit: Literal["items", "days"] = "items"
    """What age is counted in; days need clock time."""
    floor: float = Field(default=0.1, ge=0, le=1)
    """The least weight."""

    @property
    def needs_clock(self) -> bool:
        """See `Weighting`: whether ages are counted in days."""
        return self.unit == "days"

    def check(self, x: Interactions) -> None:
        """See `Weighting`."""
        x.need_order(f"{type(self).__name__} weighting")
        if self.needs_clock and x.time_kind != "clock":
            raise DataError("ages in days need clock time, and this data knows only the order; use unit = 'items'")

    def age(self, age: Age) -> Any:
        """Age in this weighting's unit."""
        return age.items * 1.0 if self.unit == "items" else age.days


class HalfLife(_Decay):
    """Weights max(floor, 2^(-a / h)) at age a."""

    kind: Literal["half_life"] = "half_life"
    half_life: float = Field(default=5.0, gt=0)
    """h, the age at which an interaction counts half."""

    def factors(self, age: Age) -> Any:
        """See `Weighting`."""
        return (2.0 ** (-self.age(age) / self.half_life)).clip(self.floor)


class PowerLaw(_Decay):
    """Weights max(floor, (1 + a)^-q) at age a."""

    kind: Literal["power_law"] = "power_law"
    exponent: float = Field(default=1.0, gt=0)
    """q."""

    def factors(self, age: Age) -> Any:
        """See `Weighting`."""
        return ((1 + self.age(age)) ** -self.exponent).clip(self.floor)


AnyWeighting = Annotated[Uniform | LinearRecency | HalfLife | PowerLaw, Field(discriminator="kind")]
