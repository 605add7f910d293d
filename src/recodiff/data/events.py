"""Events: all that a user does at one time, such as a basket. What a log and a dataset's parts do to them, in numbers.

Shapes: `n_users` users, `nnz` interactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.interactions import Events, Interactions
from recodiff.data.order import rows_in_order
from recodiff.errors import DataError

LATER = ("valid", "test")
SORTED = 0.99
"""From this share of ascending neighbours on, rows of equal time are sorted by item; of two in random order half ascend."""
LEAST_PAIRS = 20
"""Neighbours of equal time without which nothing is said of their order."""


def recorded(info: Mapping[str, Any]) -> Events:
    """The kind of events that a data folder names; `split` where it names none, as folders did before events were known.

    Args:
        info: of `dataset.json`.

    Raises:
        DataError: it says something else than `whole`, `ordered` or `split`.
    """
    events = info.get("events", {"kind": "split"})
    found = events.get("kind", "split") if isinstance(events, dict) else events
    if found not in get_args(Events):
        raise DataError(f"the data's events are {found!r}, which this program does not know; prepare the data again")
    return found


def newest_share(x: Interactions, share: float) -> NDArray[np.bool_]:
    """Mark the newest share of each user's history, rounded down; boolean [nnz].

    A boundary inside an event moves to its nearer end, and a user's oldest event is never among them: see `data.split`.

    Args:
        x: histories with times.
        share: in 0..1.
    """
    begins = x.event_begins()
    first, event = np.flatnonzero(begins), np.cumsum(begins) - 1
    own = np.diff(first, append=x.nnz)[event]
    rows = x.rows()
    size, before = x.lengths()[rows], first[event] - x.matrix.indptr[rows]
    return (before > 0) & (2 * (size - before) - own <= 2 * np.floor(size * share + 1e-9))


def report(parts: Mapping[str, Interactions]) -> dict[str, Any]:
    """Count how the parts of a dataset stand to its events; empty where there is no time.

    Args:
        parts: by name, as `Dataset.parts` gives them.

    Returns:
        `shared`: share of the interactions whose event has several; `times_per_user`: events of a user, on average;
        `users_of_one`: users whose whole history is one event; and, where there is a test part, `test_seen`: share of its
        interactions whose event stands in an earlier part too, and `users_cut`: users who have such interactions.
    """
    timed = {name: part.times for name, part in parts.items() if part.times is not None}
    if not timed:
        return {}
    user = np.concatenate([parts[name].rows() for name in timed])
    time = np.concatenate(list(timed.values()))
    test = np.concatenate([np.full(len(times), name == "test") for name, times in timed.items()])
    if len(timed) > 1:  # a part alone stands sorted
        order = rows_in_order(user, next(iter(parts.values())).n_users, time)
        user, time, test = (user, time, test) if order is None else (user[order], time[order], test[order])
    new_user = np.concatenate([np.ones(min(len(user), 1), dtype=bool), user[1:] != user[:-1]])
    begins = np.flatnonzero(new_user | np.concatenate([np.ones(min(len(user), 1), dtype=bool), time[1:] != time[:-1]]))
    size, tested = np.diff(begins, append=len(user)), np.add.reduceat(test, begins, dtype=np.int64) if len(begins) else begins
    per_user = np.diff(np.searchsorted(begins, np.flatnonzero(new_user)), append=len(begins))
    found: dict[str, Any] = {
        "shared": _share(size[size > 1], size),
        "times_per_user": round(float(per_user.mean()) if len(per_user) else 0.0, 2),
        "users_of_one": int((per_user == 1).sum()),
    }
    if "test" in timed:
        cut = (tested > 0) & (tested < size)
        found |= {"test_seen": _share(tested[cut], tested), "users_cut": len(np.unique(user[begins[cut]]))}
    return found


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> float:
    return round(float(part.sum()) / max(float(whole.sum()), 1), 4)


def lost(whole: pl.DataFrame, cut: pl.DataFrame) -> dict[str, int]:
    """Users who lack a part because no event is cut, by the part.

    Args:
        whole: columns `user`, `part`; as the split marked whole events.
        cut: as it marks interactions one by one.
    """
    has = [{name: frame.filter(part=name)["user"].unique() for name in LATER} for frame in (whole, cut)]
    return {name: len(np.setdiff1d(has[1][name].to_numpy(), has[0][name].to_numpy(), assume_unique=True)) for name in LATER}


def by_user_and_time(frame: pl.DataFrame, users: int, events: Events) -> tuple[pl.DataFrame, bool, bool]:
    """Put rows in the order of users and times; equal times as in the log or, where they are `whole` events, by item and weight.

    Args:
        frame: columns `user`, `item` (positions) and `time`, in the order of the log.
        users: how many there are.
        events: what interactions of a user at one time are.

    Returns:
        The rows; whether users have several rows at one time; and whether these stand in the order of their items, up or down,
        which says nothing of what came first.
    """
    user, item, time = (frame[name].to_numpy() for name in ("user", "item", "time"))
    order = rows_in_order(user, users, time)
    own_user, own_time = (user, time) if order is None else (user[order], time[order])
    tied = (own_user[1:] == own_user[:-1]) & (own_time[1:] == own_time[:-1])
    if not tied.any():
        return _picked(frame, order), False, False
    own_item = item if order is None else item[order]
    different = tied & (own_item[1:] != own_item[:-1])
    up, pairs = np.count_nonzero(different & (own_item[1:] > own_item[:-1])), np.count_nonzero(different)
    sorted_by_item = bool(pairs >= LEAST_PAIRS and not 1 - SORTED < up / pairs < SORTED)
    if events == "whole":
        weight = frame["weight"].to_numpy() if "weight" in frame.columns else None
        order = _ties_by_item(np.arange(len(user)) if order is None else order, tied, item, weight)
    return _picked(frame, order), True, sorted_by_item


def _ties_by_item(order: NDArray[Any], tied: NDArray[np.bool_], item: NDArray[Any], weight: NDArray[Any] | None) -> NDArray[Any]:
    """The order, with rows that are tied to the one before in the order of their items and weights."""
    places = np.flatnonzero(np.concatenate([[False], tied]) | np.concatenate([tied, [False]]))
    rows = order[places]
    tie = np.concatenate([[0], np.cumsum(~tied)])[places]
    keys = (item[rows], tie) if weight is None else (weight[rows], item[rows], tie)
    order = order.copy()
    order[places] = rows[np.lexsort(keys)]
    return order


def _picked(frame: pl.DataFrame, order: NDArray[Any] | None) -> pl.DataFrame:
    if order is None:
        return frame
    plain = [column for column in frame.iter_columns() if column.dtype.is_numeric() and not column.null_count()]
    picked = {column.name: pl.Series(column.to_numpy()[order]) for column in plain}  # several times faster than polars' gather
    rest = frame.drop(picked.keys())
    picked |= {column.name: column.gather(order) for column in rest.iter_columns()}
    return pl.DataFrame({name: picked[name] for name in frame.columns})


def remarks(found: Mapping[str, Any]) -> list[str]:
    """Remarks on the events of data that was just prepared, one sentence each.

    Args:
        found: `events` of what `dataset.json` holds; empty where there is no time.
    """
    sentences = []
    for part, users in found.get("lost", {}).items():
        if users:
            sentences.append(f"{users} users have no {part} part, since what a user does at one time (an event) is not cut")
    if found.get("sorted_by_item"):
        remedy = {
            "whole": "which says nothing of what came first and is not used",
            "ordered": "so their order is hardly real; use --events whole",
            "split": "so the highest of them come last, and models are measured on that; use --events whole",
        }
        sentences.append(f"rows of equal time stand in the order of their items, {remedy[found['kind']]}")
    if users := found.get("users_cut", 0):
        sentences.append(_cut(users))
    return sentences


def cut_note(parts: Mapping[str, Interactions]) -> str | None:
    """A sentence for tables of data whose test part begins inside events; None where it does not.

    Args:
        parts: by name, as `Dataset.parts` gives them.
    """
    users = report(parts).get("users_cut", 0)
    return _cut(users) if users else None


def _cut(users: int) -> str:
    return f"{users} users' test begins inside an event that training has seen"


def unknown_to(name: str, info: Mapping[str, Any], parts: Mapping[str, Interactions]) -> str | None:
    """A sentence on data that was prepared before events were known, where that changes its figures.

    Args:
        name: of the data.
        info: what its `dataset.json` holds.
        parts: by name.
    """
    note = None if "events" in info else cut_note(parts)
    return note and f"'{name}' was prepared before events were kept whole: {note}; prepare it again to keep them whole"
