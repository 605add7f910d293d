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
from recodiff.data.empty import empty_parts, why_empty
from recodiff.data.events import LATER, by_user_and_time, lost, recorded, report
from recodiff.data.filters import PAIR, Duplicates
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events, Interactions, TimeKind
from recodiff.data.noise import NaturalNoise, rated_below
from recodiff.data.order import coded, how_many, renumbered
from recodiff.data.protocols import CutBy, cut_by, in_row_order
from recodiff.data.readers.log import Log, read_log
from recodiff.data.saving import DATA_FOLDER, save_dataset
from recodiff.data.split import SPLITS, AsPublished, HeldOutUsers, LeaveLast, Random, Split, Temporal
from recodiff.errors import ConfigError, DataError, RecodiffWarning, did_you_mean
from recodiff.runtime.folders import check_free

Step = dict[str, Any]
IdsOf = Mapping[str, pl.Series]
"""`user` and `item` -> the sorted ids of the log, by position."""
SHORT = (
    "histories are too short for a tenth of each to be a part: the newest event of each user is the test part and the one before "
    "it the validation part, as with --split leave-last"
)


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

    Raises:
        DataError: the log cannot be read, nothing is left of it, a part ends up empty, or `out` cannot be written.
        ConfigError: a setting is out of range, or stands beside a protocol that decides it.
    """
    if out is not None:
        check_free(Path(out), overwrite=overwrite, kind=DATA_FOLDER)
    if events not in (None, *(known := get_args(Events))):
        raise ConfigError(f"events={events!r} is unknown; {did_you_mean(events, known) or 'choose one of ' + ', '.join(known)}")
    log = source if isinstance(source, Log) else _read(source)
    log, strategy, events, usual = _decided(log, split, events, protocol)
    if noise is not None:
        noise.check(log, min_weight, strategy)
    read, ids = _coded(log, strategy)
    if noise is not None:
        read = read.with_row_index("row")
    kind: dict[str, Any] = {"kind": events}
    ties = False
    if log.time_kind is not None:
        # From here on rows stand by user and time: nothing that follows has to sort them.
        read, ties, by_item = by_user_and_time(read, len(ids["user"]), events)
        kind |= {"sorted_by_item": True} if by_item else {}
    filtered, steps = _filtered(log, read, min_weight, duplicates, user_core, item_core)
    unused = [] if _weighted(read, keep_weights) else ["weight"]
    filtered = filtered.drop(unused, strict=False)
    clean, strategy = _marked(filtered, log, strategy, events, usual)
    if events != "split":
        drawn = isinstance(strategy, HeldOutUsers)
        kind["lost"] = lost(clean, strategy(filtered, log.time_kind), drawn=drawn) if ties else dict.fromkeys(LATER, 0)
    info = _provenance(log, name, out) | {
        "steps": steps,
        "split": strategy.describe(),
        "weights": "all 1" if unused else "kept",
        **({} if log.time_kind is None else {"events": kind}),
    }
    dataset = _dataset(clean, clean, ids, log, strategy, info)
    if noise is not None and min_weight is not None:
        low = rated_below(read, min_weight, clean, duplicates).drop(unused)
        noisy, made = noise(clean, low, strategy)
        made |= {"threshold": min_weight, "added_to": dataset.info["fingerprint"]}
        dataset = _dataset(noisy, clean, ids, log, strategy, info | {"noise": [made]})
    if out is not None:
        save_dataset(dataset, out, overwrite=overwrite)
    return dataset


def _decided(log: Log, split: Split | str | None, events: Events | None, protocol: CutBy | None) -> tuple[Log, Split, Events, bool]:
    """The log in the order of the protocol, the strategy, what events are, and whether the strategy is the usual one."""
    if protocol is not None:
        if split is not None or events is not None:
            raise ConfigError(f"protocol={protocol!r} says how to split and what events are; leave split and events out")
        split, events = cut_by(protocol)
        log = in_row_order(log) if protocol == "leave-one-out" else log
    strategy = _usual_split(log) if split is None else _strategy(split)
    return log, strategy, _events(log, strategy, events), split is None


def _marked(frame: pl.DataFrame, log: Log, split: Split, events: Events, usual: bool) -> tuple[pl.DataFrame, Split]:
    """The interactions with their parts, and the strategy: of histories too short for the usual shares, the newest events."""
    marked = split(frame, log.time_kind, events)
    if usual and isinstance(split, Temporal) and empty_parts(split, marked):
        split = LeaveLast()
        marked = split(frame, log.time_kind, events)
        if not empty_parts(split, marked):
            warnings.warn(SHORT, RecodiffWarning, stacklevel=3)
    if missing := empty_parts(split, marked):
        raise DataError(why_empty(marked, split, events, missing[0]))
    return marked, split


def _weighted(frame: pl.DataFrame, keep_weights: bool) -> bool:
    if keep_weights and "weight" not in frame.columns:
        raise DataError(
            "keep_weights needs a rating or count column, and this log has none; name it with weight= (--weight-column)"
        )
    return keep_weights


def _provenance(log: Log, name: str | None, out: str | Path | None) -> dict[str, Any]:
    return {
        "name": name or (Path(out).resolve().name if out is not None else Path(log.source).stem),
        "source": log.source,
        "terms": log.terms,
        **({} if log.reading is None else {"reading": log.reading.as_info()}),
    }


def _strategy(split: Split | str) -> Split:
    """A strategy, or the one of that name with its defaults."""
    if isinstance(split, str) and split in SPLITS:
        return SPLITS[split]()
    if not isinstance(split, Split):
        names = did_you_mean(split, SPLITS) or f"or a name: {', '.join(SPLITS)}"
        raise ConfigError(f"split={split!r} is no strategy; give one such as recodiff.LeaveLast(), {names}")
    return split


def _read(source: Any) -> Log:
    """A log, and what is strange about it as warnings."""
    log = read_log(source)
    for sentence in log.reading.warnings if log.reading is not None else ():
        warnings.warn(sentence, RecodiffWarning, stacklevel=3)
    return log


def _usual_split(log: Log) -> Split:
    if "part" in log.frame.columns:
        return AsPublished(valid=0) if (log.frame["part"] == "valid").any() else AsPublished()
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


def _filtered(
    log: Log, frame: pl.DataFrame, minimum: float | None, duplicates: Duplicates, user_core: int, item_core: int
) -> tuple[pl.DataFrame, list[Step]]:
    """What is left of a log, and the sizes after each step."""
    steps = [{"step": "read", **_sizes(frame), "dropped": sum(log.dropped.values()), "why": log.dropped}]
    actions: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = []
    if minimum is not None:
        actions.append((f"weight at least {minimum:g}", lambda frame: filters.min_weight(frame, minimum)))
    actions.append((f"repeats: {duplicates}", lambda frame: _deduplicated(log, frame, minimum, duplicates)))
    if user_core or item_core:
        actions.append((f"{user_core} a user, {item_core} an item", lambda frame: filters.k_core(frame, user_core, item_core)))
    for what, act in actions:
        before, frame = frame.height, act(frame)
        steps.append({"step": what, **_sizes(frame), "dropped": before - frame.height})
        if frame.is_empty():
            raise DataError(f"{log.source}: nothing is left of {before} interactions after the step {what!r}; ask for less")
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
