"""Filters on a log's table: pure functions from frame to frame; what one dropped is the difference in height.

Users and items may be ids of any kind. Small whole numbers from 0 on, which stand as UInt32, are counted and not hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.order import by_code, stand_in_order
from recodiff.errors import ConfigError, DataError

PAIR = ("user", "item")
Duplicates = Literal["first", "last", "refuse"]


def min_weight(frame: pl.DataFrame, minimum: float) -> pl.DataFrame:
    """The interactions whose weight (a rating, a count) is at least `minimum`.

    Args:
        frame: columns `user`, `item`, `weight`.
        minimum: in the unit of the weights.

    Raises:
        DataError: the log has no weights.
    """
    if "weight" not in frame.columns:
        raise DataError(
            f"a minimum weight of {minimum:g} needs a rating or count column, and this log has none; name it with weight="
        )
    return frame.filter(pl.col("weight") >= minimum)


def deduplicate(frame: pl.DataFrame, keep: Duplicates = "first") -> pl.DataFrame:
    """One interaction for each user and item (and part, where a log comes split).

    Args:
        frame: columns `user`, `item`, maybe `time`, `part`.
        keep: the `first` or `last` in time (equal times: in the log's order; without time: in the log's order), or
            `refuse` repeats. Where something is dropped, the rest stands in that order, or as it did if that was by user and time.

    Raises:
        DataError: a pair stands twice and `keep` is `refuse`.
        ConfigError: `keep` is none of the three.
    """
    if keep not in ("first", "last", "refuse"):
        raise ConfigError(f"duplicates cannot be handled by {keep!r}; choose 'first', 'last' or 'refuse'")
    if keep == "refuse":
        again = repeats(frame)
        if again.height:
            raise twice(again["user"][0], again["item"][0], again.height)
        return frame
    ordered = frame if "time" not in frame.columns or _by_user_and_time(frame) else frame.sort("time", maintain_order=True)
    distinct = _distinct(ordered, keep)
    return frame if distinct.all() else ordered.filter(distinct)


def repeats(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose user and item (and part) stood together before.

    Args:
        frame: as for `deduplicate`, in the log's order.
    """
    return frame.filter(~_distinct(frame, "first"))


def twice(user: Any, item: Any, count: int) -> DataError:
    """The error that a pair stands twice.

    Args:
        user: of the first repeat.
        item: of the first repeat.
        count: of repeats.
    """
    return DataError(
        f"user {user!r} and item {item!r} stand together more than once ({count} repeats in all); keep one of them with "
        "duplicates='first' or 'last'"
    )


def _by_user_and_time(frame: pl.DataFrame) -> bool:
    return _are_positions(frame, "user") and stand_in_order([frame["user"].to_numpy(), frame["time"].to_numpy()])


def _are_positions(frame: pl.DataFrame, *names: str) -> bool:
    return all(frame[name].dtype == pl.UInt32 for name in names)


def _distinct(frame: pl.DataFrame, keep: Literal["first", "last"]) -> pl.Series:
    """Which rows are the first, or the last, of their user, item and part."""
    if "part" in frame.columns or not _are_positions(frame, *PAIR) or frame.is_empty():
        key = pl.struct(name for name in (*PAIR, "part") if name in frame.columns)
        return frame.select(key.is_first_distinct() if keep == "first" else key.is_last_distinct()).to_series()
    user, item = (frame[name].to_numpy() for name in PAIR)
    order = by_code(item, int(item.max()) + 1)
    if not stand_in_order([user]):
        order = by_code(user, int(user.max()) + 1, order)
    own_user, own_item = user[order], item[order]
    again = (own_user[1:] == own_user[:-1]) & (own_item[1:] == own_item[:-1])
    distinct = np.ones(len(user), dtype=bool)
    distinct[(order[1:] if keep == "first" else order[:-1])[again]] = False
    return pl.Series(distinct)


def _enough(frame: pl.DataFrame, name: str, least: int) -> Any:
    """Which rows have a user, or an item, of at least so many rows."""
    if not _are_positions(frame, name):
        return pl.len().over(name) >= least
    codes: NDArray[np.uint32] = frame[name].to_numpy()
    return pl.Series((np.bincount(codes) >= least)[codes])


def k_core(frame: pl.DataFrame, users: int = 0, items: int = 0) -> pl.DataFrame:
    """The largest part of the log in which each user has `users` interactions and each item `items`.

    Dropping a user can push an item below its bound and the other way round, so both are repeated until nothing changes.

    Args:
        frame: columns `user`, `item`, without repeats.
        users: the least interactions of a user; 0 or 1 keeps all.
        items: the least interactions of an item; 0 or 1 keeps all.

    Raises:
        ConfigError: a number is negative.
    """
    _check_core(users, items)
    while True:
        before = frame.height
        for name, least in (("user", users), ("item", items)):
            if least > 1:
                frame = frame.filter(_enough(frame, name, least))
        if frame.height == before:
            return frame


def core_of(
    pieces: Callable[[], Iterable[pl.DataFrame]], sizes: tuple[int, int], users: int = 0, items: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The users [users] and the items [items] whose rows `k_core` keeps, of a log that comes by pieces.

    Args:
        pieces: columns `user`, `item` (positions), no pair twice, each piece with all rows of its users; called anew for each pass.
        sizes: how many users and how many items there are.
        users: as for `k_core`.
        items: as for `k_core`.

    Raises:
        ConfigError: a number is negative.
    """
    _check_core(users, items)
    kept_users, kept_items = np.ones(sizes[0], dtype=bool), np.ones(sizes[1], dtype=bool)
    while True:
        counts, active, rows = np.zeros(sizes[1], dtype=np.int64), np.zeros(sizes[0], dtype=bool), 0
        for piece in pieces():
            user, item = piece["user"].to_numpy(), piece["item"].to_numpy()
            stays = kept_users[user] & kept_items[item]
            user, item = user[stays], item[stays]
            rows += len(user)
            if not len(user):
                continue
            low = int(user.min())
            enough = np.bincount(user - low) >= max(users, 1)
            active[low : low + len(enough)] |= enough
            counts += np.bincount(item[enough[user - low]], minlength=sizes[1])
        kept_users &= active
        kept_items &= counts >= max(items, 1)
        if rows == int(counts[kept_items].sum()):
            return kept_users, kept_items


def _check_core(users: int, items: int) -> None:
    if users < 0 or items < 0:
        raise ConfigError(f"a core of {users} a user and {items} an item is negative; 0 keeps all")
