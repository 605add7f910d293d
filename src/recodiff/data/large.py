"""Preparing a log that does not fit in memory: the steps of `prepare`, on pieces that each hold all rows of some users.

DuckDB sorts the rows by user, time and place in the log, on disk where it must. What a user's rows become then follows from them
and a few numbers of the whole, such as which items a core keeps and where a moment lies. So the functions that prepare a whole log
prepare each piece, and the rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data import filters
from recodiff.data.dataset import PARTS, Dataset, align, interactions_of
from recodiff.data.empty import empty_parts, history_sizes, why_empty
from recodiff.data.events import LATER, EventCounts, lost
from recodiff.data.filters import PAIR
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Interactions
from recodiff.data.mapped import PartWriter, open_part
from recodiff.data.order import Coder, renumbered
from recodiff.data.protocols import with_ranks
from recodiff.data.readers.log import Large, Log
from recodiff.data.readers.tables import height, in_memory
from recodiff.data.readers.values import ROW
from recodiff.data.recipe import Recipe, Step, refuse_nothing
from recodiff.data.saving import DATA_FOLDER, write_rest
from recodiff.data.split import AsPublished
from recodiff.data.ties import TieCounts, by_user_and_time
from recodiff.errors import ConfigError, DataError
from recodiff.runtime.folders import atomic_folder
from recodiff.runtime.progress import bar
from recodiff.runtime.spill import Spill

SHARE_OF_IDS = 3
"""The different ids may take a third of the bound: they are in memory throughout."""
ID_BYTES, TEXT_BYTES = 16, 80
"""That a different number, and a different text, takes with its position."""


def prepare_large(log: Log, large: Large, out: Path, recipe: Recipe, *, overwrite: bool) -> Dataset:
    """Prepare a log that streams, as `prepare` prepares one that is held, and write it as a folder of version 2.

    Args:
        log: what is known of it.
        large: its rows.
        out: the folder.
        recipe: what to do.
        overwrite: whether a dataset in `out` may be replaced.

    Raises:
        DataError: as for `prepare`, or the disk is full.
        ConfigError: the split is one that needs all rows at once.
    """
    if not recipe.split.by_pieces:
        raise ConfigError(f"the split {recipe.split.name!r} needs all rows at once; leave memory= (--memory) out")
    ids = {name: _different(large, name) for name in PAIR}
    rows = _sorted(log, large, recipe, ids)
    clean = _cleaned(log, large, recipe, ids, rows)
    return _written(log, large.spill, out, recipe, clean, overwrite=overwrite)


def _different(large: Large, name: str) -> pl.Series:
    """The different ids in sorted order."""
    ids = in_memory(large.rows.select(pl.col(name).unique())).to_series().sort()
    size = len(ids) * (TEXT_BYTES if ids.dtype == pl.String else ID_BYTES)
    if size * SHARE_OF_IDS > large.spill.memory:
        raise DataError(
            f"the {len(ids):,} different ids of {name}s take some {size // 10**6:,} MB in memory, more than a third of the "
            f"{large.spill.memory // 10**6:,} MB that all may take; give more with memory= (--memory)"
        )
    return ids


def _sorted(log: Log, large: Large, recipe: Recipe, ids: dict[str, pl.Series]) -> pl.LazyFrame:
    """The rows by user, time and place in the log, with positions in place of ids; and what orders the log, for repeats."""
    names = large.rows.collect_schema().names()
    if not isinstance(recipe.split, AsPublished):  # parts that will be drawn anew must not keep both copies of a pair
        names = [name for name in names if name != "part"]
    coders, files = {name: Coder(known) for name, known in ids.items()}, []
    with bar("numbering", height(large.rows)) as advance:
        for batch in large.spill.batches(large.rows.select(names)):
            codes = [coders[name](batch[name]).alias(name) for name in PAIR]
            files.append(large.spill.file(".parquet"))
            batch.with_columns(codes).write_parquet(files[-1], compression="lz4")
            advance(batch.height, "")
    fine = ["fine"] if "fine" in names else []
    order = ["user", *(["time"] if "time" in names else []), *fine, ROW]
    kept = [name for name in names if recipe.duplicates == "refuse" or name not in (ROW, "fine")]
    with bar("sorting", None):
        rows = large.spill.sort(files, order, kept)
    for file in files:
        file.unlink()
    return rows


@dataclass
class _Sizes:
    """What a step left, over all pieces."""

    items: NDArray[np.bool_]
    rows: int = 0
    users: int = 0

    def add(self, piece: pl.DataFrame) -> None:
        self.rows += piece.height
        if piece.height:
            user = piece["user"].to_numpy()
            self.users += len(np.unique(user))
            self.items[piece["item"].to_numpy()] = True

    def as_step(self) -> Step:
        return {"interactions": self.rows, "users": self.users, "items": int(np.count_nonzero(self.items))}


@dataclass
class _Repeats:
    """The first repeat of a pair in the log's order, and how many there are."""

    ids: dict[str, pl.Series]
    count: int = 0
    first: tuple[Any, ...] | None = None
    pair: tuple[int, int] = (0, 0)

    def add(self, piece: pl.DataFrame) -> None:
        order = [name for name in ("fine", ROW) if name in piece.columns]
        again = filters.repeats(piece.sort(order))
        self.count += again.height
        if again.height and (self.first is None or again.select(order).row(0) < self.first):
            self.first, self.pair = again.select(order).row(0), (int(again["user"][0]), int(again["item"][0]))

    def refuse(self) -> None:
        if self.count:
            raise filters.twice(self.ids["user"][self.pair[0]], self.ids["item"][self.pair[1]], self.count)


@dataclass
class _Clean:
    """Rows without repeats, in files that each hold all rows of some users; whose of them stay; and what was counted."""

    files: list[Path]
    ids: dict[str, pl.Series]
    kept: dict[str, NDArray[np.bool_]]
    steps: list[Step]
    ties: TieCounts
    unused: list[str]

    def pieces(self) -> Iterator[pl.DataFrame]:
        """What stays, by pieces."""
        for piece in self.stored():
            stays = np.logical_and(*(self.kept[name][piece[name].to_numpy()] for name in PAIR))
            if stays.any():
                yield (piece if stays.all() else piece.filter(pl.Series(stays))).drop(self.unused, strict=False)

    def times(self) -> pl.Series:
        """The distinct times of what stays, in sorted order."""
        found = pl.Series("time", [], dtype=pl.Int64)
        for piece in self.pieces():
            found = pl.concat([found, piece["time"]]).unique()
        return found.sort()

    def stored(self, *columns: str) -> Iterator[pl.DataFrame]:
        """All rows of the files, by pieces."""
        for file in self.files:
            yield pl.read_parquet(file, columns=list(columns) or None, glob=False)


def _whole_users(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Rows that stand by user, by pieces of all rows of some users."""
    kept = None
    for batch in batches:
        frame = batch if kept is None else pl.concat([kept, batch])
        begin = int(frame["user"].search_sorted(frame["user"][-1], side="left"))
        kept = frame.slice(begin)
        if begin:
            yield frame.head(begin).rechunk()
    if kept is not None:
        yield kept.rechunk()


def _cleaned(log: Log, large: Large, recipe: Recipe, ids: dict[str, pl.Series], rows: pl.LazyFrame) -> _Clean:
    """The rows after a least weight, repeats and the core."""
    sizes = [_Sizes(np.zeros(len(ids["item"]), dtype=bool)) for _ in range(2 + (recipe.min_weight is not None))]
    clean = _Clean([], ids, {}, [], TieCounts(), [] if recipe.weighted else ["weight"])
    repeats = _Repeats(ids)
    with bar("repeats", height(rows)) as advance:
        for piece in _whole_users(large.spill.batches(rows)):
            read = with_ranks(piece) if log.time_kind == "order" and "time" not in piece.columns else piece
            if log.time_kind is not None:
                read, ties = by_user_and_time(read, len(ids["user"]), recipe.events)
                clean.ties += ties
            sizes[0].add(read)
            if recipe.min_weight is not None:
                read = filters.min_weight(read, recipe.min_weight)
                sizes[1].add(read)
            if recipe.duplicates == "refuse":
                repeats.add(read)
            else:
                read = filters.deduplicate(read, recipe.duplicates)
            sizes[-1].add(read)
            if read.height:
                clean.files.append(large.spill.file(".parquet"))
                read.drop(ROW, "fine", strict=False).write_parquet(clean.files[-1], compression="lz4")
            advance(piece.height, "")
    first = {"step": "read", **sizes[0].as_step(), "dropped": sum(log.dropped.values()), "why": log.dropped}
    clean.steps.append(first)
    for what, before, after in zip(recipe.steps(), sizes, sizes[1:], strict=False):
        if what.startswith("repeats"):
            repeats.refuse()
        clean.steps.append({"step": what, **after.as_step(), "dropped": before.rows - after.rows})
        refuse_nothing(log, what, before.rows, after.rows)
    _keep_the_core(log, recipe, clean, sizes[-1])
    return clean


def _keep_the_core(log: Log, recipe: Recipe, clean: _Clean, before: _Sizes) -> None:
    """Finds whose rows stay, and counts them where a core was asked for."""
    with bar("core", None):
        counted = (len(clean.ids["user"]), len(clean.ids["item"]))
        users, items = filters.core_of(lambda: clean.stored(*PAIR), counted, recipe.user_core, recipe.item_core)
    clean.kept = {"user": users, "item": items}
    if len(recipe.steps()) == len(clean.steps):
        rows = sum(int((users[piece["user"].to_numpy()] & items[piece["item"].to_numpy()]).sum()) for piece in clean.stored(*PAIR))
        left = {"interactions": rows, "users": int(users.sum()), "items": int(items.sum())}
        what = recipe.steps()[-1]
        clean.steps.append({"step": what, **left, "dropped": before.rows - rows})
        refuse_nothing(log, what, before.rows, rows)


@dataclass
class _Parts:
    """The parts as they are written, and what is counted of them."""

    writers: dict[str, PartWriter]
    events: EventCounts
    lost: dict[str, int]
    histories: list[pl.DataFrame]

    def made(self) -> list[str]:
        return [name for name, writer in self.writers.items() if writer.nnz]


def _written(log: Log, spill: Spill, out: Path, recipe: Recipe, clean: _Clean, *, overwrite: bool) -> Dataset:
    """The split, the numbers of users and items, and the folder."""
    users, items = (IdMap(clean.ids[name].filter(pl.Series(clean.kept[name]))) for name in PAIR)
    parts = _split(log, spill, recipe, clean, (len(users), len(items)))
    if (other := recipe.for_short_histories(parts.made())) is not None:
        recipe, parts = other, _split(log, spill, other, clean, (len(users), len(items)))
        recipe.tell_if_short(parts.made())
    if missing := empty_parts(recipe.split, parts.made()):
        histories = pl.concat(parts.histories)
        raise DataError(why_empty(histories, clean.times, recipe.split, recipe.events, missing[0]))
    info = recipe.info(log, clean.steps)
    if log.time_kind is not None:
        info["events"] = _events_of(recipe, clean, parts)
    with atomic_folder(out, overwrite=overwrite, kind=DATA_FOLDER) as folder:
        files = {name: folder / f"{name}.safetensors" for name in parts.made()}
        described = {name: parts.writers[name].finish(file, users, items, recipe.events) for name, file in files.items()}
        opened = {
            name: open_part(file, described[name], users, items, log.time_kind, recipe.events, check=False)
            for name, file in files.items()
        }
        table = None if log.items is None else align(log.items, items)
        dataset = Dataset(**{name: opened.get(name) for name in PARTS}, item_table=table, info=info)  # type: ignore[arg-type]
        spans = [writer.span for writer in parts.writers.values() if writer.span is not None]
        moments = (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
        dataset = replace(dataset, info=info | dataset.summary(moments))
        write_rest(dataset, out, folder, described, moments)
    return dataset


def _events_of(recipe: Recipe, clean: _Clean, parts: _Parts) -> dict[str, Any]:
    """What is said of events."""
    said: dict[str, Any] = {"kind": recipe.events}
    said |= {"sorted_by_item": True} if clean.ties.by_item else {}
    if recipe.events != "split":
        said["lost"] = {name: max(users, 0) if clean.ties.rows else 0 for name, users in parts.lost.items()}
    return said | parts.events.report(parts.made())


def _split(log: Log, spill: Spill, recipe: Recipe, clean: _Clean, counted: tuple[int, int]) -> _Parts:
    """The parts, by pieces, with new positions of users and items."""
    kind, events = log.time_kind, recipe.events
    writers = {name: PartWriter(spill, counted[0], timed=kind is not None) for name in PARTS}
    parts = _Parts(writers, EventCounts(), dict.fromkeys(LATER, 0), [])
    new = {name: renumbered(clean.kept[name]) for name in PAIR}
    mark = recipe.split.over(clean.pieces, kind, events)
    cut = recipe.split.over(clean.pieces, kind) if events != "split" and clean.ties.rows else None
    items = IdMap.unnamed(counted[1])
    with bar("writing", clean.steps[-1]["interactions"]) as advance:
        for piece in clean.pieces():
            marked = mark(piece)
            if cut is not None:
                users = lost(marked, cut(piece), drawn=recipe.drawn)
                parts.lost = {name: parts.lost[name] + users[name] for name in LATER}
            parts.histories.append(history_sizes(piece, events))
            numbered = marked.with_columns(pl.Series(name, new[name][marked[name].to_numpy()]) for name in PAIR)
            first, last = int(numbered["user"].min()), int(numbered["user"].max())  # type: ignore[arg-type]
            own = IdMap.unnamed(last - first + 1)
            made = {name: _part(numbered.filter(part=name), first, own, items, recipe, log) for name in PARTS}
            made = {name: part for name, part in made.items() if part.nnz}
            for name, part in made.items():
                writers[name].add(part, first)
            parts.events += EventCounts.of(made)
            advance(piece.height, "")
    return parts


def _part(frame: pl.DataFrame, first: int, users: IdMap, items: IdMap, recipe: Recipe, log: Log) -> Interactions:
    own = frame.with_columns(pl.col("user") - first)
    return interactions_of(own, users, items, log.time_kind, recipe.events)
