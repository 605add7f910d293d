"""`recodiff demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from recodiff.cli.output import Estimate, print_columns, print_table, say
from recodiff.errors import MissingExtraError
from recodiff.experiments import demo as tour
from recodiff.report import Sample, short
from recodiff.training import Run


def demo(
    *,
    out: Path = Path("runs/demo"),
    seed: int = 0,
    threads: int | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
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
    tour.check_out(out, overwrite)
    say("1/4 Fetching and preparing MovieLens-100K: which films people rated 4 or 5, and when.")
    data = tour.prepare_data(out, say)
    say(_describe(data.info))
    say("2/4 Training on the oldest 70 % of each user's films, and choosing when to stop on the next 10 %.")
    run = Run(device="cpu", seed=seed, threads=threads)
    trained = tour.train_all(data, run, out, say)
    say("3/4 Measuring on the newest 20 %: what share of it stands among 10 or 20 recommended films?")
    _print_comparison([one.entry for one in trained])
    samples = tour.samples(data, trained)
    for sample in samples:
        _print_sample(sample)
    say("4/4 Writing the report.")
    try:
        tour.save(tour.Tour(data, trained, samples), run, out)
        say(f"wrote {out / tour.REPORT}: open it in a browser.")
    except MissingExtraError as error:
        say(f"no report: {error}")
    say(_next(out))
