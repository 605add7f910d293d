"""Made-up logs of any size: planted clusters of users and items, power-law popularity, and tastes that drift.

Drawn in pieces of whole users, each from its own generator keyed by (seed, piece): one piece at a time is in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.errors import ConfigError
from recodiff.runtime import files
from recodiff.runtime.folders import FolderKind, atomic_folder

MARKER, PIECES_CALLED = "synthetic.json", re.compile(r"interactions-\d{6}\.parquet")
MADE_BY = frozenset({"users", "items", "interactions", "seed", "piece", "taste"})
"""What the marker says."""
_START = 1_704_067_200  # 2024-01-01, in seconds since 1970
_ROUNDS_BY_TASTE = 3


@dataclass(frozen=True)
class Taste:
    """The taste of made-up users, and how it changes.

    Args:
        clusters: groups of items; item `i` belongs to group `i % clusters`, and every user has one of the groups.
        loyalty: share of a user's interactions that fall into the group.
        popularity: exponent of the power law within a group: the item of rank r is drawn in proportion to r^-popularity.
        activity: spread of the users' activity, the standard deviation of its logarithm.
        drift: the share of each group that passes through its top over the whole time, and of users' interactions that moves
            from the first group to a second one.
        days: the time that the log spans.

    Raises:
        ConfigError: a number is out of range.
    """

    clusters: int = 8
    loyalty: float = 0.8
    popularity: float = 1.0
    activity: float = 1.0
    drift: float = 0.2
    days: int = 365

    def __post_init__(self) -> None:
        if self.clusters < 1 or self.days < 1 or self.popularity < 0 or self.activity < 0:
            raise ConfigError(f"{self} is no taste: clusters and days start at 1, popularity and activity at 0")
        if not (0 <= self.loyalty <= 1 and 0 <= self.drift <= 1):
            raise ConfigError(f"loyalty {self.loyalty:g} and drift {self.drift:g} are shares: give numbers from 0 to 1")


def synthesise(
    users: int, items: int, interactions: int, *, seed: int = 0, taste: Taste = Taste(), piece: int = 1_000_000
) -> pl.DataFrame:
    """A log as one table, `user`, `item`, `time` (seconds), sorted by user and time; no user has an item twice.

    Args:
        users: how many; each has at least one interaction where there are enough.
        items: how many; some may never occur.
        interactions: how many, exactly; at most half of all pairs.
        seed: of all draws; the same seed and piece give the same log.
        taste: what users like.
        piece: interactions drawn at a time, about.

    Raises:
        ConfigError: a number is out of range.
    """
    return pl.concat(_pieces(users, items, interactions, seed, taste, piece))


def write_synthetic(
    path: str | Path,
    users: int,
    items: int,
    interactions: int,
    *,
    seed: int = 0,
    taste: Taste = Taste(),
    piece: int = 1_000_000,
    overwrite: bool = False,
) -> None:
    """Write the log of `synthesise` as a folder of Parquet files, a piece each, with titles beside them; `read_log` takes it.

    Args:
        path: the folder.
        users, items, interactions, seed, taste, piece: as for `synthesise`; memory grows with `piece` and `items` only.
        users: how many, as for `synthesise`.
        interactions: how many in all.
        seed: of all draws.
        taste: of the users.
        overwrite: whether a synthetic log in `path` may be replaced.

    Raises:
        ConfigError: a number is out of range.
        DataError: the place is taken or cannot be written.
    """
    pieces = _pieces(users, items, interactions, seed, taste, piece)
    with atomic_folder(Path(path), overwrite=overwrite, kind=FolderKind(MARKER, _synthetic_files)) as folder:
        for number, frame in enumerate(pieces):
            frame.write_parquet(folder / f"interactions-{number:06d}.parquet")
        table = pl.select(item=pl.int_range(items, dtype=pl.Int64)).with_columns(cluster=pl.col("item") % taste.clusters)
        table.with_columns(title=pl.format("Item {} of cluster {}", "item", "cluster")).write_parquet(folder / "items.parquet")
        sizes = {"users": users, "items": items, "interactions": interactions, "seed": seed, "piece": piece}
        (folder / MARKER).write_text(json.dumps(sizes | {"taste": asdict(taste)}, indent=2) + "\n", encoding="utf-8")


def _synthetic_files(folder: Path) -> frozenset[str]:
    """Names of the files that are a made-up log in a folder; none where its marker is not there, or another's."""
    if (files.described(folder / MARKER) or {}).keys() != MADE_BY:
        return frozenset()
    return frozenset({MARKER, "items.parquet"} | {path.name for path in folder.iterdir() if PIECES_CALLED.fullmatch(path.name)})


def _pieces(users: int, items: int, interactions: int, seed: int, taste: Taste, piece: int) -> Iterator[pl.DataFrame]:
    most = max(1, items // 2)
    if min(users, items, interactions, piece) < 1 or seed < 0 or items < taste.clusters:
        raise ConfigError(
            f"users={users}, items={items}, interactions={interactions}, piece={piece} start at 1, seed={seed} at 0, and each of "
            f"{taste.clusters} clusters needs an item"
        )
    if interactions > users * most:
        raise ConfigError(f"{interactions} interactions are more than half of {users} users x {items} items; ask for fewer")
    step = max(1, piece * users // interactions)
    return (
        _piece(np.random.default_rng([seed, number]), start, min(start + step, users), users, items, interactions, taste)
        for number, start in enumerate(range(0, users, step))
    )


def _piece(rng: np.random.Generator, start: int, end: int, users: int, items: int, interactions: int, taste: Taste) -> pl.DataFrame:
    """The interactions of the users `start` to `end`."""
    quota = interactions * end // users - interactions * start // users
    counts = _counts(rng, end - start, quota, max(1, items // 2), taste.activity)
    home = rng.integers(taste.clusters, size=end - start)
    away = (home + rng.integers(1, max(taste.clusters, 2), size=end - start)) % taste.clusters
    begin = rng.random(end - start) * 0.8  # when a user appears, as a share of the whole time
    row = np.repeat(np.arange(end - start), counts)
    moment = begin[row] + (1 - begin[row]) * rng.random(quota)
    item = np.empty(quota, dtype=np.int64)
    again, rounds = np.arange(quota), 0
    while len(again):
        if rounds < _ROUNDS_BY_TASTE:
            item[again] = _draw(rng, home[row[again]], away[row[again]], moment[again], items, taste)
        else:  # the few who have seen their favourites try anything: this ends, as no user has more than half of the items
            item[again] = rng.integers(items, size=len(again))
        _, first = np.unique(row * items + item, return_index=True)
        repeated = np.ones(quota, dtype=bool)
        repeated[first] = False
        again, rounds = np.flatnonzero(repeated), rounds + 1
    time = _START + (moment * taste.days * 86_400).astype(np.int64)
    return pl.DataFrame({"user": row + start, "item": item, "time": time}).sort("user", "time", "item")


def _counts(rng: np.random.Generator, users: int, quota: int, most: int, activity: float) -> NDArray[np.int64]:
    """How many interactions each user has: `quota` in all, at most `most` each, log-normal but for that."""
    least = int(quota >= users)
    weights = np.cumsum(rng.lognormal(sigma=activity, size=users))
    edges = np.rint(weights / weights[-1] * (quota - least * users)).astype(np.int64)
    counts = np.minimum(least + np.diff(edges, prepend=0), most)
    room = most - counts
    return counts + np.clip(quota - counts.sum() - (np.cumsum(room) - room), 0, room)


def _draw(
    rng: np.random.Generator,
    home: NDArray[np.int64],
    away: NDArray[np.int64],
    moment: NDArray[np.float64],
    items: int,
    taste: Taste,
) -> NDArray[np.int64]:
    """An item for each interaction, from its user's group or another, by popularity at that moment (0 to 1)."""
    n = len(moment)
    cluster = np.where(rng.random(n) < taste.drift * moment, away, home)
    cluster = np.where(rng.random(n) < taste.loyalty, cluster, rng.integers(taste.clusters, size=n))
    size = (items - cluster + taste.clusters - 1) // taste.clusters
    power, u = 1 - taste.popularity, rng.random(n)
    # The inverse of the distribution function of x^-popularity on [1, size + 1): no table of the size of the catalogue.
    x = (size + 1.0) ** u if power == 0 else (1 + u * ((size + 1.0) ** power - 1)) ** (1 / power)
    rank = np.minimum(x.astype(np.int64) - 1, size - 1)
    return cluster + taste.clusters * ((rank + (taste.drift * moment * size).astype(np.int64)) % size)
