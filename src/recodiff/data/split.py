"""Ways to split a log into train, validation and test: each marks every interaction with its one part.

A strategy is a callable `(frame, time_kind) -> frame`, where the answer is the same rows in the same order with a text
column `part`: `train`, `valid`, `test` or `fold_in`. In time, interactions of equal time stand in the order of the log.
Shares are rounded down, so what a short history cannot spare stays in train.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

import numpy as np
import polars as pl

from recodiff.data.interactions import TimeKind
from recodiff.errors import ConfigError, DataError


class Split(Protocol):
    """What `prepare` asks of a strategy."""

    name: ClassVar[str]

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """The same rows with a column `part`."""
        ...


def describe(split: Split) -> dict[str, Any]:
    """A strategy and its settings, for JSON."""
    settings = asdict(split)  # type: ignore[call-overload]
    return {"strategy": split.name, **{key: _readable(value) for key, value in settings.items()}}


def _readable(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _check_shares(valid: float, test: float) -> None:
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise ConfigError(f"shares valid={valid:g} and test={test:g} must lie in [0, 1) and leave something to train on")


def _need_time(frame: pl.DataFrame, name: str) -> None:
    if "time" not in frame.columns:
        raise DataError(
            f"the split {name!r} needs to know what came first, and this log has no time; use 'random' or 'held-out-users'"
        )


def _need_clock(frame: pl.DataFrame, time_kind: TimeKind | None, name: str) -> None:
    _need_time(frame, name)
    if time_kind != "clock":
        raise DataError(
            f"the split {name!r} compares times across users, and this log only has the order within each; use 'temporal'"
        )


def _share(count: pl.Expr, share: float) -> pl.Expr:
    # .29 * 100 is 28.999999999999996 in floating point; the bound is far below what a count can resolve.
    return (count * share + 1e-9).floor().cast(pl.Int64)


def _parts(newest: pl.Expr, valid: pl.Expr, test: pl.Expr) -> pl.Expr:
    """`newest` counts from 0 at the end: the last `test` are test, the `valid` before them validation."""
    return pl.when(newest < test).then(pl.lit("test")).when(newest < test + valid).then(pl.lit("valid")).otherwise(pl.lit("train"))


def _from_end(column: str) -> pl.Expr:
    """Place of each row in its user's history, counted from 0 at the end; equal values stand in the order of the log."""
    return (pl.len() - pl.col(column).rank("ordinal")).over("user").cast(pl.Int64)


def _random_keys(frame: pl.DataFrame, seed: int) -> pl.Series:
    """A number for each row that depends on the set of rows, not on their order."""
    order = frame.select(pl.arg_sort_by("user", "item")).to_series().to_numpy()
    keys = np.empty(frame.height)
    keys[order] = np.random.default_rng(seed).random(frame.height)
    return pl.Series("key", keys)


@dataclass(frozen=True)
class Temporal:
    """The newest share of each user's history is the test part, the share before it the validation part.

    Args:
        valid: share of each history.
        test: share of each history.
    """

    valid: float = 0.1
    test: float = 0.2
    name: ClassVar[str] = "temporal"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        _need_time(frame, self.name)
        size = pl.len().over("user")
        return frame.with_columns(part=_parts(_from_end("time"), _share(size, self.valid), _share(size, self.test)))


@dataclass(frozen=True)
class TemporalGlobal:
    """One moment for all users, chosen so that the parts have about these shares of all interactions.

    Interactions at the very moment belong to the later part. A user may have no train interactions, or only those.

    Args:
        valid: share of all interactions.
        test: share of all interactions.
    """

    valid: float = 0.1
    test: float = 0.2
    name: ClassVar[str] = "temporal-global"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        _need_clock(frame, time_kind, self.name)
        times = frame["time"].sort()
        ends = [int(frame.height * share + 1e-9) for share in (self.test, self.test + self.valid)]
        test_from, valid_from = (times[frame.height - end] if end else None for end in ends)
        return TemporalAt(valid_from if self.valid else None, test_from)(frame, time_kind)


@dataclass(frozen=True)
class TemporalAt:
    """Given moments for all users: validation from one, test from the other, up to the end.

    Args:
        valid_from: the first moment of the validation part: seconds since 1970, a datetime, or ISO text (UTC unless it
            says otherwise); None for no such part.
        test_from: the first moment of the test part, not before `valid_from`; None for no such part.
    """

    valid_from: int | str | datetime | None = None
    test_from: int | str | datetime | None = None
    name: ClassVar[str] = "temporal-at"

    def __post_init__(self) -> None:
        valid, test = _seconds(self.valid_from), _seconds(self.test_from)
        if valid is None and test is None:
            raise ConfigError("the split 'temporal-at' needs valid_from, test_from or both")
        if valid is not None and test is not None and valid > test:
            raise ConfigError(f"valid_from {self.valid_from} lies after test_from {self.test_from}; exchange them")

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        _need_clock(frame, time_kind, self.name)
        part = pl.lit("train")
        for moment, name in ((self.valid_from, "valid"), (self.test_from, "test")):
            if moment is not None:
                part = pl.when(pl.col("time") >= _seconds(moment)).then(pl.lit(name)).otherwise(part)
        return frame.with_columns(part=part)


def _seconds(moment: int | str | datetime | None) -> int | None:
    if moment is None or isinstance(moment, int):
        return moment
    try:
        stamp = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise ConfigError(f"{moment!r} is no moment; write seconds since 1970 or ISO text such as 2024-05-01T12:30:00") from None
    # A moment inside a second begins with the next whole one, for the log's times are rounded down.
    return -int(-(stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp() // 1)


@dataclass(frozen=True)
class LeaveLast:
    """The last interactions of each user are the test part, those before them the validation part.

    A user keeps at least one train interaction; what is missing then is missing in validation first.

    Args:
        valid: interactions of each user.
        test: interactions of each user.
    """

    valid: int = 1
    test: int = 1
    name: ClassVar[str] = "leave-last"

    def __post_init__(self) -> None:
        if self.valid < 0 or self.test < 0 or self.valid + self.test == 0:
            raise ConfigError(f"leave-last takes counts from 0 on, not both 0 (valid={self.valid}, test={self.test})")

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        _need_time(frame, self.name)
        spare = pl.len().over("user").cast(pl.Int64) - 1
        test = pl.min_horizontal(spare, pl.lit(self.test))
        return frame.with_columns(part=_parts(_from_end("time"), pl.min_horizontal(spare - test, pl.lit(self.valid)), test))


@dataclass(frozen=True)
class Random:
    """A random share of each user's interactions, whatever their times.

    Args:
        valid: share of each history.
        test: share of each history.
        seed: of the draw, which does not depend on the order of the log.
    """

    valid: float = 0.1
    test: float = 0.2
    seed: int = 0
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        size = pl.len().over("user")
        part = _parts(_from_end("key"), _share(size, self.valid), _share(size, self.test))
        return frame.with_columns(_random_keys(frame, self.seed)).with_columns(part=part).drop("key")


@dataclass(frozen=True)
class HeldOutUsers:
    """Some users are never trained on: part of each one's history is folded in, the rest is what must be predicted.

    The target is the newest share of the history where there is time and a random one where there is none, at least one
    interaction; users with a single interaction are not held out.

    Args:
        valid: share of the users.
        test: share of the users.
        target: share of a held-out user's history that must be predicted.
        seed: of the draw, which does not depend on the order of the log.
    """

    valid: float = 0.1
    test: float = 0.1
    target: float = 0.2
    seed: int = 0
    name: ClassVar[str] = "held-out-users"

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)
        if not 0 < self.target < 1:
            raise ConfigError(f"target={self.target:g} must lie between 0 and 1: the share of a held-out history to predict")

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        sizes = frame.group_by("user").len().sort("user")
        eligible = sizes.filter(pl.col("len") > 1)["user"]
        chosen = np.random.default_rng([self.seed, 1]).permutation(len(eligible))
        n_test, n_valid = (int(len(sizes) * share + 1e-9) for share in (self.test, self.valid))
        test, valid = eligible.gather(chosen[:n_test]), eligible.gather(chosen[n_test : n_test + n_valid])
        size = pl.len().over("user").cast(pl.Int64)
        is_target = _from_end("time" if "time" in frame.columns else "key") < pl.max_horizontal(
            _share(size, self.target), pl.lit(1)
        )
        held = pl.when(pl.col("user").is_in(test.implode())).then(pl.lit("test"))
        held = held.when(pl.col("user").is_in(valid.implode())).then(pl.lit("valid"))
        keyed = frame.with_columns(_random_keys(frame, self.seed), held=held)
        part = pl.when(pl.col("held").is_null()).then(pl.lit("train")).when(is_target).then("held").otherwise(pl.lit("fold_in"))
        return keyed.with_columns(part=part).drop("key", "held")


@dataclass(frozen=True)
class AsPublished:
    """The parts a log comes with; where it has no validation part, a random share of each user's train interactions.

    Args:
        valid: share of each user's train interactions, used only where no validation part was published.
        seed: of that draw, which does not depend on the order of the log.
    """

    valid: float = 0.1
    seed: int = 0
    name: ClassVar[str] = "published"

    def __post_init__(self) -> None:
        _check_shares(self.valid, 0)

    def __call__(self, frame: pl.DataFrame, time_kind: TimeKind | None) -> pl.DataFrame:
        """Marks the parts."""
        if "part" not in frame.columns:
            raise DataError("the split 'published' needs a log that comes split, and this one does not; choose another")
        if (frame["part"] == "valid").any() or not self.valid:
            return frame
        train = pl.col("part") == "train"
        carved = Random(self.valid, 0, self.seed)(frame.filter(train), time_kind)["part"]
        part = frame["part"].to_numpy().copy()
        part[(frame["part"] == "train").to_numpy()] = carved.to_numpy()
        return frame.with_columns(part=pl.Series(part, dtype=pl.String))


SPLITS: dict[str, type[Any]] = {
    split.name: split for split in (Temporal, TemporalGlobal, TemporalAt, LeaveLast, Random, HeldOutUsers, AsPublished)
}
