"""How an experiment is run: its seeds, its device, and when to stop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from recodiff.errors import ConfigError

SEEDS = 3
MOST_SEEDS = 10_000
"""Trainings of one method that anyone may wait for."""


@dataclass(frozen=True)
class Deadline:
    """A time after which nothing new begins; what is under way is finished.

    Args:
        minutes: counted from when this was made; None for no end, 0 for nothing new at all.
        began: when that was, of `time.monotonic`.
        firm: whether nothing begins either that would end later, as far as that is known.

    Raises:
        ConfigError: the time is negative.
    """

    minutes: float | None = None
    began: float = field(default_factory=lambda: time.monotonic(), compare=False)
    firm: bool = False

    def __post_init__(self) -> None:
        if self.minutes is not None and not self.minutes >= 0:
            raise ConfigError(f"minutes = {self.minutes:g} cannot be used; give 0 or more, or leave it out to run to the end")

    def over(self, needed: float = 0.0) -> bool:
        """Tell whether the minutes are over; those of a firm end, whether they would be.

        Args:
            needed: seconds that what is to begin is known to take.
        """
        spent = time.monotonic() - self.began + (needed if self.firm else 0.0)
        return self.minutes is not None and spent >= 60 * self.minutes

    @property
    def reason(self) -> str:
        """The reason why something did not begin, in words."""
        if self.firm:
            return f"what the {self.minutes:g} minutes have for it was over"
        return f"the {self.minutes:g} minutes were over" if self.minutes else "--minutes 0 asks for what there is"


@dataclass(frozen=True)
class RunOptions:
    """The extent of an experiment, and the device it runs on.

    Args:
        seeds: how many, counted from 1; 3 unless given, 1 in a quick pass.
        quick: one seed, fewer points, a few epochs.
        device: `auto`, `cpu`, `cuda`...
        threads: CPU threads; as torch has it unless given.
        deadline: after which no run and no trial of a study begins.
        longest: seconds that a training by epochs may take, see `Run`; as long as it takes unless given.

    Raises:
        ConfigError: there are no seeds, or more than MOST_SEEDS.
    """

    seeds: int | None = None
    quick: bool = False
    device: str = "auto"
    threads: int | None = None
    deadline: Deadline = field(default_factory=Deadline)
    longest: float | None = None

    def __post_init__(self) -> None:
        if self.seeds is not None and not 1 <= self.seeds <= MOST_SEEDS:
            raise ConfigError(f"seeds = {self.seeds} cannot be used, as each is a training; give 1 to {MOST_SEEDS}")

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds themselves."""
        return tuple(range(1, 1 + (self.seeds or (1 if self.quick else SEEDS))))
