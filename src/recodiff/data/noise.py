"""Noise in what models learn from, as in the paper's noisy training settings; the test part stays clean.

*Natural* noise is made of low ratings and is added while a log is prepared (`prepare(..., noise=NaturalNoise())`). *Random*
noise is made of items that a user never had and is added to any dataset (`corrupt`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from recodiff.data.dataset import Dataset
from recodiff.data.events import report
from recodiff.data.filters import PAIR, Duplicates, deduplicate
from recodiff.data.ids import IntArray
from recodiff.data.interactions import Interactions
from recodiff.data.random_keys import random_keys
from recodiff.data.readers.log import Log
from recodiff.data.saving import DATA_FOLDER, load_dataset, save_dataset
from recodiff.data.strategy import Split
from recodiff.errors import ConfigError, DataError
from recodiff.moved import answer_calls
from recodiff.runtime.folders import check_free

NOISY_PARTS = ("train", "valid")


@dataclass(frozen=True)
class NaturalNoise:
    """Low ratings of the clean data's users, added to train and validation as if they were likes.

    The clean data comes first: rated high enough, filtered, split in time. Then

    * what a user rated below the threshold is added, except items that the user has in a clean part; any item may come in,
      so the catalogue grows;
    * it falls into the part that its own time belongs to. A part begins with its first clean interaction: the user's own, or
      anyone's where the split has one moment for all. At that very moment the later part has begun, and what is added never falls
      into the test part: so late, it is left out;
    * at the scale `same`, each of the two parts is thinned to the size it had. That many of its clean and added interactions
      together are drawn, all equally likely. Of each user who had a clean train part one train interaction always stays.

    The paper asks for numbers on a similar scale and no more. As here, users' sizes change in its ML-1M files, and items
    come in that have a single interaction.

    Args:
        scale: `same` thins train and validation to their clean sizes; `all` keeps everything.
        seed: of the thinning, which does not depend on the order of the log.

    Raises:
        ConfigError: the scale is unknown.
    """

    scale: Literal["same", "all"] = "same"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale not in ("same", "all"):
            raise ConfigError(f"natural noise has no scale {self.scale!r}; choose 'same' or 'all'")
        _check_seed(self.seed)

    def check(self, log: Log, minimum: float | None, split: Split) -> None:
        """Refuse what natural noise cannot be made from.

        Args:
            log: as it was read.
            minimum: the rating from which on the data is clean; None where all counts.
            split: of the clean data.

        Raises:
            ConfigError: there is no threshold, or the split knows no moments.
            DataError: the log has no ratings, or no time.
        """
        if minimum is None:
            raise ConfigError("natural noise is what is rated below a threshold, and none is set; give min_weight= (--min-rating)")
        for column, what in (("weight", "ratings"), ("time", "times")):
            if column not in log.frame.columns:
                raise DataError(
                    f"natural noise needs {what}, and {log.source} has none; name their column with {column}= (--{column}-column)"
                )
        if split.needs == "nothing":
            raise ConfigError(f"natural noise needs a split in time, and {split.name!r} is none; use 'temporal'")

    def __call__(self, clean: pl.DataFrame, low: pl.DataFrame, split: Split) -> tuple[pl.DataFrame, dict[str, Any]]:
        """The noisy data, and what was done to the clean data.

        Args:
            clean: columns `user`, `item`, `time`, `part`, `row` (the place in the log) and whatever else.
            low: what `rated_below` gave, with the same columns but `part`.
            split: how the clean data was split.

        Raises:
            DataError: there is nothing to add.
        """
        timely = _in_parts(clean, low, split)
        if timely.is_empty():
            raise DataError("there is no natural noise: the users rated nothing lower before their test part; raise the threshold")
        both = pl.concat([clean.with_columns(added=False), timely.with_columns(added=True).select(*clean.columns, "added")])
        noisy = both if self.scale == "all" else _thinned(both, self.seed)
        made = {
            "kind": "natural",
            **asdict(self),
            "added": _counts(noisy.filter("added")),
            "removed": _counts(both.join(noisy, on=PAIR, how="anti").filter(~pl.col("added"))),
            "too_late": low.height - timely.height,
        }
        return noisy.sort("row").drop("added", "row"), made


def rated_below(log: pl.DataFrame, minimum: float, clean: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    """Pairs that the users of `clean` rated below `minimum`, once each, without those that stand in `clean`.

    Args:
        log: of ratings, as `read_log` gives its frame.
        duplicates: which rating counts of a pair that was rated more than once.
    """
    low = deduplicate(log.filter(pl.col("weight") < minimum), duplicates)
    return low.join(clean, on="user", how="semi").join(clean, on=PAIR, how="anti")


def _in_parts(clean: pl.DataFrame, low: pl.DataFrame, split: Split) -> pl.DataFrame:
    """`low` with the part that each time belongs to, without what falls into the test part."""
    begins = clean.group_by("user").agg(pl.col("time").filter(part=name).min().alias(f"{name}_from") for name in ("valid", "test"))
    if split.needs == "clock":  # one moment for all users
        begins = begins.with_columns(pl.col("valid_from", "test_from").min())
    # A part that a user lacks has no beginning: comparing with null is not true.
    part = pl.when(pl.col("time") >= pl.col("valid_from")).then(pl.lit("valid")).otherwise(pl.lit("train"))
    timely = (pl.col("time") < pl.col("test_from")).fill_null(True)
    return low.join(begins, on="user").filter(timely).with_columns(part=part).drop("valid_from", "test_from")


def _thinned(both: pl.DataFrame, seed: int) -> pl.DataFrame:
    """As many rows of each part as are not added; see `NaturalNoise`. The test part, where nothing is added, stays whole."""
    train, key = pl.col("part") == "train", pl.col("key")
    has_clean_train = (train & ~pl.col("added")).any().over("user")
    stays = train & has_clean_train & (key == key.min().over("user", "part"))
    place = pl.when(stays).then(-1.0).otherwise(key).rank("ordinal").over("part")
    size = (~pl.col("added")).sum().over("part")
    return both.with_columns(random_keys(both, seed)).filter(place <= size).drop("key")


def _counts(frame: pl.DataFrame) -> dict[str, int]:
    return {part: frame.filter(part=part).height for part in NOISY_PARTS}


def corrupt(
    data: Dataset | str | Path,
    out: str | Path | None = None,
    *,
    share: float,
    seed: int = 0,
    name: str | None = None,
    overwrite: bool = False,
) -> Dataset:
    """Add random noise to the train and validation parts and, where `out` is given, writes the canonical folder.

    A user with n interactions in a part gets `share` n more there, rounded down or up. The part as a whole gets `share` of its
    size, rounded to the nearest: users are rounded cumulatively, in random order. Their items are drawn from all that the user
    has in no part at all, equally likely. Each takes a random place in the user's order, every gap equally likely, and the time
    and weight of the interaction it then follows (at the very beginning: precedes).

    Args:
        data: a dataset, or its folder; a release folder serves as it is, and data without time too.
        out: the folder to write.
        share: noise for each clean interaction, above 0 and at most 1.
        seed: of all draws.
        name: what tables call the data; the name of `out`, or one made from the data's own, unless given.
        overwrite: whether a dataset in `out` may be replaced.

    Raises:
        ConfigError: share or seed is out of range, or so small a share adds nothing.
        DataError: the data cannot be read, a user has too few items left to draw from, or `out` cannot be written.
    """
    if out is not None:
        if not isinstance(data, Dataset) and Path(out).resolve() == Path(data).resolve():
            raise DataError(f"'{out}' would be replaced by its own noisy copy; give the copy a folder of its own")
        check_free(Path(out), overwrite=overwrite, kind=DATA_FOLDER)
    if not 0 < share <= 1:
        raise ConfigError(f"share={share:g} is out of range; noise for each interaction lies above 0 and at most at 1")
    _check_seed(seed)
    clean = data if isinstance(data, Dataset) else load_dataset(data)
    parts = _with_random_items(np.random.default_rng(seed), clean, share)
    made = {
        "kind": "random",
        "share": share,
        "seed": seed,
        "added": {part: noisy.nnz - clean.parts()[part].nnz for part, noisy in parts.items()},
        "added_to": clean.fingerprint(),
    }
    name = name or (f"{clean.name}-noise-{share:g}" if out is None else Path(out).resolve().name)
    info = clean.info | {"name": name, "noise": [*clean.info.get("noise", []), made]}
    noisy = replace(clean, **parts, info=info)
    if "events" in info:
        info = info | {"events": info["events"] | report(noisy.parts())}
    noisy = replace(noisy, info=info | noisy.summary())
    if out is not None:
        save_dataset(noisy, out, overwrite=overwrite)
    return noisy


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; seeds start at 0")


def _with_random_items(rng: np.random.Generator, clean: Dataset, share: float) -> dict[str, Interactions]:
    """The parts that noise goes into, with it."""
    parts = {name: part for name, part in clean.parts().items() if name in NOISY_PARTS}
    portions = np.stack([_portions(rng, part.lengths(), share) for part in parts.values()])  # [parts, n_users]
    wanted = portions.sum(axis=0)
    if not wanted.any():
        raise ConfigError(f"share={share:g} of the interactions in {clean.name} is not even one; ask for more")
    n_items = len(clean.items)
    everything = clean.history("+".join(clean.parts()))
    seen, n_seen = everything.rows() * n_items + everything.matrix.indices, everything.lengths()
    short = np.flatnonzero(wanted > n_items - n_seen)
    if len(short):
        user = short[0]
        raise DataError(
            f"user {clean.users.ids[int(user)]!r} has {n_seen[user]} of the {n_items} items, too many for {wanted[user]} more "
            f"({len(short)} such users); ask for a smaller share than {share:g}"
        )
    row, item = np.divmod(_unseen(rng, wanted, seen, n_seen, n_items), n_items)
    place = np.arange(len(row)) - np.searchsorted(row, row)  # within the user: the first ones go to the first part
    which = (place >= np.cumsum(portions, axis=0)[:, row]).sum(axis=0)
    return {
        name: _inserted(rng, part, row[which == number], item[which == number]) for number, (name, part) in enumerate(parts.items())
    }


def _portions(rng: np.random.Generator, lengths: IntArray, share: float) -> IntArray:
    """`share` of each length, rounded down or up; share of their sum, rounded to the nearest, in all."""
    order = rng.permutation(len(lengths))
    # The small number keeps .3 * 15 + .5, just below 5 in floating point, from losing one.
    upto = np.floor(share * np.cumsum(lengths[order]) + 0.5 + 1e-7).astype(np.int64)
    portions = np.empty_like(lengths)
    portions[order] = np.diff(upto, prepend=0)
    return portions


def _unseen(rng: np.random.Generator, wanted: IntArray, seen: IntArray, n_seen: IntArray, n_items: int) -> IntArray:
    """Distinct unseen pairs, `wanted` [n_users] of each user, by user and otherwise in random order.

    A pair is written as user * n_items + item. Trial and error serves users who have half of the items free to the end; for
    the others all items are listed, which is longer than the data by a constant factor only.
    """
    crowded = 2 * (n_seen + wanted) > n_items
    tried = _by_trial(rng, np.where(crowded, 0, wanted), seen, n_items)
    pairs = np.concatenate([tried, _from_lists(rng, np.where(crowded, wanted, 0), seen, n_items)])
    return pairs[np.argsort(pairs // n_items, kind="stable")]


def _by_trial(rng: np.random.Generator, wanted: IntArray, seen: IntArray, n_items: int) -> IntArray:
    pairs = np.repeat(np.arange(len(wanted)), wanted) * n_items
    taken, again = seen, np.arange(len(pairs))
    while len(again):
        drawn = pairs[again] + rng.integers(n_items, size=len(again))
        distinct, first = np.unique(drawn, return_index=True)
        free = first[~np.isin(distinct, taken, assume_unique=True)]
        pairs[again[free]] = drawn[free]
        taken, again = np.concatenate([taken, drawn[free]]), np.delete(again, free)
    return pairs


def _from_lists(rng: np.random.Generator, wanted: IntArray, seen: IntArray, n_items: int) -> IntArray:
    users = np.flatnonzero(wanted)
    theirs = seen[np.isin(seen // n_items, users)]
    keys = rng.random((len(users), n_items))
    keys[np.searchsorted(users, theirs // n_items), theirs % n_items] = np.inf
    pairs = users[:, None] * n_items + np.argsort(keys, axis=1)
    return pairs[np.arange(n_items) < wanted[users, None]]


def _inserted(rng: np.random.Generator, x: Interactions, row: IntArray, item: IntArray) -> Interactions:
    """`x` with items [n] of users `row` [n], each of whom has some already, at random places of their histories."""
    gap = rng.integers(x.lengths()[row] + 1)  # before the entry of this place
    near = x.matrix.indptr[row] + np.maximum(gap - 1, 0)
    rows = np.concatenate([x.rows(), row])
    order = np.lexsort((np.concatenate([2 * x.positions() + 1, 2 * gap]), rows))
    return Interactions.from_arrays(
        rows[order],
        np.concatenate([x.matrix.indices, item])[order],
        x.users,
        x.items,
        weights=np.concatenate([x.matrix.data, x.matrix.data[near]])[order],
        times=None if x.times is None else np.concatenate([x.times, x.times[near]])[order],
        time_kind=x.time_kind,
        events=x.events,
    )


answer_calls(__name__)
