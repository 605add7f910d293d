"""Weightings: pure functions `Interactions -> Interactions` that say how much each interaction of a history counts.

A weighting multiplies the weights that are there and leaves the pattern, hence what a user has seen, alone. Its settings
are its fields, so a weighting in a config *is* the weighting.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recodiff.config import BaseConfig
from recodiff.data.interactions import Interactions
from recodiff.errors import DataError

SECONDS_PER_DAY = 86_400
Place = Literal["fit+history", "history"]


class Weighting(BaseConfig):
    """Base of the weightings; adding one is a class with `kind` and `weights`."""

    on: Place = "fit+history"
    """Where it applies: to what the model is fitted to and to the history it ranks from, or to the history alone."""

    def weights(self, x: Interactions) -> NDArray[np.floating]:
        """Factors [nnz], aligned with the entries of `x`."""
        raise DataError(f"{type(self).__name__} does not say how it weights: define weights()")

    def __call__(self, x: Interactions) -> Interactions:
        """`x` with each weight multiplied by its factor."""
        return x.with_values(x.matrix.data * self.weights(x))

    def for_fit(self, x: Interactions) -> Interactions:
        """What the model is fitted to."""
        return x if self.on == "history" else self(x)


class Uniform(Weighting):
    """Every interaction counts alike (DiffRec, L-DiffRec)."""

    kind: Literal["uniform"] = "uniform"

    def __call__(self, x: Interactions) -> Interactions:
        """`x` itself."""
        return x


class LinearRecency(Weighting):
    """The paper's, section 2.2: w_m = w_min + (w_max - w_min) (m - 1) / (M - 1) for the m-th of M interactions in time.

    A user's only interaction gets w_min, as in the released program.
    """

    kind: Literal["linear"] = "linear"
    w_min: float = Field(default=0.1, ge=0, le=1)
    """Weight of the oldest interaction."""
    w_max: float = Field(default=1.0, gt=0)
    """Weight of the newest."""

    def weights(self, x: Interactions) -> NDArray[np.floating]:
        """See `Weighting`."""
        x.need_order("linear recency weighting")
        last = np.maximum(x.lengths()[x.rows()] - 1, 1)
        return self.w_min + (self.w_max - self.w_min) * x.positions() / last


class _Decay(Weighting):
    """A weighting by age: how many interactions, or days, before the user's newest."""

    unit: Literal["items", "days"] = "items"
    """What age is counted in; days need clock time."""
    floor: float = Field(default=0.1, ge=0, le=1)
    """The least weight."""

    def age(self, x: Interactions) -> NDArray[np.floating]:
        """Age of each entry [nnz], 0 for a user's newest."""
        x.need_order(f"{type(self).__name__} weighting")
        if self.unit == "items":
            return (x.lengths()[x.rows()] - 1 - x.positions()).astype(np.float64)
        if x.times is None or x.time_kind != "clock":
            raise DataError("ages in days need clock time, and this data knows only the order; use unit = 'items'")
        newest = x.matrix.indptr[1:][x.rows()] - 1
        return (x.times[newest] - x.times) / SECONDS_PER_DAY


class HalfLife(_Decay):
    """max(floor, 2^(-a / h)) at age a."""

    kind: Literal["half_life"] = "half_life"
    half_life: float = Field(default=5.0, gt=0)
    """h, the age at which an interaction counts half."""

    def weights(self, x: Interactions) -> NDArray[np.floating]:
        """See `Weighting`."""
        return np.maximum(self.floor, np.exp2(-self.age(x) / self.half_life))


class PowerLaw(_Decay):
    """max(floor, (1 + a)^-q) at age a."""

    kind: Literal["power_law"] = "power_law"
    exponent: float = Field(default=1.0, gt=0)
    """q."""

    def weights(self, x: Interactions) -> NDArray[np.floating]:
        """See `Weighting`."""
        return np.maximum(self.floor, (1 + self.age(x)) ** -self.exponent)


AnyWeighting = Annotated[Uniform | LinearRecency | HalfLife | PowerLaw, Field(discriminator="kind")]
