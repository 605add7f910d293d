"""How a log is cut for a protocol of the field, by its name; what is then input, truth and masked says `evaluation.protocol`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import polars as pl

from recodiff.data.interactions import Events
from recodiff.data.readers.log import Log
from recodiff.data.split import Split, TemporalGlobal
from recodiff.data.ties import Ties
from recodiff.errors import ConfigError

CutBy = Literal["leave-one-out", "time-split", "time-split-all"]
SHORTEST = 3
"""Items of a history from which some are held out; a shorter one is for training alone."""


@dataclass(frozen=True)
class LeaveOneOut(Split):
    """The last item of each user is the test part, the one before it the validation part: exactly one item each.

    Of items at one time the last in the order of the log comes last, so this alone of all strategies cuts inside events. Events
    are `ordered` in its data: the order of the log is taken for real. A history of fewer than three items stays in train. (Kang
    and McAuley, *Self-Attentive Sequential Recommendation*, ICDM 2018.)
    """

    name: ClassVar[str] = "leave-one-out"
    by_pieces: ClassVar = True
    needs: ClassVar = "order"

    def promises(self) -> list[str]:
        """All three parts."""
        return ["train", "valid", "test"]

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        place = Ties.of(frame, ("user",), "time").rank(dense=False)
        after = pl.len().over("user") - pl.lit(place)
        held = pl.when(after == 0).then(pl.lit("test")).when(after == 1).then(pl.lit("valid")).otherwise(pl.lit("train"))
        return frame.with_columns(part=pl.when(pl.len().over("user") < SHORTEST).then(pl.lit("train")).otherwise(held))


def cut_by(protocol: str) -> tuple[Split, Events]:
    """The way in which a protocol cuts a log, and in which models read what a user does at one time.

    Args:
        protocol: `leave-one-out`, `time-split` or `time-split-all`.

    Raises:
        ConfigError: the protocol is another; those cut nothing.
    """
    if protocol == "leave-one-out":
        return LeaveOneOut(), "ordered"
    if protocol in ("time-split", "time-split-all"):
        return TemporalGlobal(), "whole"
    raise ConfigError(f"protocol={protocol!r} says nothing of how a log is cut; give leave-one-out, time-split or time-split-all")


def in_row_order(log: Log) -> Log:
    """The log, its rows in the order of time where it has none: what stands later in the file came later.

    Args:
        log: as it was read.
    """
    return log if log.time_kind is not None else replace(log, frame=with_ranks(log.frame), time_kind="order")


def with_ranks(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with their places among those of their user as times.

    Args:
        frame: a column `user`.
    """
    return frame.with_columns(time=pl.int_range(pl.len(), dtype=pl.Int64).over("user"))
