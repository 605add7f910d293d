"""What a way to split a log is to the rest: it marks every interaction with its one part, of the whole log or of pieces of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar, Literal

import polars as pl

from recodiff.data.interactions import Events, TimeKind
from recodiff.data.ties import Ties
from recodiff.errors import DataError

Mark = Callable[[pl.DataFrame], pl.DataFrame]
"""Gives rows a column `part`."""
Pieces = Callable[[], Iterable[pl.DataFrame]]
"""A log by pieces that each hold all rows of their users, who come in ascending order; called anew for each reading."""


class Split(ABC):
    """A strategy: a frozen dataclass whose fields are its settings; `valid` and `test` ask for these parts."""

    name: ClassVar[str]
    needs: ClassVar[Literal["nothing", "order", "clock"]] = "nothing"
    by_pieces: ClassVar[bool] = False
    """Whether a log may be marked by pieces: what a user's rows become follows from these, and from what `_over` finds out."""

    @abstractmethod
    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame: ...

    def _over(self, pieces: Pieces) -> Mark:
        """What marks each piece of a log, in turn."""
        return self._mark

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None, events: Events = "split") -> pl.DataFrame:
        """The same rows with a column `part`.

        Args:
            frame: columns `user`, `item`, no pair twice; `time` where there is one.
            time_kind: what `time` is.
            events: what interactions of a user at one time are.

        Raises:
            DataError: the strategy needs time, or times that compare across users, and the log has none.
        """
        self._check(time_kind)
        return self._mark(_with_events(frame, events)).drop("event", strict=False)

    def over(self, pieces: Pieces, time_kind: TimeKind | None, events: Events = "split") -> Mark:
        """The function that marks a log by pieces, each once and in their order, as a call marks all of it.

        Args:
            pieces: of the log, each as for a call.
            time_kind: as for a call.
            events: as for a call.

        Raises:
            DataError: as for a call.
        """
        self._check(time_kind)
        mark = self._over(lambda: (_with_events(piece, events) for piece in pieces()))
        return lambda piece: mark(_with_events(piece, events)).drop("event", strict=False)

    def _check(self, time_kind: TimeKind | None) -> None:
        if self.needs != "nothing" and time_kind is None:
            raise DataError(
                f"the split {self.name!r} needs to know what came first, and this log has no time; use 'random', or "
                "time_unit='order' (--time-unit order) where its rows stand in their order"
            )
        if self.needs == "clock" and time_kind == "order":
            raise DataError(f"the split {self.name!r} compares users' times, and this log has ranks within each; use 'temporal'")

    def promises(self) -> list[str]:
        """The parts that the settings ask for: those that must not end up empty."""
        asked = {part: getattr(self, part, None) or getattr(self, f"{part}_from", None) for part in ("valid", "test")}
        return ["train", *(part for part, setting in asked.items() if setting)]

    def describe(self) -> dict[str, Any]:
        """Name and settings, for JSON."""
        settings = asdict(self).items()  # type: ignore[call-overload]
        return {"strategy": self.name, **{key: str(value) if isinstance(value, datetime) else value for key, value in settings}}


class Informed(Split):
    """A strategy that looks at the whole log, or begins to draw, before it marks the first row."""

    by_pieces = True

    @abstractmethod
    def _over(self, pieces: Pieces) -> Mark: ...

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self._over(lambda: [frame])(frame)


def _with_events(frame: pl.DataFrame, events: Events) -> pl.DataFrame:
    """The rows with `event`, a user's events counted from 1 on, where there is time."""
    if "time" not in frame.columns:
        return frame
    return frame.with_columns(event=Ties.of(frame, ("user",), "time").rank(dense=events != "split"))
