"""`recodiff recommend`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from cyclopts import Parameter
from numpy.typing import NDArray

from recodiff.cli.because import reasons
from recodiff.cli.catalogue import over_items_of
from recodiff.cli.output import print_json, print_table, refuse_file, say, warn, write_frame
from recodiff.cli.parameters import Whole, use_threads, whole_number
from recodiff.data.interactions import Interactions
from recodiff.data.readers.id_files import read_ids
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError
from recodiff.models.base import Recommender
from recodiff.models.saving import load_model, load_titles
from recodiff.moved import old_names
from recodiff.ranking.candidates import Candidates
from recodiff.ranking.recommend import Unknown, history_of, without_newest
from recodiff.ranking.recommend import recommend as rank_items
from recodiff.runtime.sql import is_url
from recodiff.runtime.sql_tables import check_table, write_table

LISTS_TABLE = "recommendations"
COLUMNS = ["user", "rank", "item", "score"]
ROWS_SHOWN = 200
"""Rows of lists that are printed at most; a file takes all."""
USUAL_LENGTH = 10
"""Length of lists unless said otherwise."""


def recommend(
    run: Path,
    /,
    *,
    data: Path | None = None,
    parts: str = "all",
    user: list[str] | None = None,
    users: Path | None = None,
    history: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    k: Annotated[int | None, Parameter(name=("--k", "-k"), converter=whole_number)] = None,
    candidates: Path | None = None,
    exclude: Path | None = None,
    include_seen: bool = False,
    unknown: Literal["skip", "refuse"] = "skip",
    effect_of_newest: bool = False,
    explain: bool = False,
    overwrite: bool = False,
    out: str | None = None,
    table: str = LISTS_TABLE,
    device: str = "auto",
    threads: Whole | None = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Recommend items to users of a data folder, or for a history typed by hand.

    Examples: recodiff recommend runs/t --history 318 50 296 -k 10
              recodiff recommend runs/t --data ml-1m --out recs.parquet

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote; it needs no data to answer --history.
    data
        A data folder with the users' histories; its users need not be known to the model.
    parts
        Which parts make up a history: all, or some such as train+valid.
    user
        A user of the data; may be repeated. All users unless given.
    users
        A file of users: one per line, or of a table (.csv, .tsv, .parquet) the column of that name, else the first.
    history
        Item ids, oldest first, instead of --data.
    k
        Length of each list; 10, or the whole catalogue where that is smaller, unless given.
    candidates
        A file of the only items to rank.
    exclude
        A file of items that no list may hold.
    include_seen
        Let lists hold items of the history.
    unknown
        Leave out items of a history that the model does not know and say how many, or refuse them.
    effect_of_newest
        Show beside each rank the one without the newest event (interaction, where events are split), as `before` (empty where
        it is beyond ten times -k). For a single user, also name the items that left the list.
    explain
        Name for each item the history items that speak most for it, as `because`: those without which it would stand lower.
    out
        Write the lists to this .parquet, .csv, .tsv or .jsonl file: user, rank, item, score, title. Or to a table of a database,
        whole or not at all: its URL, such as postgresql://user@host/name.
    table
        Of that database; schema.name in another schema. With --overwrite the lists in it are replaced.
    overwrite
        Replace a file that is already there.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    trust_code
        Allow a model class from outside recodiff.
    json
        Print the lists as JSON.

    Raises
    ------
    ConfigError
        There is neither --data nor --history, or both; or --out does not go with these.
    """
    use_threads(threads)
    if (data is None) == (history is None):
        raise ConfigError("say either --data DIR (known users) or --history ID ... (a history typed by hand)")
    if history is not None:
        _check_typed(history, user or users or parts != "all")
    _check_destination(out, table, history, overwrite)
    model = load_model(run, device=device, trust_code=trust_code)
    _refuse_commas(model, history or ())
    x = history_of(model, history, unknown=unknown) if history is not None else _histories(model, data, parts, user, users, unknown)
    if effect_of_newest:
        x.need_order("--effect-of-newest")
    if model.traits.personalised and not model.traits.remembers_users and (empty := int((x.lengths() == 0).sum())):
        warn(
            f"{empty} of {x.n_users} users have no history: they are scored from an empty row, so the order of their lists means "
            "little; use `popularity` for such users"
        )
    allowed = _allowed(model, candidates, exclude)
    k = min(USUAL_LENGTH, len(model.items)) if k is None else k
    lists = rank_items(model, x, k, exclude_seen=not include_seen, candidates=allowed, show_progress=True)
    short = int((lists.items < 0).any(axis=1).sum())
    if short:
        warn(
            f"{short} of {x.n_users} lists are shorter than {k}: the other items are in the history, or the options leave them out"
        )
    frame = lists.to_frame(load_titles(run))
    if effect_of_newest:
        frame = _beside(frame, _before(model, x, min(10 * k, len(model.items)), include_seen, allowed), k)
    if explain:
        frame = frame.with_columns(because=reasons(model, x, lists, load_titles(run)))
    if history is not None:
        frame = frame.drop("user")
    if out is not None:
        _write(frame, out, table, overwrite, x.n_users)
    if json:
        print_json(frame.to_dicts())
    elif out is None:
        print_table(frame.columns, frame.head(ROWS_SHOWN).rows())
        if frame.height > ROWS_SHOWN:
            say(f"{frame.height - ROWS_SHOWN} more rows; write them all with --out recs.parquet")


def _check_destination(out: str | None, table: str, history: list[str] | None, overwrite: bool) -> None:
    """Refuse what cannot be written, before anything is scored."""
    if out is not None and is_url(out):
        if history is not None:
            raise ConfigError("--history makes one list without a user; write it to a file, or give --data")
        check_table(out, table, COLUMNS, overwrite=overwrite)
    elif table != LISTS_TABLE:
        raise ConfigError("--table is of a database; give --out its URL, such as postgresql://user@host/name")
    elif out is not None:
        refuse_file(Path(out), overwrite)


def _write(frame: pl.DataFrame, out: str, table: str, overwrite: bool, users: int) -> None:
    if is_url(out):
        write_table(out, table, frame, overwrite=overwrite)
    else:
        write_frame(frame, Path(out), overwrite=overwrite)
    place = f"the table {table}" if is_url(out) else out  # an address may hold a password
    say(f"wrote {frame.height} recommendations for {users} users to {place}")


def _beside(frame: pl.DataFrame, before: pl.DataFrame, k: int) -> pl.DataFrame:
    """Lists with the ranks of before; for a single user also says which items left the list."""
    gone = before.filter(pl.col("before") <= k).join(frame, on=["user", "item"], how="anti")
    if frame["user"].n_unique() == 1 and gone.height:
        say(f"no longer among the first {k}: {', '.join(map(str, gone.sort('before')['item']))}")
    frame = frame.join(before, on=["user", "item"], how="left", maintain_order="left")
    return frame.select("user", "rank", "before", pl.exclude("user", "rank", "before"))


def _before(model: Recommender, x: Interactions, depth: int, include_seen: bool, allowed: Candidates | None) -> pl.DataFrame:
    """Ranks without the newest event, as user, item, before; what the whole history leaves out is left out here too.

    A history of one event has no ranks without it.
    """
    x = x.take(np.flatnonzero(x.event_counts() > 1))
    mask = None if include_seen else x
    lists = rank_items(model, without_newest(x), depth, exclude_seen=False, exclude=mask, candidates=allowed)
    return lists.to_frame().select("user", "item", before="rank")


def _check_typed(history: list[str], chosen: object) -> None:
    if chosen:
        raise ConfigError("--user, --users and --parts choose from --data; with --history there is nothing to choose")
    if not history:
        raise ConfigError("--history names no item; give one or more ids, oldest first")
    for item in history:
        if history.count(item) > 1:
            raise ConfigError(f"--history names item {item} more than once; name it where it came last")


def _refuse_commas(model: Recommender, history: Sequence[str]) -> None:
    """Several ids in one word: refused where they are ids when parted, and the word itself is none."""
    for word in history:
        ids = [item.strip() for item in word.split(",") if item.strip()]
        if len(ids) > 1 and not _knows(model, [word]) and _knows(model, ids):
            raise ConfigError(f"--history takes ids parted by spaces; write --history {' '.join(history).replace(',', ' ')}")


def _knows(model: Recommender, ids: Sequence[str]) -> bool:
    return bool((model.items.positions(ids, unknown="mark", what="item") >= 0).any())


def _histories(
    model: Recommender, data: Path | None, parts: str, user: list[str] | None, users: Path | None, unknown: Unknown
) -> Interactions:
    assert data is not None
    dataset = over_items_of(model, load_dataset(data), unknown)
    x = dataset.history("+".join(dataset.parts()) if parts == "all" else parts)
    if not user and users is None:
        return x.take(np.flatnonzero(x.lengths() > 0))
    wanted = [*(user or []), *(read_ids(users, x.users, "user").to_list() if users else [])]
    return x.take(x.users.positions(list(dict.fromkeys(wanted)), what="user"))


def _allowed(model: Recommender, candidates: Path | None, exclude: Path | None) -> Candidates | None:
    if candidates is None and exclude is None:
        return None
    allowed = np.arange(len(model.items)) if candidates is None else _positions(model, candidates)
    banned = np.empty(0, np.int64) if exclude is None else _positions(model, exclude)
    return Candidates.positions(np.setdiff1d(allowed, banned))


def _positions(model: Recommender, path: Path) -> NDArray[np.int64]:
    return model.items.positions(read_ids(path, model.items, "item"), what="item")


__getattr__ = old_names(__name__)
