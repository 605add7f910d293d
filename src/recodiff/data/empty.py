"""Parts that a split leaves empty: which, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import polars as pl

from recodiff.data.dataset import PARTS
from recodiff.data.interactions import Events
from recodiff.data.split import AsPublished, LeaveLast, Random, Split, Temporal, TemporalAt


def empty_parts(split: Split, made: Collection[str]) -> list[str]:
    """Parts that a split asks for and that nothing is in.

    Args:
        split: the strategy.
        made: the parts that it marked.
    """
    known = set(made) <= set(PARTS)  # a split that makes others is at fault itself, which is said where the parts are built
    return [part for part in split.promises() if part not in made] if known else []


def history_sizes(frame: pl.DataFrame, events: Events) -> pl.DataFrame:
    """Count the events and the interactions of each user: `size`, `len`.

    Args:
        frame: columns `user`, and `time` where there is one.
        events: what interactions of a user at one time are.
    """
    size = pl.col("time").n_unique() if "time" in frame.columns and events != "split" else pl.len()
    return frame.group_by("user").agg(size.alias("size"), pl.len().alias("len"))


def why_empty(histories: pl.DataFrame, times: Callable[[], pl.Series], split: Split, events: Events, part: str) -> str:
    """A sentence that says why a part is empty, in numbers of users, and what to do.

    Args:
        histories: `size` and `len` of each user, see `history_sizes`.
        times: gives the distinct times in sorted order; asked for one moment of all users.
        split: the strategy.
        events: what interactions of a user at one time are.
        part: the one that is empty.
    """
    if split.needs == "clock":
        return _no_moment(times(), split, part)
    sizes = histories["size"]
    ones, twos, longest = int((sizes == 1).sum()), int((sizes == 2).sum()), int(sizes.max() or 0)  # type: ignore[arg-type]
    tied = longest < int(histories["len"].max() or 0)  # type: ignore[arg-type]
    what, whole = ("event", " where events (what a user does at one time) stay whole") if tied else ("interaction", "")
    if tied and ones == len(sizes):
        return (
            f"the split {split.name!r} leaves the part {part!r} empty: all {ones} users stay in train, since the whole history of "
            "each is one event (what a user does at one time), which is not cut; add interactions of other times, or let rows of "
            "equal time stand alone (--events split)"
        )
    found = f"{ones} have one {what}, {twos} two, the most {longest}"
    remedies = [_remedy(split, longest), "filter less", *(["let rows of equal time stand alone (--events split)"] if tied else [])]
    return (
        f"the split {split.name!r} leaves the part {part!r} empty: {histories['len'].sum()} interactions of {len(sizes)} users do "
        f"not suffice{whole} ({found}); {', or '.join(remedies)}"
    )


def _no_moment(times: pl.Series, split: Split, part: str) -> str:
    """A sentence on a split by one moment for all users, which no kind of events changes."""
    first, last = (str(np.datetime64(int(times[place]), "s")) for place in (0, -1))
    found = f"the log has {len(times)} distinct times, from {first} to {last}, and what stands at one is not cut"
    remedy = "choose moments between them (--split temporal-at --valid-from ... --test-from ...)"
    shares = "" if isinstance(split, TemporalAt) else ", or larger shares (--valid, --test)"
    return f"the split {split.name!r} leaves the part {part!r} empty: {found}; {remedy}{shares}"


def _remedy(split: Split, longest: int) -> str:
    """What else to ask for, where the longest history has so many events."""
    if isinstance(split, LeaveLast) or (isinstance(split, Temporal) and longest < 3):
        return "do without a validation part (--split leave-last --valid 0)" if longest == 2 else "add interactions"
    if isinstance(split, AsPublished):
        return "do without a validation part (--split published --valid 0)"
    if isinstance(split, Temporal):
        return "choose other shares, or the split leave-last"
    if longest < 2:
        return "add interactions"
    shares = "--valid 0 --test 0.5" if longest == 2 else "--valid 0.34 --test 0.34"
    return f"choose larger shares, such as --split random {shares}" if isinstance(split, Random) else "choose other shares"
