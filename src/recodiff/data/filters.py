"""Filters on a log's table: pure functions from frame to frame; what one dropped is the difference in height."""

from __future__ import annotations

from typing import Literal

import polars as pl

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
            `refuse` repeats. Where something is dropped, the rest stands in that order.

    Raises:
        DataError: a pair stands twice and `keep` is `refuse`.
        ConfigError: `keep` is none of the three.
    """
    if keep not in ("first", "last", "refuse"):
        raise ConfigError(f"duplicates cannot be handled by {keep!r}; choose 'first', 'last' or 'refuse'")
    key = pl.struct(name for name in ("user", "item", "part") if name in frame.columns)
    if keep == "refuse":
        repeats = frame.filter(~key.is_first_distinct())
        if repeats.height:
            user, item = repeats["user"][0], repeats["item"][0]
            raise DataError(
                f"user {user!r} and item {item!r} stand together more than once ({repeats.height} repeats in all); keep one of "
                "them with duplicates='first' or 'last'"
            )
        return frame
    ordered = frame.sort("time", maintain_order=True) if "time" in frame.columns else frame
    kept = ordered.filter(key.is_first_distinct() if keep == "first" else key.is_last_distinct())
    return kept if kept.height < frame.height else frame


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
    if users < 0 or items < 0:
        raise ConfigError(f"a core of {users} a user and {items} an item is negative; 0 keeps all")
    while True:
        before = frame.height
        for name, least in (("user", users), ("item", items)):
            if least > 1:
                frame = frame.filter(pl.len().over(name) >= least)
        if frame.height == before:
            return frame
