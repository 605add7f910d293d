"""The tour: real data fetched, models trained beside the simple methods they must beat, lists made, a report written."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recodiff.configs import read_settings
from recodiff.data import Dataset, Interactions, Temporal, fetch, prepare
from recodiff.data.saving import MANIFEST
from recodiff.errors import ConfigError, DataError
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.experiments.runs.model_card import CardNotes
from recodiff.experiments.runs.provenance import provenance
from recodiff.experiments.runs.runner import Say
from recodiff.experiments.runs.train import train_run
from recodiff.models.base import Recommender
from recodiff.models.registry import title
from recodiff.moved import old_names
from recodiff.ranking.recommend import history_of, recommend
from recodiff.reports.html import Report, ReportEntry, Sample, write_report
from recodiff.runtime import files
from recodiff.runtime.folders import refuse_files_of_others
from recodiff.runtime.run import Run

DATA = "ml-100k"
TOUR_MODELS: tuple[str, ...] = ("popularity", "ease-ml-100k", "diffrec-ml-100k", "t-diffrec-ml-100k", "f-diffrec-ml-100k")
"""What is trained: presets, and a model that has no settings to choose."""
TOUR_METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
TYPED = (50, 172, 181)
"""The history typed by hand: Star Wars, The Empire Strikes Back, Return of the Jedi."""
TYPICAL = range(20, 61)
"""How many items the known user of the demonstration has interacted with: enough to see a taste, few enough to take in."""
LISTED, HISTORY_SHOWN = 10, 8
REPORT, RESULTS = "report.html", "results.json"


@dataclass(frozen=True)
class Trained:
    """A model of the tour.

    Args:
        folder: of its run.
        model: fitted.
        entry: its line in the table.
    """

    folder: Path
    model: Recommender
    entry: ReportEntry


@dataclass(frozen=True)
class Tour:
    """The data, models and lists of the tour.

    Args:
        data: the prepared data.
        trained: the models, in the order of the table.
        samples: lists side by side: of a known user, of a history typed by hand.
    """

    data: Dataset
    trained: Sequence[Trained]
    samples: Sequence[Sample]


def check_out(out: Path, overwrite: bool) -> None:
    """Make the folder.

    Args:
        out: the folder of the tour.
        overwrite: whether an earlier tour in it may be replaced.

    Raises:
        ConfigError: it holds an earlier tour and may not lose it.
        CheckpointError: it holds another's file of a name that the tour writes.
    """
    if not overwrite and ((out / RESULTS).exists() or (out / "data" / MANIFEST).exists()):
        raise ConfigError(f"'{out}' holds an earlier demo; choose another folder with --out, or say --overwrite")
    found = files.described(out / RESULTS) or {}
    refuse_files_of_others(out, (RESULTS, REPORT), (RESULTS, REPORT) if {"models", "data"} <= found.keys() else ())
    out.mkdir(parents=True, exist_ok=True)


def prepare_data(out: Path, say: Say, *, overwrite: bool = False) -> Dataset:
    """Fetch MovieLens-100K and prepare it: ratings from 4 on, 5-core, split by time within each user.

    Args:
        out: the folder of the tour; the data goes into it.
        say: receives a line for each step.
        overwrite: whether the data of an earlier tour may be replaced.

    Raises:
        DataError: no source can be reached.
    """
    source = fetch(DATA, say=say)
    split = Temporal(valid=0.1, test=0.2)
    return prepare(source, out / "data", min_weight=4, user_core=5, item_core=5, split=split, name=DATA, overwrite=overwrite)


def train_all(data: Dataset, run: Run, out: Path, say: Say, *, overwrite: bool = False) -> list[Trained]:
    """Train every model into a folder of its own under `out`, and measure it on the test part.

    Args:
        data: with a validation and a test part.
        run: device, seed and threads.
        out: the folder of the tour.
        say: receives a line for each step.
        overwrite: whether models of an earlier tour may be replaced.
    """
    trained = []
    for number, source in enumerate(TOUR_MODELS, 1):
        name, settings = read_settings(source, models=("popularity",))
        say(f"  {number}/{len(TOUR_MODELS)} {title(name)}")
        mine, began = Run(run.device, run.seed, run.threads, out / name, progress=run.progress), time.perf_counter()
        model = train_run(name, settings, data, mine, overwrite=overwrite, where=source, card=CardNotes())
        seconds = time.perf_counter() - began
        if "epochs" in model.summary:
            say(f"      {model.summary['epochs']} epochs in {seconds:.0f} s, the best after {model.summary['best_epoch']}")
        found = measure_parts(model, data, ("test",), TOUR_METRICS).parts["test"]
        entry = ReportEntry(title(name), found, seconds, model.summary.get("log", ()), model.parameters)
        trained.append(Trained(out / name, model, entry))
    return trained


def samples(data: Dataset, models: Sequence[Trained]) -> list[Sample]:
    """Lists of one known user, from train and validation, and of the history typed by hand.

    Args:
        data: what the models were trained on.
        models: those that give the lists.
    """
    titles = data.titles() or [str(item) for item in data.items.ids]
    user = typical_user(data)
    known = data.history("train+valid").take([user])
    later = data.part("test").take([user])
    typed = history_of(models[0].model, TYPED)
    return [
        _sample(f"User {data.users.ids[user]}", known, titles, models, later),
        _sample("A history typed by hand", typed, titles, models),
    ]


def typical_user(data: Dataset) -> int:
    """The first user, in the order of the ids, with a history of usual length and something to find.

    Args:
        data: with a test part.

    Raises:
        DataError: no user has an item in the test part.
    """
    lengths, to_find = data.history("train+valid").lengths(), data.part("test").lengths()
    usual = (lengths >= TYPICAL.start) & (lengths < TYPICAL.stop) & (to_find > 0)
    fitting = np.flatnonzero(usual if usual.any() else to_find > 0)
    if not len(fitting):
        raise DataError("no user has an item in the test part; check how the data was split")
    return int(fitting[0])


def _sample(
    who: str, history: Interactions, titles: list[str], models: Sequence[Trained], later: Interactions | None = None
) -> Sample:
    lists = {one.entry.title: recommend(one.model, history, LISTED).items[0] for one in models}
    newest = history.matrix.indices[::-1][:HISTORY_SHOWN]
    return Sample(
        who,
        [titles[item] for item in newest.tolist()],
        {model: [titles[item] for item in items.tolist() if item >= 0] for model, items in lists.items()},
        frozenset() if later is None else frozenset(titles[item] for item in later.matrix.indices.tolist()),
    )


def save_tour(tour: Tour, run: Run, out: Path) -> None:
    """Write results.json and report.html.

    Args:
        tour: what was trained and measured.
        run: device, seed and threads, for the provenance.
        out: the folder of the tour.

    Raises:
        MissingExtraError: matplotlib is not installed; results.json is written all the same.
    """
    about = provenance(tour.data, run) | {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    files.write_json(out / RESULTS, about | {"models": {one.folder.name: _figures(one.entry) for one in tour.trained}})
    report = Report(
        title=f"Diffusion recommenders on {tour.data.name}",
        lead="DiffRec, T-DiffRec and F-DiffRec beside the simple methods they must beat, on people's ratings of films: "
        "who finds what each of them liked next?",
        data=tour.data.info | {"source": Path(tour.data.info["source"]).name},
        entries=[one.entry for one in tour.trained],
        metrics=TOUR_METRICS,
        lengths=tour.data.history("train").lengths(),
        samples=tour.samples,
        provenance={name: value for name, value in about.items() if name != "data"},
    )
    write_report(out / REPORT, report)


def _figures(entry: ReportEntry) -> dict[str, Any]:
    found = entry.evaluation
    errors = {f"{metric} standard error": found.standard_error(metric) for metric in found.values}
    return found.flat() | errors | {"seconds": round(entry.seconds, 3), "parameters": entry.parameters}


__getattr__ = old_names(__name__)
