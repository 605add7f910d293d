"""Filters on a log's table: pure functions from frame to frame; what one dropped is the difference in height."""

from __future__ import annotations

from typing import Literal

import polars as pl

from recodiff.errors import ConfigError, DataError

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
    key = [name for name in ("user", "item", "part") if name in frame.columns]
    different = frame.select(pl.struct(key).n_unique()).item()
    if different == frame.height:
        return frame
    if keep == "refuse":
        pair = frame.filter(pl.struct(key).is_duplicated()).row(0, named=True)
        raise DataError(
            f"user {pair['user']!r} and item {pair['item']!r} stand together more than once ({frame.height - different} repeats in "
            "all); keep one of them with duplicates='first' or 'last'"
        )
    ordered = frame.sort("time", maintain_order=True) if "time" in frame.columns else frame
    return ordered.unique(key, keep=keep, maintain_order=True)


def k_core(frame: pl.DataFrame, users: int = 0, items: int = 0) -> pl.DataFrame:
    """The largest part of the log in which each user has `users` interactions and each item `items`.

    Dropping a user can push an item below its bound and the other way round, so both are repeated until nothing changes.

    Args:
        frame: columns `user`, `item`, without repeats.
        users: the least interactions of a user; 0 or 1 keeps all.
        items: the least interactions of an item; 0 or 1 keeps all.
    """
    while True:
        before = frame.height
        for name, least in (("user", users), ("item", items)):
            if least > 1:
                frame = frame.filter(pl.len().over(name) >= least)
        if frame.height == before:
            return frame
