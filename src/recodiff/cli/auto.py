"""`recodiff auto`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from recodiff.cli.info import print_dataset
from recodiff.cli.output import print_json, print_table, say, warn
from recodiff.cli.parameters import Whole
from recodiff.cli.prepare import tell_reading, wanted
from recodiff.data import Dataset
from recodiff.data import prepare as prepare_data
from recodiff.data.events import remarks
from recodiff.data.readers.log import read_log
from recodiff.experiments.auto import COMPARISON, PREPARED, AutoResult, data_folder, run_auto
from recodiff.experiments.compare.tables import accuracy, differences
from recodiff.experiments.runs.options import RunOptions
from recodiff.models.saving import CARD
from recodiff.runtime.sql import is_url, shown


def auto(
    source: str,
    /,
    *,
    out: Path,
    minutes: float = 30.0,
    min_rating: float | None = None,
    user_core: Whole = 0,
    item_core: Whole = 0,
    user_column: str | None = None,
    item_column: str | None = None,
    weight_column: str | None = None,
    time_column: str | None = None,
    table: str | None = None,
    query: str | None = None,
    items: Path | None = None,
    drop_bad_rows: bool = False,
    seeds: Whole = 3,
    device: str = "auto",
    threads: Whole | None = None,
    json: bool = False,
) -> None:
    """From a log to a model: choose the best of several methods in a given time, test it, and train it on everything.

    Reads and splits the log as `recodiff prepare` does. Tunes and compares popularity, EASE, ItemKNN, F-ridge, F-DiffRec and
    FS-DiffRec (without time popularity, EASE, ItemKNN and DiffRec), each within the same time. Says which is best and whether
    that is sure, and trains it on all of the log. The same command goes on where it was interrupted.

    Examples: recodiff auto clicks.csv --minutes 30 --out runs/best
              recodiff auto postgresql://me@host/shop --table clicks --out runs/best

    Parameters
    ----------
    source
        A log, or the URL of a database with --table or --query, as for `recodiff prepare`; or a data folder that it wrote, where a
        log needs more options than there are here.
    out
        The folder for the model and its card; in it data/, and comparison/ with the report.
    minutes
        For all of it. What would not end in time does not begin, as far as that is known; what is under way then is finished.
    min_rating
        Drop interactions rated lower.
    user_core
        Keep users with at least this many interactions; with --item-core, until nothing changes.
    item_core
        Keep items with at least this many interactions.
    user_column
        Name or position (from 0) of the user column, where it is not recognised.
    item_column
        Name of the item column.
    weight_column
        Name of a rating or count column; none to have no such column read.
    time_column
        Name of the time column; none to have no such column read.
    table
        Of a database: a table or view, schema.name in another schema.
    query
        Of a database, in place of --table: a statement that gives rows, read in their order.
    items
        A table with titles, where none stands beside the source: item ids and a column title.
    drop_bad_rows
        Drop and count malformed rows instead of refusing them.
    seeds
        Trainings of each method at most, as far as the time goes.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    json
        Print what was found as one JSON object.
    """
    filters = {"--min-rating": min_rating, "--user-core": user_core, "--item-core": item_core}
    columns: dict[str, Any] = {
        "user": user_column,
        "item": item_column,
        "weight": wanted(weight_column),
        "time": wanted(time_column),
    }
    place = shown(source) if is_url(source) else source
    asked: dict[str, Any] = {"source": place, **filters, **columns, "table": table, "query": query, "items": items and str(items)}

    def read() -> Dataset:
        log = read_log(
            source if is_url(source) else Path(source),
            **columns,
            items=items,
            table=table,
            query=query,
            on_bad_rows="drop" if drop_bad_rows else "refuse",
        )
        tell_reading(log, min_rating)
        made = prepare_data(log, min_weight=min_rating, user_core=user_core, item_core=item_core)
        for sentence in remarks(made.info):
            warn(sentence)
        if not json:
            print_dataset(made, reading=False)
        return made

    options = RunOptions(seeds, device=device, threads=threads)
    found = run_auto(data_folder(source, filters) or read, asked, out, minutes, options, say)
    if json:
        print_json(_described(found, out))
    else:
        _show(found, source, out)


def _show(found: AutoResult, source: str, out: Path) -> None:
    for one in (accuracy(found.comparison), *([differences(found.comparison)] if found.comparison.differences else [])):
        for block, rows in one.blocks.items():
            title = f"{one.title}: {block[0].lower()}{block[1:]}" if block and len(one.blocks) > 1 else one.title
            print_table(one.heads, rows, title=title, right=one.heads[1:])
    for label, note in found.comparison.missing().items():
        say(f"{label}: {note}")
    for sentence in found.sentences:
        say(sentence)
    say(_next(found, source, out))


def _described(found: AutoResult, out: Path) -> dict[str, Any]:
    rows = {row.case.label: row for row in found.comparison.measured}
    figures = {label: {"valid": row.valid("recall@20"), "test": row.test("recall@20")} for label, row in rows.items()}
    means = {label: {part: mean and mean.value for part, mean in one.items()} for label, one in figures.items()}
    missing = found.comparison.missing()
    return {"out": str(out), "best": found.label, "recall@20": means, "missing": missing, "sentences": list(found.sentences)}


def _next(found: AutoResult, source: str, out: Path) -> str:
    data, item = (out / PREPARED if (out / PREPARED).exists() else source), shlex.quote(str(found.model.items.ids[0]))
    steps = {
        f"recodiff serve {out} --data {data}": "a page in your browser",
        f"recodiff recommend {out} --history {item}": "a list for who likes this item",
        f"recodiff refresh {out} --data NEW": "later, on newer data",
    }
    wide = max(map(len, steps))
    return "\n".join(
        [
            f"wrote {out}: {found.label}, trained on everything ({out / CARD}); the report is {out / COMPARISON / 'compare.html'}",
            "What to type next:",
            *(f"  {step:{wide}}  # {what}" for step, what in steps.items()),
        ]
    )
