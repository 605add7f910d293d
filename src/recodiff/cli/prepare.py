"""`recodiff prepare`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from cyclopts import Parameter

from recodiff.cli.info import print_dataset
from recodiff.cli.output import print_json, say, warn
from recodiff.cli.parameters import Whole
from recodiff.data import NaturalNoise
from recodiff.data import prepare as prepare_data
from recodiff.data.dataset import Dataset
from recodiff.data.events import remarks
from recodiff.data.protocols import CutBy
from recodiff.data.readers.log import Log, read_log
from recodiff.data.readers.reader import PartOrder
from recodiff.data.readers.tables import ask
from recodiff.data.readers.times import TimeUnit
from recodiff.data.saving import DATA_FOLDER
from recodiff.data.split import SPLITS, Split
from recodiff.errors import ConfigError
from recodiff.runtime.folders import check_free
from recodiff.runtime.spill import Spill, spilling
from recodiff.runtime.sql import is_url

MANY_TIES = 0.99
"""From this share on, rows of equal time are reported; items of one basket are fewer."""
NO_COLUMN = "none"
"""In place of a column's name: the log is read without it."""
FIRST_LOOK = 100_000
"""Rows that are looked at first, so that a large log costs nothing where they are not tied."""

Strategy = Literal["auto", "temporal", "temporal-global", "temporal-at", "leave-last", "random", "held-out-users", "published"]


def prepare(
    source: str,
    out: Path,
    /,
    *,
    min_rating: float | None = None,
    user_core: Whole = 0,
    item_core: Whole = 0,
    duplicates: Literal["first", "last", "refuse"] = "first",
    protocol: CutBy | None = None,
    split: Strategy = "auto",
    valid: float | None = None,
    test: float | None = None,
    valid_from: str | None = None,
    test_from: str | None = None,
    seed: Whole | None = None,
    events: Literal["auto", "whole", "ordered", "split"] = "auto",
    keep_weights: bool = False,
    natural_noise: Literal["same", "all"] | None = None,
    noise_seed: Whole | None = None,
    format: str = "auto",
    user_column: str | None = None,
    item_column: str | None = None,
    weight_column: str | None = None,
    time_column: str | None = None,
    part_column: str | None = None,
    part_order: PartOrder = "auto",
    table: str | None = None,
    query: str | None = None,
    items: Path | None = None,
    separator: str | None = None,
    header: Annotated[bool | None, Parameter(negative="--no-header")] = None,
    encoding: str | None = None,
    quotes: Annotated[bool | None, Parameter(negative="--no-quotes")] = None,
    time_unit: TimeUnit = "auto",
    item_lists: Annotated[bool | None, Parameter(negative="--no-item-lists")] = None,
    drop_bad_rows: bool = False,
    name: str | None = None,
    memory: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Turn raw interactions into a data folder: read, filter, deduplicate, split, number, write.

    Noise never reaches the test part. For noise of random items, see `recodiff corrupt`.

    What a user does at one time, such as a basket, is an event: it goes to one part, and models read it as a set.

    Examples: recodiff prepare clicks.csv data/clicks --user-core 5 --item-core 5 --split temporal
              recodiff prepare ratings.csv data/noisy --min-rating 4 --natural-noise same

    Parameters
    ----------
    source
        CSV, TSV, Parquet, Arrow, JSON lines, MovieLens, RecBole, LightGCN text, a DiffRec release; a file of one, or a folder or an
        archive (.zip, .tar.gz) that holds one, whole, in pieces or in parts (train, valid, test).
        Or the URL of a database, such as postgresql://user@host/name or sqlite:///shop.db, with --table or --query.
    out
        The data folder to write.
    min_rating
        Drop interactions rated lower.
    user_core
        Keep users with at least this many interactions; with --item-core, until nothing changes.
    item_core
        Keep items with at least this many interactions.
    duplicates
        What to do with a user's repeats of an item.
    protocol
        A protocol of the field, in place of --split and --events. leave-one-out: each user's last item is test and the one before
        it validation, also within an event, whose rows are taken in their order; so are rows without time. time-split and
        time-split-all: one moment for all users (the two differ in who is measured).
    split
        auto: as published where the source comes split, else by time within each user, else at random.
    valid
        Share of the validation part (leave-last: how many events).
    test
        Share of the test part (leave-last: how many events).
    valid_from
        temporal-at: when the validation part begins, unix seconds or ISO.
    test_from
        temporal-at: when the test part begins.
    seed
        Of random splits.
    events
        whole: no split cuts what a user does at one time. ordered: nor here, and the order of its rows is real. split: rows
        of equal time stand alone, in the order of the log, as in published protocols. auto: split where the source comes split,
        else whole.
    keep_weights
        Keep ratings or counts as weights instead of 1.
    natural_noise
        Add what is rated below --min-rating to train and validation, then thin both to their sizes without it (same) or not (all).
    noise_seed
        Of that thinning; 0 unless given.
    format
        Of the source, where it is not recognised; a name that is unknown is answered with the list.
    user_column
        Name or position (from 0) of the user column, where it is not recognised.
    item_column
        Name of the item column.
    weight_column
        Name of a rating or count column; none to have no such column read.
    time_column
        Name of the time column; none to have no such column read.
    part_column
        Name of a column that says train, valid or test, to keep the parts as they are.
    part_order
        Of a DiffRec release, which part is the later in time: test (valid-test) or valid (test-valid, as the known releases are).
    table
        Of a database: a table or view, schema.name in another schema.
    query
        Of a database, in place of --table: a statement that gives rows, read in their order.
    items
        A table with titles, where none stands beside the source: item ids and a column title.
    separator
        Of a text table, where it is not recognised.
    header
        Whether the first line of a text table names the columns, where that is not recognised.
    encoding
        Of a text table, where it is not UTF-8.
    quotes
        Whether fields of a text table may stand in double quotes, where that is not recognised.
    time_unit
        Of numeric times; order where only their sequence counts, or that of the rows where there is no time.
    item_lists
        Whether texts such as '[8, 9]', '8 9' or 'a|b' are several items, where they look like it; those of one text are one event.
    drop_bad_rows
        Drop and count malformed rows instead of refusing them.
    name
        What tables call the data.
    memory
        How much all of it may take, such as 2GB, of Parquet or delimited text that does not fit in memory. Rows are kept beside the
        data folder meanwhile; the result is the same.
    overwrite
        Replace a data folder that is already there.
    json
        Print the summary as JSON.

    Raises
    ------
    ConfigError
        A protocol stands beside --split or --events.
    """
    chosen = {"valid": valid, "test": test, "valid_from": valid_from, "test_from": test_from, "seed": seed}
    strategy, noise = _strategy(split, chosen, protocol, events), _noise(natural_noise, noise_seed)
    with _bound(out, memory, overwrite) as spill:
        log = read_log(
            source if is_url(source) else Path(source),
            format=format,
            user=user_column,
            item=item_column,
            weight=wanted(weight_column),
            time=wanted(time_column),
            part=part_column,
            items=items,
            separator=separator,
            header=header,
            encoding=encoding,
            quotes=quotes,
            time_unit=time_unit,
            on_bad_rows="drop" if drop_bad_rows else "refuse",
            part_order=part_order,
            item_lists=item_lists,
            table=table,
            query=query,
            spill=spill,
        )
        dataset = prepare_data(
            tell_reading(log, min_rating),
            out,
            min_weight=min_rating,
            user_core=user_core,
            item_core=item_core,
            duplicates=duplicates,
            split=strategy,
            events=None if events == "auto" else events,
            protocol=protocol,
            keep_weights=keep_weights,
            noise=noise,
            name=name,
            overwrite=overwrite,
        )
    _report(dataset, out, json)


@contextmanager
def _bound(out: Path, memory: str | None, overwrite: bool) -> Iterator[Spill | None]:
    """A place that may be written, and where the rows are kept meanwhile, if they do not fit in memory."""
    check_free(out, overwrite=overwrite, kind=DATA_FOLDER)
    with nullcontext() if memory is None else spilling(out, memory) as spill:
        yield spill


def wanted(column: str | None) -> str | None:
    """A column as asked for; False for `none`, which leaves the role out."""
    return False if column == NO_COLUMN else column  # type: ignore[return-value]


def _report(dataset: Dataset, out: Path, json: bool) -> None:
    for sentence in remarks(dataset.info):
        warn(sentence)
    if json:
        print_json(dataset.info)
    else:
        print_dataset(dataset, reading=False)
        say(f"wrote {out}")


def tell_reading(log: Log, min_rating: float | None) -> Log:
    """Say what was taken for what, and what is strange about it, before the work may be refused for it; the log comes back."""
    for sentence in log.reading.sentences() if log.reading is not None else ():
        say(sentence)
    for warning in log.reading.warnings if log.reading is not None else ():
        warn(warning)
    if min_rating is None and "weight" in log.frame.columns and (returns := ask(log.rows, (pl.col("weight") <= 0).sum())[0]):
        warn(f"{returns} rows have a rating or count of 0 or less and count as interactions; leave them out with --min-rating")
    if share := _tied(log):
        warn(
            f"{share:.0%} of the rows that follow another of the same user have the very same time, so hardly anything came first; "
            "if the times mean nothing, leave them out (--time-column none)"
        )
    return log


def _tied(log: Log) -> float:
    """The share of rows that share their time with the one before of the same user, where that is nearly all; else 0."""
    share, times = 0.0, pl.struct("user", "time").n_unique()
    for rows in (log.head(FIRST_LOOK), log.rows) if log.time_kind == "clock" else ():
        every, users, moments = ask(rows, pl.len(), pl.col("user").n_unique(), times)
        share = (every - moments) / max(every - users, 1)
        if share < MANY_TIES:
            return 0.0
    return share


def _strategy(name: Strategy, options: dict[str, Any], protocol: CutBy | None, events: str) -> Split | None:
    if protocol is not None and (name != "auto" or events != "auto"):
        raise ConfigError(f"--protocol {protocol} says how to split and what events are; leave --split and --events out")
    given = {option: value for option, value in options.items() if value is not None}
    if name == "auto":
        if given:
            raise ConfigError(f"{_flags(given)} needs a --split of your choice, for example --split temporal")
        return None
    takes = list(inspect.signature(SPLITS[name]).parameters)
    if foreign := [option for option in given if option not in takes]:
        raise ConfigError(f"--split {name} does not take {_flags(foreign)}; it takes {_flags(takes)}")
    counts = {option: int(value) for option, value in given.items() if isinstance(value, float) and value.is_integer()}
    if name == "leave-last" and len(counts) < len(given):
        raise ConfigError("--split leave-last takes whole numbers of interactions for --valid and --test, for example --test 1")
    return SPLITS[name](**(given | counts))


def _noise(scale: Literal["same", "all"] | None, seed: int | None) -> NaturalNoise | None:
    if seed is not None and scale != "same":
        raise ConfigError(f"--noise-seed {seed} thins nothing without --natural-noise same; add that, or leave the seed out")
    return None if scale is None else NaturalNoise(scale, seed or 0)


def _flags(options: Iterable[str]) -> str:
    return ", ".join(f"--{option.replace('_', '-')}" for option in options)
