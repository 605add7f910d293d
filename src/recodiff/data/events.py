"""Events: all that a user does at one time, such as a basket. What a log and a dataset's parts do to them, in numbers.

Shapes: `n_users` users, `nnz` interactions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.interactions import Events, Interactions
from recodiff.data.order import rows_in_order
from recodiff.errors import DataError

LATER = ("valid", "test")


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

    Where the boundary falls inside an event, the event is among them for some users: as large a share of these as the share of it
    that was asked for. They are spread evenly in the order of their ids. So large events are held as often as they should be, and
    the share of all interactions is about what was asked. A user's oldest event is never among them.

    Args:
        x: histories with times.
        share: in 0..1.
    """
    first = np.flatnonzero(x.event_begins())
    own = np.diff(first, append=x.nnz)
    rows = x.rows()[first]
    size, before = x.lengths()[rows], first - x.matrix.indptr[rows]
    newer = size - before - own
    part = np.clip((np.floor(size * share + 1e-9) - newer) / own, 0, 1) * (before > 0)  # of each event, how much was asked for
    held, cut = part >= 1, (part > 0) & (part < 1)
    sums = np.cumsum(part[cut])
    held[cut] = np.floor(sums + 0.5) > np.floor(np.concatenate([[0.0], sums[:-1]]) + 0.5)
    return np.repeat(held, own)


def inner_report(train: Interactions, held: NDArray[np.bool_], share: float) -> dict[str, Any]:
    """Count what an inner validation part holds.

    Args:
        train: the training part with times.
        held: the interactions in the inner part, boolean [nnz].
        share: that was asked for.

    Returns:
        `asked` and `held`: shares of the interactions; `users` who have some of them, `lacking` who have a history and none, and
        `of_one_event`: those of the latter whose whole history is one event.
    """
    own = np.bincount(train.rows()[held], minlength=train.n_users)
    lacking = (train.lengths() > 0) & (own == 0)
    return {
        "asked": share,
        "held": round(float(held.mean()), 4),
        "users": int((own > 0).sum()),
        "lacking": int(lacking.sum()),
        "of_one_event": int((lacking & (train.event_counts() == 1)).sum()),
    }


def inner_note(info: Mapping[str, Any]) -> str:
    """A sentence on how much an inner validation part holds, and of whom.

    Args:
        info: of `Dataset.inner`.
    """
    found = info["inner"]
    note = f"the inner validation part holds {found['held']:.1%} of the training interactions ({found['asked']:.0%} was asked for)"
    note += f", of {found['users']:,} users"
    if not found["lacking"]:
        return note
    whole = f"; of {found['of_one_event']:,} of them all is one event" if found["of_one_event"] else ""
    return f"{note}; {found['lacking']:,} others have none of it, since their histories are short or an event is not cut{whole}"


@dataclass(frozen=True)
class EventCounts:
    """Counts of the events in parts of a dataset, or of some of its users; they add up over users.

    Args:
        users: who have any.
        rows: interactions.
        shared: those whose event has several.
        events: of all users.
        users_of_one: users whose whole history is one event.
        tests: interactions of the test part.
        tests_cut: those whose event stands in another part too.
        users_cut: users who have such.
        valid_users_cut: users with an event in validation that training holds too.
    """

    users: int = 0
    rows: int = 0
    shared: int = 0
    events: int = 0
    users_of_one: int = 0
    tests: int = 0
    tests_cut: int = 0
    users_cut: int = 0
    valid_users_cut: int = 0

    @staticmethod
    def of(parts: Mapping[str, Interactions]) -> EventCounts:
        """Count them.

        Args:
            parts: by name, as `Dataset.parts` gives them.
        """
        timed = {name: part.times for name, part in parts.items() if part.times is not None}
        if not timed:
            return EventCounts()
        user = np.concatenate([parts[name].rows() for name in timed])
        time = np.concatenate(list(timed.values()))
        part = np.concatenate(
            [np.full(len(times), LATER.index(name) + 1 if name in LATER else 0, np.uint8) for name, times in timed.items()]
        )
        if len(timed) > 1:  # a part alone stands sorted
            order = rows_in_order(user, next(iter(parts.values())).n_users, time)
            user, time, part = (user, time, part) if order is None else (user[order], time[order], part[order])
        new_user = np.concatenate([np.ones(min(len(user), 1), dtype=bool), user[1:] != user[:-1]])
        begins = np.flatnonzero(new_user | np.concatenate([np.ones(min(len(user), 1), dtype=bool), time[1:] != time[:-1]]))
        size = np.diff(begins, append=len(user))
        valid, test = (np.add.reduceat(part == which, begins, dtype=np.int64) if len(begins) else begins for which in (1, 2))
        per_user = np.diff(np.searchsorted(begins, np.flatnonzero(new_user)), append=len(begins))
        cut = (test > 0) & (test < size)
        return EventCounts(
            users=len(per_user),
            rows=len(user),
            shared=int(size[size > 1].sum()),
            events=len(begins),
            users_of_one=int((per_user == 1).sum()),
            tests=int(test.sum()),
            tests_cut=int(test[cut].sum()),
            users_cut=len(np.unique(user[begins[cut]])),
            valid_users_cut=len(np.unique(user[begins[(valid > 0) & (size > valid + test)]])),
        )

    def __add__(self, other: EventCounts) -> EventCounts:
        """The counts of both, of different users."""
        return EventCounts(*(own + its for own, its in zip(astuple(self), astuple(other), strict=True)))

    def report(self, timed: Collection[str]) -> dict[str, Any]:
        """The same counts as `report` gives them.

        Args:
            timed: the parts that have times.
        """
        if not timed:
            return {}
        found: dict[str, Any] = {
            "shared": _share(self.shared, self.rows),
            "times_per_user": round(self.events / self.users if self.users else 0.0, 2),
            "users_of_one": self.users_of_one,
        }
        if "test" in timed:
            found |= {"test_seen": _share(self.tests_cut, self.tests), "users_cut": self.users_cut}
        return found | ({"valid_users_cut": self.valid_users_cut} if "valid" in timed else {})


def report(parts: Mapping[str, Interactions]) -> dict[str, Any]:
    """Count how the parts of a dataset stand to its events; empty where there is no time.

    Args:
        parts: by name, as `Dataset.parts` gives them.

    Returns:
        `shared`: share of the interactions whose event has several; `times_per_user`: events of a user, on average;
        `users_of_one`: users whose whole history is one event. Where there is a test part, `test_seen`: share of its
        interactions whose event stands in another part too, and `users_cut`: users who have such interactions. Where there is a
        validation part, `valid_users_cut`: users with an event in it that training holds too.
    """
    timed = [name for name, part in parts.items() if part.times is not None]
    return EventCounts.of(parts).report(timed)


def _share(part: int, whole: int) -> float:
    return round(float(part) / max(float(whole), 1), 4)


def lost(whole: pl.DataFrame, cut: pl.DataFrame, *, drawn: bool = False) -> dict[str, int]:
    """Users who lack a part because no event is cut, by the part; pieces of a log add up.

    Args:
        whole: columns `user`, `part`; as the split marked whole events.
        cut: as it marks interactions one by one.
        drawn: whether the two are of users drawn anew, of whom only the number counts: below 0 where whole events lack fewer.
    """
    has = [{name: frame.filter(part=name)["user"].unique() for name in LATER} for frame in (whole, cut)]
    if drawn:
        return {name: len(has[1][name]) - len(has[0][name]) for name in LATER}
    return {name: len(np.setdiff1d(has[1][name].to_numpy(), has[0][name].to_numpy(), assume_unique=True)) for name in LATER}


def remarks(info: Mapping[str, Any]) -> list[str]:
    """Remarks on the events of data that was just prepared, one sentence each.

    Args:
        info: what `dataset.json` holds.
    """
    found = info.get("events", {})
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
        remedy |= {"leave-one-out": "so the last of them is the highest; use --split leave-last in place of the protocol"}
        which = info["split"]["strategy"] if info["split"]["strategy"] in remedy else found["kind"]
        sentences.append(f"rows of equal time stand in the order of their items, {remedy[which]}")
    return [*sentences, *_cuts(found)]


def cut_note(parts: Mapping[str, Interactions]) -> str | None:
    """A sentence for tables of data whose test part begins inside events; None where it does not.

    Args:
        parts: by name, as `Dataset.parts` gives them.
    """
    users = report(parts).get("users_cut", 0)
    return _cuts({"users_cut": users})[0] if users else None


def _cuts(found: Mapping[str, Any]) -> list[str]:
    """The later parts that begin inside events, a sentence each."""
    users = {"test": found.get("users_cut", 0), "validation": found.get("valid_users_cut", 0)}
    return [f"{count} users' {part} begins inside an event that training has seen" for part, count in users.items() if count]


def unknown_to(name: str, info: Mapping[str, Any], parts: Mapping[str, Interactions]) -> str | None:
    """A sentence on data that was prepared before events were known, where that changes its figures.

    Args:
        name: of the data.
        info: what its `dataset.json` holds.
        parts: by name.
    """
    cuts = [] if "events" in info else _cuts(report(parts))
    if not cuts:
        return None
    return f"'{name}' was prepared before events were kept whole: {'; '.join(cuts)}; prepare it again to keep them whole"
