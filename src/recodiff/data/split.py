"""Ways to split a log into train, validation and test: each marks every interaction with its one part.

A strategy is called as `split(frame, time_kind, events)` and answers with the same rows in the same order and a text column
`part`: `train`, `valid`, `test` or `fold_in`. Shares are rounded down, so what a short history cannot spare stays in train.

An event is all that a user does at one time (see `Interactions`). A boundary between parts that falls inside an event moves to
the nearer end of it, so that shares stay near what was asked. The event goes to the part in which its middle lies, to the later
one where that is the boundary itself. A user's oldest event stays in train, unless one moment cuts all users. Where events are
`split`, every interaction is an event of its own, and equal times keep the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.moments import seconds_of
from recodiff.data.order import nth_smallest
from recodiff.data.random_keys import random_keys, with_keys
from recodiff.data.strategy import Informed, Mark, Pieces, Split
from recodiff.data.ties import Ties
from recodiff.errors import ConfigError, DataError


def _check_shares(valid: float, test: float, seed: int = 0) -> None:
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; seeds start at 0")
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise ConfigError(f"shares valid={valid:g} and test={test:g} must lie in [0, 1) and leave something to train on")


_LITTLE = 1e-9
"""Added to a share before it is rounded down: .29 * 100 is 28.999999999999996. It is far below what a count can resolve."""


def _share(count: pl.Expr, share: float) -> pl.Expr:
    return (count * share + _LITTLE).floor().cast(pl.Int64)


def _parts(after: pl.Expr, valid: pl.Expr, test: pl.Expr) -> pl.Expr:
    """`after` counts from 0 at the end: the last `test` are test, the `valid` before them validation."""
    return pl.when(after < test).then(pl.lit("test")).when(after < test + valid).then(pl.lit("valid")).otherwise(pl.lit("train"))


def _from_end(frame: pl.DataFrame, column: str, group: Sequence[str] = ("user",)) -> pl.Series:
    """Interactions of the group after the middle of each row's event, less a half: 0 for a newest one that is its own event.

    Args:
        frame: has the columns.
        column: orders the events; equal values are one event.
        group: of what columns; the oldest event is as far from the end as a whole group.
    """
    ties = Ties.of(frame, group, column)
    return ties.spread(ties.from_end())


def _events_from_end() -> pl.Expr:
    """Events of the user after each row's, 0 for the newest."""
    return pl.col("event").max().over("user") - pl.col("event")


@dataclass(frozen=True)
class Temporal(Split):
    """The newest share of each user's history is the test part, the share before it the validation part.

    Args:
        valid, test: shares of the interactions of each history.
    """

    valid: float = 0.1
    test: float = 0.2
    name: ClassVar[str] = "temporal"
    by_pieces: ClassVar = True
    needs: ClassVar = "order"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        ties = Ties.of(frame, ("user",), "event")
        after, size = ties.from_end(), ties.group_size()
        test = np.floor(size * self.test + _LITTLE)
        later = test + np.floor(size * self.valid + _LITTLE)
        part = (after < later).astype(np.uint8) + (after < test)  # of events, which are fewer than rows
        return frame.with_columns(part=pl.Series(["train", "valid", "test"]).gather(ties.spread(part)))


@dataclass(frozen=True)
class TemporalGlobal(Informed):
    """One moment for all users, chosen so that the parts have about these shares of all interactions.

    All that happens at one moment stays together, whatever events are: a boundary that falls inside it moves to the nearer end. A
    user may have no train interactions, or only those.

    Args:
        valid, test: shares of all interactions.
    """

    valid: float = 0.1
    test: float = 0.2
    name: ClassVar[str] = "temporal-global"
    needs: ClassVar = "clock"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    def _over(self, pieces: Pieces) -> Mark:
        rows = sum(piece.height for piece in pieces())
        ends = [int(rows * share + 1e-9) for share in (self.test, self.test + self.valid)]
        test_from, valid_from = (_nearest_moment(pieces, rows, rows - end) if end else None for end in ends)
        return lambda frame: _mark_from(frame, valid_from if self.valid else None, test_from)


def _nearest_moment(pieces: Pieces, rows: int, place: int) -> int:
    """The moment that begins nearest to a place of the sorted times; the earlier of two, and neither the first nor none at all."""

    def times() -> Iterable[NDArray[np.int64]]:
        return (piece["time"].to_numpy() for piece in pieces())

    moment = nth_smallest(times, place)
    begins, ends = (sum(int(np.count_nonzero(below(each, moment))) for each in times()) for below in (np.less, np.less_equal))
    later = ends < rows and (begins == 0 or ends - place < place - begins)
    return nth_smallest(times, ends) if later else moment


@dataclass(frozen=True)
class TemporalAt(Split):
    """Given moments for all users: validation from one, test from the other, up to the end.

    Args:
        valid_from: the first moment of the validation part: seconds since 1970, a datetime, or ISO text (in UTC); None for none.
        test_from: the first moment of the test part, not before `valid_from`; None for no such part.

    Raises:
        ConfigError: there is neither moment, or they are in the wrong order.
    """

    valid_from: int | str | datetime | None = None
    test_from: int | str | datetime | None = None
    name: ClassVar[str] = "temporal-at"
    by_pieces: ClassVar = True
    needs: ClassVar = "clock"

    def __post_init__(self) -> None:
        valid, test = seconds_of(self.valid_from), seconds_of(self.test_from)
        if valid is None and test is None:
            raise ConfigError("the split 'temporal-at' needs valid_from, test_from or both (--valid-from, --test-from)")
        if valid is not None and test is not None and valid > test:
            raise ConfigError(f"valid_from {self.valid_from} lies after test_from {self.test_from}; exchange them")

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        return _mark_from(frame, seconds_of(self.valid_from), seconds_of(self.test_from))


def _mark_from(frame: pl.DataFrame, valid_from: int | None, test_from: int | None) -> pl.DataFrame:
    part = pl.lit("train")
    for moment, name in ((valid_from, "valid"), (test_from, "test")):
        if moment is not None:
            part = pl.when(pl.col("time") >= moment).then(pl.lit(name)).otherwise(part)
    return frame.with_columns(part=part)


@dataclass(frozen=True)
class LeaveLast(Split):
    """The last events of each user are the test part, those before them the validation part.

    A user keeps at least one event in train; what is missing then is missing in validation first.

    Args:
        valid, test: events of each user; interactions where events are `split`.

    Raises:
        ConfigError: a count is negative, or both are 0.
    """

    valid: int = 1
    test: int = 1
    name: ClassVar[str] = "leave-last"
    by_pieces: ClassVar = True
    needs: ClassVar = "order"

    def __post_init__(self) -> None:
        if self.valid < 0 or self.test < 0 or self.valid + self.test == 0:
            raise ConfigError(f"leave-last takes counts from 0 on, not both 0 (valid={self.valid}, test={self.test})")

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        spare = pl.col("event").max().over("user") - 1
        test = pl.min_horizontal(spare, pl.lit(self.test))
        return frame.with_columns(part=_parts(_events_from_end(), pl.min_horizontal(spare - test, pl.lit(self.valid)), test))


@dataclass(frozen=True)
class Random(Informed):
    """A random share of each user's interactions, whatever their times; events are drawn whole.

    Args:
        valid, test: shares of each history.
        seed: of the draw, which does not depend on the order of the log.
    """

    valid: float = 0.1
    test: float = 0.2
    seed: int = 0
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test, self.seed)

    def _over(self, pieces: Pieces) -> Mark:
        draws = np.random.default_rng(self.seed)
        return lambda frame: self._drawn(frame, draws)

    def _drawn(self, frame: pl.DataFrame, draws: np.random.Generator) -> pl.DataFrame:
        size = pl.len().over("user")
        keyed = with_keys(frame, draws)
        part = _parts(pl.lit(_from_end(keyed, "key")), _share(size, self.valid), _share(size, self.test))
        return keyed.with_columns(part=part).drop("key")


@dataclass(frozen=True)
class HeldOutUsers(Informed):
    """Users kept out of training: part of each one's history is folded in, the rest is what must be predicted.

    The target is the newest share of the history where there is time and a random one where there is none, at least one
    event; users with a single event are not held out.

    Args:
        valid, test: shares of the users.
        target: share of a held-out user's history that must be predicted.
        seed: of the draw, which does not depend on the order of the log.

    Raises:
        ConfigError: `target` is no share between 0 and 1.
    """

    valid: float = 0.1
    test: float = 0.1
    target: float = 0.2
    seed: int = 0
    name: ClassVar[str] = "held-out-users"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test, self.seed)
        if not 0 < self.target < 1:
            raise ConfigError(f"target={self.target:g} must lie between 0 and 1: the share of a held-out history to predict")

    def _over(self, pieces: Pieces) -> Mark:
        events = pl.concat([_count_events(piece) for piece in pieces()])
        eligible = events.filter(pl.col("n") > 1)["user"]
        chosen = np.random.default_rng([self.seed, 1]).permutation(len(eligible))
        n_test, n_valid = (int(len(events) * share + 1e-9) for share in (self.test, self.valid))
        test, valid = eligible.gather(chosen[:n_test]), eligible.gather(chosen[n_test : n_test + n_valid])
        draws = np.random.default_rng(self.seed)
        return lambda frame: self._held_out(frame, valid, test, draws)

    def _held_out(self, frame: pl.DataFrame, valid: pl.Series, test: pl.Series, draws: np.random.Generator) -> pl.DataFrame:
        frame = frame.with_columns(random_keys(frame, draws))
        order = "event" if "event" in frame.columns else "key"
        newest = pl.col(order) == pl.col(order).max().over("user")
        is_target = newest | (pl.lit(_from_end(frame, order)) < _share(pl.len().over("user"), self.target))
        held = pl.when(pl.col("user").is_in(test.implode())).then(pl.lit("test"))
        held = held.when(pl.col("user").is_in(valid.implode())).then(pl.lit("valid"))
        part = pl.when(pl.col("held").is_null()).then(pl.lit("train")).when(is_target).then("held").otherwise(pl.lit("fold_in"))
        return frame.with_columns(held=held).with_columns(part=part).drop("key", "held")


def _count_events(frame: pl.DataFrame) -> pl.DataFrame:
    """How many events each user has: `user`, `n`, in the order of users."""
    n = pl.col("event").n_unique() if "event" in frame.columns else pl.len()
    return frame.group_by("user").agg(n=n).sort("user")


@dataclass(frozen=True)
class AsPublished(Informed):
    """The parts a log comes with; where it has no validation part, a random share of each user's train interactions.

    Args:
        valid: share of each user's train interactions, used only where no validation part was published.
        seed: of that draw, which does not depend on the order of the log.
    """

    valid: float = 0.1
    seed: int = 0
    name: ClassVar[str] = "published"

    def __post_init__(self) -> None:
        _check_shares(self.valid, 0, self.seed)

    def _over(self, pieces: Pieces) -> Mark:
        found = [("part" in piece.columns, "part" in piece.columns and (piece["part"] == "valid").any()) for piece in pieces()]
        if not all(there for there, _ in found):
            raise DataError("the split 'published' needs a log that comes split, and this one does not; choose another")
        if any(valid for _, valid in found) or not self.valid:
            return lambda frame: frame
        draws = np.random.default_rng(self.seed)
        return lambda frame: self._drawn(frame, draws)

    def _drawn(self, frame: pl.DataFrame, draws: np.random.Generator) -> pl.DataFrame:
        group = ("user", "part")
        keyed = with_keys(frame, draws)
        newest = pl.lit(_from_end(keyed, "key", group)) < _share(pl.len().over(group), self.valid)
        part = pl.when((pl.col("part") == "train") & newest).then(pl.lit("valid")).otherwise("part")
        return keyed.with_columns(part=part).drop("key")


SPLITS: dict[str, type[Split]] = {
    split.name: split for split in (Temporal, TemporalGlobal, TemporalAt, LeaveLast, Random, HeldOutUsers, AsPublished)
}
