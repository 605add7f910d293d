"""What preparing does with a log, whether it is held in memory or streams: the filters, the split, and what is said of both."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from recodiff.data.empty import empty_parts
from recodiff.data.filters import Duplicates
from recodiff.data.interactions import Events
from recodiff.data.readers.log import Log
from recodiff.data.split import HeldOutUsers, LeaveLast, Split, Temporal
from recodiff.errors import DataError, RecodiffWarning

Step = dict[str, Any]
SHORT = (
    "histories are too short for a tenth of each to be a part: the newest event of each user is the test part and the one before "
    "it the validation part, as with --split leave-last"
)


@dataclass(frozen=True)
class Recipe:
    """The settings of preparing a log; see `prepare` for what each means.

    Args:
        min_weight: the least rating or count.
        user_core: the least interactions of a user.
        item_core: the least interactions of an item.
        duplicates: which of a user's repeats of an item is kept.
        split: the strategy.
        chosen: whether the caller chose it.
        events: what interactions of a user at one time are.
        weighted: whether ratings or counts are kept as weights.
        name: what tables call the data.
    """

    min_weight: float | None
    user_core: int
    item_core: int
    duplicates: Duplicates
    split: Split
    chosen: bool
    events: Events
    weighted: bool
    name: str

    @property
    def drawn(self) -> bool:
        """Whether the split draws users, and others of whole events than of rows."""
        return isinstance(self.split, HeldOutUsers)

    def steps(self) -> list[str]:
        """The names of the steps: a least weight where one is asked for, repeats, and a core where one is."""
        weight = [] if self.min_weight is None else [f"weight at least {self.min_weight:g}"]
        core = [f"{self.user_core} a user, {self.item_core} an item"] if self.user_core or self.item_core else []
        return [*weight, f"repeats: {self.duplicates}", *core]

    def info(self, log: Log, steps: list[Step]) -> dict[str, Any]:
        """The beginning of what `dataset.json` holds.

        Args:
            log: as it was read.
            steps: what each step left.
        """
        return {
            "name": self.name,
            "source": log.source,
            "terms": log.terms,
            **({} if log.reading is None else {"reading": log.reading.as_info()}),
            "steps": steps,
            "split": self.split.describe(),
            "weights": "kept" if self.weighted else "all 1",
        }

    def for_short_histories(self, made: Collection[str]) -> Recipe | None:
        """The recipe with a split for short histories, where the usual one leaves a part empty; else None.

        Args:
            made: the parts that the split made.
        """
        if self.chosen or not isinstance(self.split, Temporal) or not empty_parts(self.split, made):
            return None
        return replace(self, split=LeaveLast())

    def tell_if_short(self, made: Collection[str]) -> None:
        """Warn of that other split, unless it leaves a part empty too.

        Args:
            made: the parts that it made.
        """
        if not empty_parts(self.split, made):
            warnings.warn(SHORT, RecodiffWarning, stacklevel=4)


def refuse_nothing(log: Log, step: str, before: int, after: int) -> None:
    """Refuse a step that leaves nothing.

    Args:
        log: as it was read.
        step: in words.
        before: rows before it.
        after: rows after it.

    Raises:
        DataError: none is left.
    """
    if not after:
        raise DataError(f"{log.source}: nothing is left of {before} interactions after the step {step!r}; ask for less")
