"""How much a search may try."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recodiff.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """A bound on what may be tried; where both are given, whichever ends first.

    Args:
        trials: at most this many, the first included.
        seconds: of training and validation. The trial that is under way at the end is stopped at its next validation check,
            or finished where its model has none; the first is always finished.
        firm: whether no trial of a model without such checks begins that would not end in time, by the longest so far.

    Raises:
        ConfigError: nothing is given, or nothing could be done with it.
    """

    trials: int | None = None
    seconds: float | None = None
    firm: bool = False

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            raise ConfigError("a search needs a budget; give trials, seconds, or both")
        for name, given in (("trials", self.trials), ("seconds", self.seconds)):
            if given is not None and not 0 < given < math.inf:
                raise ConfigError(f"{name} = {given} is no budget; give a number above 0")

    def spent(self, trials: int, seconds: float) -> float:
        """The share that is spent; 1 or more at the end.

        Args:
            trials: so far.
            seconds: so far.
        """
        return max(trials / self.trials if self.trials else 0.0, seconds / self.seconds if self.seconds else 0.0)

    def __str__(self) -> str:
        given = ((self.trials, "trials"), (self.seconds, "seconds"))
        return " or ".join(f"{amount:g} {what if amount != 1 else what[:-1]}" for amount, what in given if amount is not None)
