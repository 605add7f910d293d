"""What whole events change: the same logs cut inside what a user does at one time, and between; rows of equal time in any order.

    python benchmarks/events.py closed                       closed forms on the logs, each way of cutting and reading
    python benchmarks/events.py trained sasrec --seeds 1 2   trained models on online-retail, cut either way
    python benchmarks/events.py paired                       F-DiffRec on ml-100k, rows of equal time shuffled, seed by seed
    python benchmarks/events.py page                         events.md alone

Models learn from train; test is ranked from train and validation, both of which are masked. Keeps `events.json`: a row that is
there is not measured again. The data lie in `--shared`; ml-100k is fetched as `recodiff.fetch` does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import recodiff
from machine import SHARED, machine
from recodiff.configs import read_settings
from recodiff.data.dataset import Dataset
from recodiff.data.interactions import Events
from recodiff.data.readers.log import read_log
from recodiff.data.split import Temporal
from recodiff.evaluation.validation import Validation
from recodiff.runtime.run import Run
from saved_rows import SavedRows

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "events.json", HERE / "events.md"
METRICS = ("recall@20", "ndcg@20")
LOGS: dict[str, dict[str, Any]] = {
    "online-retail": {"user_core": 5, "item_core": 5},
    "ml-latest-small": {"min_weight": 4, "user_core": 5, "item_core": 5},
    "ml-100k": {"min_weight": 4, "user_core": 5, "item_core": 5},
    "movietweetings-100k": {"user_core": 5, "item_core": 5},
}
HALF_LIFE = {"kind": "half_life", "half_life": 5.0, "floor": 0.1, "on": "history"}
CLOSED: dict[str, tuple[str, dict[str, Any]]] = {
    "popularity": ("popularity", {}),
    "ItemKNN": ("itemknn", {}),
    "EASE": ("ease", {}),
    "EASE, half-life 5 on the history": ("ease", {"weighting": HALF_LIFE}),
    "F-ridge": ("f-ridge", {}),
}
TRAINED = {"sasrec": "SASRec", "fs-diffrec": "FS-DiffRec", "f-diffrec": "F-DiffRec"}
INTRODUCTION = """What a user does at one time, such as a basket, is an event. The same logs are cut inside events and between, \
and rows of equal time stand in several orders. `benchmarks/events.py` measures and writes this page from \
`events.json`.

| way | cut between parts | how models read and learn from events |
|---|---|---|
| split | inside events, in the order of the log: what 0.1.0 did | one by one, cuts of training pairs inside too |
| earliest | an event goes to the earliest part it touches | |
| whole | the boundary moves to the nearer end of the event (`--events whole`) | as a set: one age, one place, no cut inside |
| whole, read in order | the same | in the order of the log, no cut inside (`--events ordered`) |
| read one by one | | as `split` |

Models learn from train; test is ranked from train and validation, which are masked. Closed forms have their \
default settings, trained models those tuned on ML-1M; their epochs and shares are chosen on validation. Figures \
of different users do not compare: `split` has more users than `whole`."""
SAID = """What the figures say:

* **Cut inside events, online-retail measures how well a half-seen basket is completed, and the order of its \
rows decides.** EASE falls from .1689 to .1129 where events stay whole; rows of equal time in another order gave \
.2265 or .1459, and change nothing now.
* **Half-life weights on the history, online-retail: the gain is not seen on whole events.** Cut inside events \
they help (.1840 against .1689). On whole events, ages counted in items, they harm (.0996 against .1129); ages \
counted in events, they make no difference (.1128). On ml-100k and ml-latest-small they help either way.
* **Forecasting pairs pay for whole events in training.** Of the same whole test events, F-ridge finds .0895 \
where its training cuts may fall inside events and .0662 where they may not (ml-100k: .2083 and .1927): a user \
of one event teaches it nothing, and EASE learns from every basket. F-DiffRec does not: .0881 and .0914, five \
seeds each.
* **SASRec reads sets less well than rows** on online-retail (`whole` against `whole, read one by one`), and \
stays below EASE either way. Where no standard error stands, a trained model has one seed.
* **movietweetings-100k is the same either way.** Four of its 68,055 interactions share their time with another, none \
at a boundary. The released ML-1M files have an order and no equal times, so nothing changes there, chronological or not.
* **A trained model sees the same data in every order of equal rows**: shuffled and as the log stands, F-DiffRec on \
ml-100k gives the same figures with the same seed.
* FS-DiffRec, and closed forms tuned anew: \
[what changed our mind](notebook/forecasting.md#whole-events-2026-12-01).
* Of the two rules for the boundary, `earliest` leaves 8 % of the interactions in the test part where 20 % are \
asked for, `whole` 16 %."""
PAIRED_EPOCHS = 30
PAIRED = f"F-DiffRec of {PAIRED_EPOCHS} epochs"
ORDERS = ("as the log stands", "shuffled", "sorted by item")


@dataclass(frozen=True)
class Earliest(Temporal):
    """The rule of the issue that asked for whole events: an event goes to the earliest part it touches."""

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        order = pl.col("time").rank("ordinal").over("user")
        marked = super()._mark(frame.with_columns(event=order))
        rank = pl.col("part").replace_strict({"train": 0, "valid": 1, "test": 2}).min().over("user", "time")
        return marked.with_columns(part=rank.replace_strict({0: "train", 1: "valid", 2: "test"}), event=frame["event"])


@dataclass(frozen=True)
class Way:
    """One way to cut events, and to read those that stay whole."""

    cut: Events
    read: Events
    earliest: bool = False
    order: str = ORDERS[0]


WAYS = {
    "split": Way("split", "split"),
    "split, shuffled": Way("split", "split", order=ORDERS[1]),
    "split, sorted by item": Way("split", "split", order=ORDERS[2]),
    "earliest, read one by one": Way("whole", "split", earliest=True),
    "whole, read one by one": Way("ordered", "split"),
    "whole, read in order": Way("ordered", "ordered"),
    "whole": Way("whole", "whole"),
    "whole, shuffled": Way("whole", "whole", order=ORDERS[1]),
    "whole, sorted by item": Way("whole", "whole", order=ORDERS[2]),
}


def data(name: str, way: Way, shared: Path) -> Dataset:
    """The log, its rows of equal time in the order asked for, prepared."""
    log = read_log(recodiff.fetch(name) if name == "ml-100k" else shared / name)
    frame = log.frame
    if way.order == ORDERS[1]:
        frame = frame.sample(fraction=1, shuffle=True, seed=1)
    elif way.order == ORDERS[2]:
        frame = frame.sort("user", "time", "item")
    split = Earliest() if way.earliest else Temporal()
    made = recodiff.prepare(replace(log, frame=frame), split=split, events=way.cut, name=name, **LOGS[name])
    return made if way.read == way.cut else read_as(made, way.read)


def read_as(made: Dataset, events: Events) -> Dataset:
    """The same parts, whose events models read otherwise."""
    parts = {name: replace(part, events=events) for name, part in made.parts().items()}
    return replace(made, **parts)


def one(title: str, name: str, settings: dict[str, Any], seed: int, made: Dataset, *, choose: bool) -> dict[str, Any]:
    """Trains and measures."""
    began = time.perf_counter()
    validate = Validation(made, ("recall@20", "ndcg@20")) if choose else None
    model = recodiff.build(name, settings).fit(made.train, Run(seed=seed, progress=False), validate=validate)
    assert made.test is not None
    found = recodiff.evaluate(model, made.history("train+valid"), made.test, METRICS)
    return {
        "model": title,
        "seed": seed,
        **{metric: found.mean(metric) for metric in METRICS},
        "users": len(found.users),
        "lists": int(np.asarray(found.lists).astype(np.int64).dot(np.arange(1, 21)).sum()) if found.lists is not None else None,
        "parts": {part: x.nnz for part, x in made.parts().items()},
        "seconds": round(time.perf_counter() - began, 1),
        "machine": {key: value for key, value in machine().items() if key in ("processor", "torch", "commit", "date")},
    }


def measure_closed(shared: Path, logs: Sequence[str], ways: Sequence[str]) -> None:
    """Closed forms, each way."""
    kept = SavedRows(KEPT)
    for log in logs:
        for way in ways:
            how = WAYS[way]
            asked = {title: {"data": log, "way": way, "model": title, "seed": 1} for title in CLOSED}
            if all(kept.has(known) for known in asked.values()):
                continue
            made = data(log, how, shared)
            for title, (name, settings) in CLOSED.items():
                row = {"data": log, "way": way} | one(title, name, settings, 1, made, choose=False)
                kept.put(row | ({"events": made.info["events"]} if title == "EASE" else {}), asked[title])
                print(f"{log}, {way}: {title} {row['recall@20']:.4f} / {row['ndcg@20']:.4f}", flush=True)
        write_page()


def measure_trained(shared: Path, names: Sequence[str], seeds: Sequence[int], ways: Sequence[str]) -> None:
    """Trained models on online-retail, settings as on ML-1M; epochs and shares are chosen on validation."""
    kept = SavedRows(KEPT)
    for way in ways:
        made = data("online-retail", WAYS[way], shared)
        for name in names:
            model, settings = read_settings(f"{name}-ml-1m_clean")
            for seed in seeds:
                asked = {"data": "online-retail", "way": way, "model": TRAINED[name], "seed": seed}
                if kept.has(asked):
                    continue
                row = {"data": "online-retail", "way": way} | one(TRAINED[name], model, settings, seed, made, choose=True)
                kept.put(row, asked)
                print(f"{way}: {name} seed {seed}: {row['recall@20']:.4f} in {row['seconds']:.0f} s", flush=True)
                write_page()


def measure_paired(shared: Path, seeds: Sequence[int]) -> None:
    """F-DiffRec on ml-100k for a few epochs, rows of equal time as the log has them and shuffled, with the same seeds."""
    kept = SavedRows(KEPT)
    model, settings = read_settings("f-diffrec-ml-100k", [f"training.epochs={PAIRED_EPOCHS}"])
    for way in (*alike("whole")[:2], *alike("split")[:2]):
        made = data("ml-100k", WAYS[way], shared)
        for seed in seeds:
            asked = {"data": "ml-100k", "way": way, "model": PAIRED, "seed": seed}
            if not kept.has(asked):
                row = asked | one(PAIRED, model, settings, seed, made, choose=True) | {"fingerprint": made.fingerprint()}
                kept.put(row, asked)
                print(f"{way}, seed {seed}: {row['recall@20']:.4f} in {row['seconds']:.0f} s", flush=True)
    write_page()


def paired_lines(rows: list[dict[str, Any]]) -> list[str]:
    """What shuffling changes in a trained model, over paired seeds."""
    found = []
    for kind in ("whole", "split"):
        pair = [{row["seed"]: row for row in rows if row["model"] == PAIRED and row["way"] == way} for way in alike(kind)[:2]]
        seeds = sorted(pair[0].keys() & pair[1].keys())
        if len(seeds) < 2:
            continue
        differences = [pair[1][seed]["recall@20"] - pair[0][seed]["recall@20"] for seed in seeds]
        mean = statistics.mean(pair[0][seed]["recall@20"] for seed in seeds)
        error = statistics.stdev(differences) / len(seeds) ** 0.5
        same = "the same" if len({row["fingerprint"] for side in pair for row in side.values()}) == 1 else "another"
        found.append(
            f"* {kind}: {PAIRED} has R@20 {mean:.4f}. Rows of equal time shuffled, the difference over {len(seeds)} paired seeds "
            f"is {statistics.mean(differences):+.4f} ± {error:.4f}; the prepared data has {same} fingerprint."
        )
    return found


def write_page() -> None:
    """events.md, of what is kept."""
    rows = SavedRows(KEPT).rows()
    newest = max((row["machine"] for row in rows), key=lambda machine: machine["date"])
    lines = ["# Whole events", "", INTRODUCTION, ""]
    lines += [f"Commit {newest['commit']}, {newest['processor']}, one thread, {newest['date']}. R@20 / N@20 on test.", ""]
    for log in LOGS:
        mine = [row for row in rows if row["data"] == log and row["model"] != PAIRED]
        ways = [way for way in WAYS if any(row["way"] == way for row in mine)]
        if not ways:
            continue
        titles = list(dict.fromkeys(row["model"] for row in mine))
        lines += [f"## {log}", "", "| way | users | " + " | ".join(titles) + " |", "|---|---|" + "---|" * len(titles)]
        for way in ways:
            cells = [cell([row for row in mine if (row["way"], row["model"]) == (way, title)]) for title in titles]
            users = next(row["users"] for row in mine if row["way"] == way)
            lines.append(f"| {way} | {users:,} | " + " | ".join(cells) + " |")
        lines += ["", *facts(mine), *paired_lines([row for row in rows if row["data"] == log]), ""]
    PAGE.write_text("\n".join([*lines, SAID, ""]), encoding="utf-8")


def cell(rows: list[dict[str, Any]]) -> str:
    """R@20 / N@20, of several seeds their mean and the standard error of it."""
    if not rows:
        return "-"
    means = [statistics.mean(row[metric] for row in rows) for metric in METRICS]
    said = " / ".join(f"{mean:.4f}".lstrip("0") for mean in means)
    if len(rows) == 1:
        return said
    error = statistics.stdev(row[METRICS[0]] for row in rows) / len(rows) ** 0.5
    return f"{said} ± {error:.4f} ({len(rows)} seeds)"


def facts(rows: list[dict[str, Any]]) -> list[str]:
    """What the parts are and what the order of rows of equal time changes, one line each."""
    found = []
    for way in ("split", "earliest, read one by one", "whole"):
        for row in rows:
            if row["way"] == way and row["model"] == "EASE":
                total = sum(row["parts"].values())
                shares = ", ".join(f"{part} {size / total:.1%}" for part, size in row["parts"].items())
                events = row["events"]
                found.append(
                    f"* {way}: {shares}. {events['shared']:.1%} of the interactions stand in events of several; "
                    f"{events['times_per_user']} events a user; {events['users_of_one']:,} users of one event; the test part of "
                    f"{events['users_cut']:,} users begins inside an event, and {events['test_seen']:.1%} of it is in such events."
                )
    for kind in ("split", "whole"):
        spread = [[row["recall@20"] for row in rows if row["model"] == title and row["way"] in alike(kind)] for title in CLOSED]
        lists = [{row["lists"] for row in rows if row["model"] == title and row["way"] in alike(kind)} for title in CLOSED]
        if all(len(values) == len(ORDERS) for values in spread):
            most = max(max(values) - min(values) for values in spread)
            same = sum(len(sums) == 1 for sums in lists)
            found.append(
                f"* {kind}: over the three orders of rows of equal time R@20 differs by at most {most:.2g}; the lists of {same} of "
                f"{len(lists)} models are the same."
            )
    return found


def alike(kind: str) -> list[str]:
    """The ways that differ by the order of rows alone."""
    return [kind, f"{kind}, shuffled", f"{kind}, sorted by item"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("closed", "trained", "paired", "page"))
    parser.add_argument("names", nargs="*", help="logs of LOGS, or models of TRAINED; all unless given")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--ways", nargs="+", help="all for closed forms, whole and split for trained models, unless given")
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.what == "closed":
        measure_closed(asked.shared, asked.names or list(LOGS), asked.ways or list(WAYS))
    elif asked.what == "trained":
        measure_trained(asked.shared, asked.names or list(TRAINED), asked.seeds, asked.ways or ["whole", "split"])
    elif asked.what == "paired":
        measure_paired(asked.shared, asked.seeds)
    write_page()


if __name__ == "__main__":
    main()
