"""`recodiff reproduce`."""

from __future__ import annotations

from pathlib import Path

from recodiff.cli.output import Estimate, print_json, print_table, refuse_taken, say
from recodiff.cli.parameters import Whole
from recodiff.experiments.reproduce import catalogue, output, page, published
from recodiff.experiments.reproduce.reproduce import reproduce as run
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import REPORTED_METRICS
from recodiff.experiments.runs.options import Deadline, RunOptions
from recodiff.experiments.runs.results import Mean
from recodiff.experiments.runs.runner import load_complete
from recodiff.reports.cells import short
from recodiff.runtime.folders import held


def reproduce(
    name: str,
    /,
    *,
    data: Path,
    out: Path,
    seeds: Whole | None = None,
    quick: bool = False,
    minutes: float | None = None,
    device: str = "auto",
    threads: Whole | None = None,
    json: bool = False,
) -> None:
    """Run a table or figure of the paper on a data folder, and lay the published figures beside ours.

    Published figures stand beside ours only where the data is the published one,
    known by name and size; for other data they have a table of their own. The same command
    again goes on where it stopped, and measures nothing twice.

    Example: recodiff reproduce table5 --data ml-1m_clean --out reproduced --quick

    Parameters
    ----------
    name
        table2 (clean, all methods); table3 or table4 (natural noise); figure4 (random noise); table5 (x_0 or eps predicted);
        figure5 (sampling of t, inference steps); figure6 (noise scale, steps); table6 (L-DiffRec, resources); figure7 (its
        clusters); table7 (temporal). Questions of our own: ablation (what earns the accuracy); weights (where time weights do);
        protocols (official, chronological, leaking); embeddings (what L-DiffRec's clusters are made of); forecast (what
        F-DiffRec's accuracy is made of).
    data
        A data folder with train, valid and test: a DiffRec release folder, or one made by `recodiff prepare`.
    out
        The folder for NAME.md, NAME.json, a drawing (NAME.png, NAME.svg) of a figure, and the runs behind them.
    seeds
        How many, counted from 1; 3, or 1 with --quick.
    quick
        One seed, fewer points, ten epochs at most: shows that everything runs, reproduces nothing.
    minutes
        Begin no run after this time, and write what there is.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    json
        Print what NAME.json holds.
    """
    plan = catalogue.experiment(name)
    options = RunOptions(seeds, quick, device, threads, Deadline(minutes))
    dataset = load_complete(data)
    refuse_taken(out, "the page")
    with held(out):
        output.refuse_other(plan, dataset, out, quick=quick)
        if reason := published.not_comparable(plan.published, dataset):
            say(reason)
        found = run(plan, dataset, data, out, options, say)
        written = output.write_outcome(found, out, say)
    if json:
        print_json(output.outcome_as_json(found))
    else:
        _print(found)
    say(f"wrote {', '.join(map(str, written))}")


def _print(found: Outcome) -> None:
    beside = found.beside.rows if found.beside else {}
    theirs = ("recall@20", "ndcg@20") if beside else ()
    ours = list(map(short, REPORTED_METRICS))
    headers = ("case", *ours, *(f"published {short(metric)}" for metric in theirs), "valid R@20", "parameters")
    rows = []
    for row in found.rows:
        figures = [row.test(metric) for metric in REPORTED_METRICS]
        published_ones = [beside.get(row.case.key, {}).get(metric) for metric in theirs]
        rows.append(
            (
                row.case.label,
                *map(_cell, figures),
                *published_ones,
                _cell(row.valid("recall@20")),
                page.median_field(row, "parameters"),
            )
        )
    print_table(headers, rows, title=page.outcome_title(found), right=headers[1:])
    for label, note in found.missing().items():
        say(f"{label}: {note}")


def _cell(found: Mean | None) -> Estimate | float | None:
    return found if found is None else found.value if found.error is None else Estimate(found.value, found.error)
