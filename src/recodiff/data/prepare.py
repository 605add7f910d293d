"""From a log to a dataset: read, filter, one interaction a pair, k-core, split, number, write."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from recodiff.data import filters
from recodiff.data.dataset import PARTS, Dataset, align, interactions_of
from recodiff.data.empty import empty_parts, history_sizes, why_empty
from recodiff.data.events import lost, recorded, report
from recodiff.data.filters import PAIR, Duplicates
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events, Interactions, TimeKind
from recodiff.data.large import prepare_large
from recodiff.data.noise import NaturalNoise, rated_below
from recodiff.data.order import coded, how_many, renumbered
from recodiff.data.protocols import CutBy, cut_by, in_row_order
from recodiff.data.readers.log import Log, read_log
from recodiff.data.readers.tables import ask
from recodiff.data.recipe import Recipe, Step, refuse_nothing
from recodiff.data.saving import DATA_FOLDER, save_dataset
from recodiff.data.split import SPLITS, AsPublished, Random, Split, Temporal
from recodiff.data.ties import TieCounts, by_user_and_time
from recodiff.errors import ConfigError, DataError, RecodiffWarning, did_you_mean
from recodiff.runtime.folders import check_free
from recodiff.runtime.spill import Spill, spilling

IdsOf = Mapping[str, pl.Series]
"""`user` and `item` -> the sorted ids of the log, by position."""


def prepare(
    source: Any,
    out: str | Path | None = None,
    *,
    min_weight: float | None = None,
    user_core: int = 0,
    item_core: int = 0,
    duplicates: Duplicates = "first",
    split: Split | str | None = None,
    events: Events | None = None,
    protocol: CutBy | None = None,
    keep_weights: bool = False,
    noise: NaturalNoise | None = None,
    name: str | None = None,
    overwrite: bool = False,
    memory: str | int | None = None,
) -> Dataset:
    """Turn a log into a dataset and, where `out` is given, write its canonical folder.

    Positions are given to users and items in the order of their sorted ids, so the order of the log does not matter to them.

    Args:
        source: what `read_log` takes, read with its defaults; or a `Log`, read as you please.
        out: the folder to write.
        min_weight: the least rating or count that makes an interaction; all of them unless given.
        user_core: the least interactions of a user; applied together with `item_core` until nothing changes.
        item_core: the least interactions of an item.
        duplicates: of a user's repeats of an item keep the `first` or `last`, or `refuse` them.
        split: a strategy, such as `recodiff.LeaveLast()`, or the name of one with its defaults. Unless given, the log's own parts
            where it comes split. Otherwise by time within each user: the newest events of each where histories are too short for
            shares. At random where there is no time.
        events: what interactions of a user at one time are, such as a basket. `whole`: no split cuts them, and models read them as
            a set. `ordered`: no split cuts them, and the log's order within them is real. `split`: each stands alone, in the log's
            order, as in published protocols. Unless given, `whole`, and `split` of a log that comes split.
        protocol: in place of `split` and `events`, those of a protocol of the field: `leave-one-out`, `time-split` or
            `time-split-all`. For the first, the order of the rows is the time of a log that has none.
        keep_weights: keep ratings or counts as weights; otherwise every interaction weighs 1.
        noise: low ratings to add to train and validation; `min_weight` is the threshold, and the test part stays as it is.
        name: what tables call the data; the name of `out` or of the source unless given.
        overwrite: whether a dataset in `out` may be replaced.
        memory: how much all of it may take, such as `2GB`, of a log that does not fit: it is read and sorted by pieces, which are
            kept beside `out`. For paths of Parquet or delimited text; the rows are the same.

    Raises:
        DataError: the log cannot be read, nothing is left of it, a part ends up empty, or `out` cannot be written.
        ConfigError: a setting is out of range, stands beside a protocol that decides it, or cannot be had within a bound.
    """
    if out is not None:
        check_free(Path(out), overwrite=overwrite, kind=DATA_FOLDER)
    if events not in (None, *(known := get_args(Events))):
        raise ConfigError(f"events={events!r} is unknown; {did_you_mean(events, known) or 'choose one of ' + ', '.join(known)}")

    def made_from(log: Log) -> Dataset:
        recipe, log = _recipe(
            log, min_weight, (user_core, item_core), duplicates, split, events, protocol, keep_weights, _name(log, out, name)
        )
        if log.large is None:
            dataset = _prepared(log, recipe, noise)
            if out is not None:
                save_dataset(dataset, out, overwrite=overwrite)
            return dataset
        if noise is not None or out is None:
            what = "natural noise is drawn" if noise is not None else "a dataset without a folder to write is made"
            raise ConfigError(f"{what} from rows that are in memory; leave memory= (--memory) out")
        return prepare_large(log, log.large, Path(out), recipe, overwrite=overwrite)

    if isinstance(source, Log):
        return made_from(source)
    if memory is None:
        return made_from(_read(source))
    if out is None:
        raise ConfigError(f"memory={memory!r} needs a folder to write; give out=")
    with spilling(Path(out), memory) as spill:
        return made_from(_read(source, spill))


def _name(log: Log, out: str | Path | None, name: str | None) -> str:
    return name or (Path(out).resolve().name if out is not None else Path(log.source).stem)


def _recipe(
    log: Log,
    min_weight: float | None,
    core: tuple[int, int],
    duplicates: Duplicates,
    split: Split | str | None,
    events: Events | None,
    protocol: CutBy | None,
    keep_weights: bool,
    name: str,
) -> tuple[Recipe, Log]:
    """What to do with a log, and the log with its order of rows as time where the protocol wants that."""
    if protocol is not None:
        if split is not None or events is not None:
            raise ConfigError(f"protocol={protocol!r} says how to split and what events are; leave split and events out")
        split, events = cut_by(protocol)
        log = in_row_order(log) if protocol == "leave-one-out" else log
    chosen, split = split is not None, _usual_split(log) if split is None else _strategy(split)
    weighted = keep_weights and "weight" in log.frame.columns
    if keep_weights and not weighted:
        raise DataError(
            "keep_weights needs a rating or count column, and this log has none; name it with weight= (--weight-column)"
        )
    return Recipe(min_weight, *core, duplicates, split, chosen, _events(log, split, events), weighted, name), log


def _prepared(log: Log, recipe: Recipe, noise: NaturalNoise | None) -> Dataset:
    """The dataset of a log that is held."""
    kind: dict[str, Any] = {"kind": recipe.events}
    if noise is not None:
        noise.check(log, recipe.min_weight, recipe.split)
    read, ids = _coded(log, recipe.split)
    if noise is not None:
        read = read.with_row_index("row")
    ties = TieCounts()
    if log.time_kind is not None:
        # From here on rows stand by user and time: nothing that follows has to sort them.
        read, ties = by_user_and_time(read, len(ids["user"]), recipe.events)
        kind |= {"sorted_by_item": True} if ties.by_item else {}
    filtered, steps = _filtered(log, read, recipe)
    unused = [] if recipe.weighted else ["weight"]
    filtered = filtered.drop(unused, strict=False)
    clean, recipe = _marked(filtered, log, recipe)
    if recipe.events != "split":
        cut = recipe.split(filtered, log.time_kind) if ties.rows else clean
        kind["lost"] = {name: max(users, 0) for name, users in lost(clean, cut, drawn=recipe.drawn).items()}
    info = recipe.info(log, steps) | ({} if log.time_kind is None else {"events": kind})
    dataset = _dataset(clean, clean, ids, log, recipe.split, info)
    if noise is not None and recipe.min_weight is not None:
        low = rated_below(read, recipe.min_weight, clean, recipe.duplicates).drop(unused)
        noisy, made = noise(clean, low, recipe.split)
        made |= {"threshold": recipe.min_weight, "added_to": dataset.info["fingerprint"]}
        dataset = _dataset(noisy, clean, ids, log, recipe.split, info | {"noise": [made]})
    return dataset


def _marked(frame: pl.DataFrame, log: Log, recipe: Recipe) -> tuple[pl.DataFrame, Recipe]:
    """The interactions with their parts, and the recipe: of histories too short for the usual shares, the newest events."""
    marked = recipe.split(frame, log.time_kind, recipe.events)
    if (other := recipe.for_short_histories(_made(marked))) is not None:
        recipe, marked = other, other.split(frame, log.time_kind, recipe.events)
        recipe.tell_if_short(_made(marked))
    if missing := empty_parts(recipe.split, _made(marked)):
        histories = history_sizes(marked, recipe.events)
        raise DataError(why_empty(histories, lambda: frame["time"].unique().sort(), recipe.split, recipe.events, missing[0]))
    return marked, recipe


def _made(frame: pl.DataFrame) -> set[str]:
    return set(frame["part"].unique())


def _strategy(split: Split | str) -> Split:
    """A strategy, or the one of that name with its defaults."""
    if isinstance(split, str) and split in SPLITS:
        return SPLITS[split]()
    if not isinstance(split, Split):
        names = did_you_mean(split, SPLITS) or f"or a name: {', '.join(SPLITS)}"
        raise ConfigError(f"split={split!r} is no strategy; give one such as recodiff.LeaveLast(), {names}")
    return split


def _read(source: Any, spill: Spill | None = None) -> Log:
    """A log, and what is strange about it as warnings."""
    log = read_log(source, spill=spill)
    for sentence in log.reading.warnings if log.reading is not None else ():
        warnings.warn(sentence, RecodiffWarning, stacklevel=3)
    return log


def _usual_split(log: Log) -> Split:
    if "part" in log.frame.columns:
        return AsPublished(valid=0) if ask(log.rows, (pl.col("part") == "valid").any())[0] else AsPublished()
    if log.time_kind is not None:
        return Temporal()
    if log.reading is not None and log.reading.moments:
        shown = " or ".join(repr(name) if isinstance(name, str) else str(name) for name in log.reading.moments)
        raise DataError(
            f"{log.source} has no column that is clearly the time, and a random split would train on what came later; name it with "
            f"time={shown} (--time-column), or say split='random' (--split random) if that is no time of the interactions"
        )
    return Random()


def _events(log: Log, split: Split, asked: Events | None) -> Events:
    if log.time_kind is None and asked not in (None, "split"):
        raise ConfigError(f"events={asked!r} are of equal time, and {log.source} has no time; leave the events out")
    return asked or ("split" if log.time_kind is None or isinstance(split, AsPublished) else "whole")


def _filtered(log: Log, frame: pl.DataFrame, recipe: Recipe) -> tuple[pl.DataFrame, list[Step]]:
    """What is left of a log, and the sizes after each step."""
    steps = [{"step": "read", **_sizes(frame), "dropped": sum(log.dropped.values()), "why": log.dropped}]
    minimum, core = recipe.min_weight, (recipe.user_core, recipe.item_core)
    actions: list[Callable[[pl.DataFrame], pl.DataFrame]] = []
    if minimum is not None:
        actions.append(lambda frame: filters.min_weight(frame, minimum))
    actions.append(lambda frame: _deduplicated(log, frame, minimum, recipe.duplicates))
    if any(core):
        actions.append(lambda frame: filters.k_core(frame, *core))
    for what, act in zip(recipe.steps(), actions, strict=True):
        before, frame = frame.height, act(frame)
        steps.append({"step": what, **_sizes(frame), "dropped": before - frame.height})
        refuse_nothing(log, what, before, frame.height)
    return frame, steps


def _deduplicated(log: Log, frame: pl.DataFrame, minimum: float | None, duplicates: Duplicates) -> pl.DataFrame:
    if duplicates != "refuse":
        return filters.deduplicate(frame, duplicates)
    named = log.frame if minimum is None else filters.min_weight(log.frame, minimum)
    filters.deduplicate(
        named.drop(set(named.columns) - set(frame.columns)), duplicates
    )  # so that the first pair is named as in the log
    return frame


def _sizes(frame: pl.DataFrame) -> dict[str, int]:
    return {"interactions": frame.height, "users": how_many(frame["user"]), "items": how_many(frame["item"])}


def _coded(log: Log, split: Split) -> tuple[pl.DataFrame, IdsOf]:
    """The log's table with positions among the sorted ids in place of ids, so that what follows counts and does not hash."""
    # Parts that will be drawn anew must not keep both copies of a pair that stands in two of the old ones.
    frame = log.frame if isinstance(split, AsPublished) else log.frame.drop("part", strict=False)
    found = {name: coded(frame[name]) for name in PAIR}
    codes = (codes.alias(name) for name, (_, codes) in found.items())
    return frame.with_columns(codes), {name: ids for name, (ids, _) in found.items()}


def _dataset(frame: pl.DataFrame, clean: pl.DataFrame, ids: IdsOf, log: Log, split: Split, info: dict[str, Any]) -> Dataset:
    """The dataset of a table that has parts. What is in `clean` has a number too, though noise has displaced it."""
    used = {name: [frame[name], *([] if frame is clean else [clean[name]])] for name in PAIR}
    (users, user), (items, item) = (_numbered(ids[name], used[name]) for name in PAIR)
    numbered = frame.with_columns(user=user, item=item)
    table = None if log.items is None else align(log.items, items)
    parts = _parts(numbered, users, items, log.time_kind, split, recorded(info))
    dataset = Dataset(**parts, item_table=table, info=info)  # type: ignore[arg-type]
    if "events" in info:
        info = info | {"events": info["events"] | report(dataset.parts())}
    return replace(dataset, info=info | dataset.summary())


def _numbered(ids: pl.Series, columns: Sequence[pl.Series]) -> tuple[IdMap, pl.Series]:
    """The ids that some columns of positions use, and what the positions in the first are among these."""
    used = np.zeros(len(ids), dtype=bool)
    for column in columns:
        used[column.to_numpy()] = True
    return IdMap(ids.filter(pl.Series(used))), pl.Series(renumbered(used)[columns[0].to_numpy()])


def _parts(
    frame: pl.DataFrame, users: IdMap, items: IdMap, time_kind: TimeKind | None, split: Split, events: Events
) -> dict[str, Interactions | None]:
    found = {name: frame.filter(pl.col("part") == name) for name in PARTS}
    if sum(part.height for part in found.values()) != frame.height:
        raise DataError(f"the split {split.name!r} made parts other than {', '.join(PARTS)}; mend it")
    return {
        name: None if part.is_empty() else interactions_of(part, users, items, time_kind, events) for name, part in found.items()
    }
