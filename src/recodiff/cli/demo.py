"""`recodiff demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from recodiff.cli.output import Estimate, print_table, say
from recodiff.cli.parameters import Whole
from recodiff.errors import MissingExtraError
from recodiff.experiments import demo as tour
from recodiff.moved import old_names
from recodiff.reports.cells import short
from recodiff.reports.html import ReportEntry, Sample
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run

MODELS_SHOWN = ("EASE", "F-DiffRec")
"""Whose lists are printed side by side; the report has all."""


def demo(
    *,
    out: Path = Path("runs/demo"),
    seed: Whole = 0,
    threads: Whole | None = None,
    overwrite: bool = False,
) -> None:
    """The tour: fetch real data, train, compare, recommend, write a report.

    Example: recodiff demo --out runs/demo --overwrite

    Parameters
    ----------
    out
        The folder for data, models, figures (results.json) and the report (report.html).
    seed
        Of everything random.
    threads
        CPU threads; all cores unless given.
    overwrite
        Replace an earlier demo that is already there.
    """
    with held(out):
        tour.check_out(out, overwrite)
        _tour(out, Run(seed=seed, threads=threads), overwrite)


def _tour(out: Path, run: Run, overwrite: bool) -> None:
    """The four steps, in a folder that is held."""
    say("1/4 Fetching and preparing MovieLens-100K: which films people liked (rated 4 or 5), and when.")
    data = tour.prepare_data(out, say, overwrite=overwrite)
    say(_sizes(data.info))
    say("2/4 Training on the oldest 70 % of each user's films; the next 10 % tell when to stop.")
    trained = tour.train_all(data, run, out, say, overwrite=overwrite)
    say("3/4 Measuring on the newest 20 %: how much of it stands among the films that each model recommends?\n")
    _print_comparison([one.entry for one in trained])
    samples = tour.samples(data, trained)
    for sample in samples:
        _print_sample(sample)
    say("\n4/4 Writing the report.")
    try:
        tour.save_tour(tour.Tour(data, trained, samples), run, out)
        say(f"wrote {out / tour.REPORT}; open it in a browser")
    except MissingExtraError as error:
        say(f"no {tour.REPORT} this time: {error}")
    say(_what_next(out / "data", trained[-1].folder, data.users.ids[tour.typical_user(data)]))


def _sizes(info: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{size:,} {name}" for name, size in info["parts"].items())
    return (
        f"{info['users']:,} users, {info['items']:,} films, {info['interactions']:,} likes "
        f"({100 * info['density']:.1f} % of all pairs): {parts}"
    )


def _print_comparison(entries: Sequence[ReportEntry]) -> None:
    headers = ("model", *map(short, tour.TOUR_METRICS), "coverage", "seconds", "parameters")
    rows = []
    for entry in entries:
        found = entry.evaluation
        estimates = [Estimate(found.mean(metric), found.standard_error(metric)) for metric in tour.TOUR_METRICS]
        rows.append((entry.title, *estimates, f"{100 * found.coverage:.0f} %", f"{entry.seconds:.1f}", f"{entry.parameters:,}"))
    print_table(headers, rows, right=headers[1:])
    users = len(entries[0].evaluation.users)
    say(
        f"\nMeans over {users:,} users ± standard error. R: recall, hits / liked. N: NDCG, which counts a hit more the higher it "
        "stands. Coverage: films in at least one list."
    )


def _print_sample(sample: Sample) -> None:
    say(f"\n{sample.title} liked, newest first: {'; '.join(sample.history)}.")
    lists = [[f"{title} *" if title in sample.came_true else title for title in sample.lists[model]] for model in MODELS_SHOWN]
    rows = [(rank, *titles) for rank, titles in enumerate(zip_longest(*lists, fillvalue=""), 1)]
    print_table(("rank", *MODELS_SHOWN), rows)
    if sample.came_true:
        say("* liked later, and not known to the models")


def _what_next(data: Path, model: Path, user: object) -> str:
    steps = {
        f"recodiff recommend {model} --history {' '.join(map(str, tour.TYPED))}": "films for a user who likes these",
        f"recodiff recommend {model} --data {data} --user {user}": "films for a known user",
        f"recodiff similar {model} {tour.TYPED[0]}": "films like this one",
        f"recodiff serve {model} --data {data}": "a page in your browser, with pip install 'recodiff[serve]'",
        f"recodiff info {model}": "its settings, and where it comes from",
        "recodiff prepare YOUR.csv data/mine": "a log of your own",
        f"recodiff train f-diffrec-{tour.DATA} --data data/mine --out runs/mine": "a model of your own",
    }
    widest = max(map(len, steps))
    return "\n".join(["\nWhat to type next:", *(f"  {step:{widest}}  # {what}" for step, what in steps.items())])


__getattr__ = old_names(__name__)
