"""Lists that another program wrote: read, put into the order of their ranks, and their peculiarities reported.

Shapes: `n_users` rows of the data, `L` places of the longest list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap
from recodiff.data.readers.columns import plain
from recodiff.data.readers.tables import in_memory
from recodiff.data.readers.text_tables import open_table
from recodiff.errors import DataError
from recodiff.evaluation.protocol import Task
from recodiff.runtime import files
from recodiff.runtime.crash_check import crash_checked

LIST_ROLES = {
    "user": ("user", "userid", "uid", "queryid", "query", "qid"),
    "item": ("item", "itemid", "iid", "docid", "movieid", "productid"),
    "rank": ("rank", "position", "place"),
    "score": ("score", "prediction", "relevance", "rating", "weight"),
}
"""Names of the columns, in lower case without punctuation."""
TREC = ("user", "q0", "item", "rank", "score", "tag")
"""Fields of a line of a TREC run file."""
COLUMNS_SHOWN = 4
"""Columns that a refusal names."""


@dataclass(frozen=True)
class GivenLists:
    """Lists over the users and the items of the data.

    Args:
        items: positions in the catalogue, best first, int64 [n_users, L]; -1 after the end of a list, and at the place of an item
            that the data does not know: it is a miss.
        lengths: number of items in each list, int64 [n_users].
        notes: one sentence for each peculiarity.
    """

    items: NDArray[np.int64]
    lengths: NDArray[np.int64]
    notes: tuple[str, ...]


def read_lists(path: str | Path, users: IdMap, items: IdMap) -> GivenLists:
    """Read lists from a table with the columns user, item and rank or score; without either, the rows stand best first.

    A TREC run file (lines of query, Q0, document, rank, score, tag) is read too: by the score, as trec_eval does. An item that
    stands twice in a list counts where it stands first. Places are given out anew, so ranks may begin at 0 or 1.

    Args:
        path: a .parquet file, a text table with a header, or a TREC run file.
        users: whose lists are wanted, in the order of the rows.
        items: the catalogue.

    Raises:
        DataError: the file cannot be read, lacks a column, has no rows, or holds no user of the data.
    """
    path = Path(path)
    table = _table(path)
    if table.is_empty():
        raise DataError(f"{path.name} has no rows, so there is no list to measure; give lists of some users of the data")
    frame, notes = _ordered(table, path.name)
    user, item = users.positions(frame["user"], unknown="mark"), items.positions(frame["item"], unknown="mark")
    if (user < 0).all():
        raise DataError(f"{path.name} holds no user of the data; its ids are such as {frame['user'].head(3).to_list()}")
    if (user < 0).any():
        strange = frame["user"].filter(pl.Series(user < 0)).n_unique()
        notes.append(f"{strange} users of {path.name} are not in the data; their lists are left out")
    frame = pl.DataFrame({"user": user, "item": item, "id": frame["item"]}).filter(pl.col("user") >= 0)
    once = frame.unique(["user", "id"], keep="first", maintain_order=True)
    if once.height < frame.height:
        notes.append(f"{frame.height - once.height} rows repeat an item of the same list; each item counts where it stands first")
    if strange := int((once["item"] < 0).sum()):
        notes.append(f"{strange} places hold an item that the data does not know; they count as misses")
    lengths = np.bincount(once["user"].to_numpy(), minlength=len(users))
    return GivenLists(_grid(once, len(users)), lengths, tuple(notes))


@dataclass(frozen=True)
class Treatment:
    """The treatment of lists that are not there, are too many, or end early: ends of sentences.

    Args:
        without_list: of users with something to be found and no list.
        without_truth: of users with a list and nothing to be found.
        short_lists: of the places after the end of a list.
    """

    without_list: str = "they count as 0"
    without_truth: str = "they are left out"
    short_lists: str = "the places after their end count as misses"


USUAL_TREATMENT = Treatment()


def notes_on(lists: GivenLists, task: Task, k: int, treatment: Treatment = USUAL_TREATMENT) -> list[str]:
    """Notes to read before the figures of given lists, one sentence for each peculiarity.

    Args:
        lists: of the users of the task.
        task: what they are measured on, over the same users and items.
        k: where the longest figure is cut.
        treatment: what the figures make of it.
    """
    items, lengths, truth = lists.items, lists.lengths, task.truth.lengths() > 0
    missing, extra = int((truth & (lengths == 0)).sum()), int((~truth & (lengths > 0)).sum())
    short = int((truth & (lengths > 0) & (lengths < k)).sum())
    rows, columns = np.nonzero(items >= 0)
    wide = task.mask.n_items + 1
    seen = int(np.isin(rows * wide + items[rows, columns], task.mask.rows() * wide + task.mask.matrix.indices).sum())
    notes = []
    if missing:
        notes.append(f"{missing} of {int(truth.sum())} users with something to be found have no list; {treatment.without_list}")
    if extra:
        notes.append(f"{extra} users have a list and nothing to be found; {treatment.without_truth}")
    if short:
        notes.append(f"{short} lists hold fewer than {k} items; {treatment.short_lists}")
    if seen:
        notes.append(f"{seen} places hold items that the user has interacted with before; a list without them would score higher")
    return notes


def _table(path: Path) -> pl.DataFrame:
    """The columns that have a role, under its name."""
    with files.reading(path, DataError, "give a table of lists: user, item, and rank or score"):
        if path.suffix == ".parquet":
            frame = crash_checked([path], lambda: pl.read_parquet(path, glob=False), DataError, "write the lists anew")
            found = _roles(frame.columns, path.name)
            return frame.select(pl.col(name).alias(role) for role, name in found.items())
        if (runs := _trec_run(path)) is not None:
            return runs
        table = open_table(path, header=True)
        found = _roles(table.columns(), path.name)
        return in_memory(table.collect([pl.col(name).alias(role) for role, name in found.items()])[0])


def _trec_run(path: Path) -> pl.DataFrame | None:
    """User, item and score of a TREC run file, equal scores in the order of the ranks; None where the file is none."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = next((line for line in file if line.strip()), "").split()
    if len(first) != len(TREC) or first[1].upper() != "Q0":
        return None
    lines = pl.Series("line", path.read_text("utf-8").splitlines()).str.strip_chars()
    lines = lines.filter(lines != "")
    fields = lines.str.extract_groups("^" + r"\s+".join(rf"(?<{name}>\S+)" for name in TREC) + "$").struct.unnest()
    wrong = fields["user"].is_null()
    if wrong.any():
        raise DataError(f"{path.name} begins as a TREC run file, and {lines.filter(wrong)[0]!r} is no line of one; mend that line")
    ranked = fields.with_columns(pl.col("rank").cast(pl.Float64, strict=False)).sort("rank", maintain_order=True)
    return ranked.select("user", "item", "score")


def _roles(columns: list[str], name: str) -> dict[str, str]:
    found = {}
    for role, known in LIST_ROLES.items():
        fitting = sorted((column for column in columns if plain(column) in known), key=lambda column: known.index(plain(column)))
        found |= {role: fitting[0]} if fitting else {}
    for role in ("user", "item"):
        if role not in found:
            first = ", ".join(columns[:COLUMNS_SHOWN])
            raise DataError(
                f"{name} has no column '{role}', its first line reads {first}; lists have a header with user, item and rank or "
                "score, or are a TREC run file"
            )
    return found


def _ordered(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[str]]:
    """The rows of each user best first, equals in the order of the file."""
    by = next((role for role in ("rank", "score") if role in frame.columns), None)
    if missing := frame.select(pl.any_horizontal(pl.all().is_null()).sum()).item():
        raise DataError(f"{name} has {missing} rows with an empty field; leave these rows out")
    if by is None:
        return frame, [f"{name} has neither rank nor score; its rows are taken to stand best first"]
    numbers = frame[by].cast(pl.Float64, strict=False)
    if numbers.null_count() or numbers.is_nan().any():
        raise DataError(f"the column {by} of {name} holds values that are no numbers; mend them, or leave these rows out")
    frame = frame.with_columns(numbers)
    tied = frame.filter(pl.struct("user", by).is_duplicated())["user"].n_unique()
    notes = [f"{tied} lists hold items of one {by}; these stand in the order of the file"] if tied else []
    return frame.sort(by, descending=by == "score", maintain_order=True), notes


def _grid(rows: pl.DataFrame, n_users: int) -> NDArray[np.int64]:
    places = rows.select(pl.int_range(pl.len()).over("user")).to_series().to_numpy()
    items = np.full((n_users, places.max() + 1), -1, np.int64)
    items[rows["user"].to_numpy(), places] = rows["item"].to_numpy()
    return items
