"""The tables of a comparison, as text: the same cells for the terminal, Markdown and HTML."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recodiff.evaluation import cutoffs as lengths
from recodiff.evaluation.protocol import stages
from recodiff.evaluation.significance import LEAST_P, TESTS, Test
from recodiff.experiments.compare.comparison import Comparison, Difference, best
from recodiff.experiments.compare.studies import Studies
from recodiff.experiments.runs.cases import REPORTED_METRICS, TESTED_METRICS, Row
from recodiff.experiments.runs.details import BEYOND
from recodiff.experiments.runs.protocols import PARTS_USED, SAID, chosen_on
from recodiff.experiments.runs.results import Mean, Result, mean
from recodiff.experiments.tuning.tuning_result import TuningResult
from recodiff.moved import old_names
from recodiff.reports.cells import NOTHING, as_p, short

FigureOf = Callable[[Result], float | None]
COST: Mapping[str, FigureOf] = {
    "training s": lambda result: result.seconds,
    "inference s": lambda result: result.inference_seconds,
    "parameters": lambda result: result.parameters,
    "memory MB": lambda result: result.memory,
}
"""Column -> what it is the median over seeds of."""


@dataclass(frozen=True)
class Table:
    """Cells, a row's first being its head.

    Args:
        title: above it.
        heads: one per column.
        blocks: heading -> rows; the heading is empty where a table has one block and needs none.
        note: below it.
    """

    title: str
    heads: tuple[str, ...]
    blocks: Mapping[str, list[tuple[str, ...]]]
    note: str


def tables(found: Comparison) -> list[Table]:
    """All that there are: accuracy and cost, shares, paired differences, what lists are worth beyond accuracy, what was chosen.

    Args:
        found: what was compared.
    """
    made = [accuracy(found)]
    made += [shares(found)] if any(result.shares for row in found.measured for result in row.results) else []
    made += [differences(found)] if found.differences else []
    made += [beyond(found)] if found.measured else []
    return [*made, chosen(found.studies)] if found.studies else made


def accuracy(found: Comparison) -> Table:
    """Means over seeds with standard errors, and medians of what they cost.

    Args:
        found: what was compared.
    """
    cost = [name for name in COST if name != "memory MB" or found.memory]

    def row(one: Row) -> tuple[str, ...]:
        figures = [one.test(metric) for metric in REPORTED_METRICS] + [one.valid("recall@20")]
        return one.case.label, *map(text, figures), *(cost_cell(one, name) for name in cost)

    several = any(one.test(REPORTED_METRICS[0]) is not None and len(one.results) > 1 for one in found.measured)
    spread = "(standard error over seeds; none of a single run)" if several else "(one run each)"
    note = (
        f"Mean over seeds {spread}. R: recall, hits / relevant; "
        f"N: NDCG. Ranked: {SAID[found.protocol]}. Training includes validation; inference is the top 20 of all "
        "users; seconds are medians over seeds on the machine named below."
    )
    if found.choose_on == "inner":
        note += (
            f" Epochs, and what else a training chooses, come from {chosen_on(found.protocol, found.choose_on)}; what is measured "
            "was trained once more on all of it, and its seconds are of both. There "
            f"{stages(found.data, choose_on='inner').inner_note}."
        )
    if sentence := lengths.note(stages(found.data).test, REPORTED_METRICS):
        note += f" {sentence}."
    kinds = {result.memory_of for one in found.measured for result in one.results if result.memory_of}
    return Table(
        "Accuracy and cost",
        (
            "method",
            *map(short, REPORTED_METRICS),
            f"{'earlier' if found.protocol in ('chronological', 'leaking') else 'valid'} R@20",
            *cost,
        ),
        {name: list(map(row, rows)) for name, rows in found.blocks.items()},
        f"{note} Memory: peak, {', '.join(sorted(kinds))}." if kinds else note,
    )


def shares(found: Comparison) -> Table:
    """The shares that each sum of models came to, seed by seed.

    Args:
        found: what was compared.
    """
    rows = [
        (row.case.label, str(result.seed), ", ".join(f"{part} {share:.3g}" for part, share in result.shares.items()))
        for row in found.measured
        for result in row.results
        if result.shares
    ]
    return Table(
        "Shares",
        ("method", "seed", "shares"),
        {"": rows},
        "Of a sum of models: what each part's scores, brought to one scale, are multiplied by; 0: the part was not let in.",
    )


def differences(found: Comparison) -> Table:
    """Each method minus the reference.

    Args:
        found: what was compared.
    """
    heads = [f"{short(metric)} {what}" for metric in TESTED_METRICS for what in ("difference", "95 % interval", "adjusted p")]
    by_label = {(one.label, one.metric): one for one in found.differences}

    def row(label: str) -> tuple[str, ...]:
        ones = [by_label[label, metric] for metric in TESTED_METRICS]
        cells = [(f"{one.value:+.4f}", f"{one.low:+.4f} to {one.high:+.4f}", adjusted_p(one, found.test)) for one in ones]
        return label, *(cell for three in cells for cell in three)

    rows = [row(one.case.label) for one in found.measured if one.case.label != found.reference]
    judge = "the part that settings are chosen on" if found.choose_on == "valid" else PARTS_USED[found.protocol][0]
    why = f"The reference is the best of all on {judge}. " if found.reference == best(found.rows) else ""
    return Table(
        f"Differences to {found.reference}",
        ("method", *heads),
        {"": rows},
        f"{_reported(found)}, user by user, the values of each averaged over the seeds: how sure is the difference for other users "
        f"of the same kind? {why}Two-sided p ({TESTS[found.test]}), with Holm's correction over the "
        f"{len(found.differences)} differences here; intervals are those of the bootstrap, uncorrected."
        + (" ≤: no resample was as far off." if any("≤" in cell for line in rows for cell in line) else ""),
    )


def chosen(studies: Studies) -> Table:
    """A table of what each study was given and what it found.

    Args:
        studies: those that chose the settings.
    """

    def row(label: str, one: TuningResult) -> tuple[str, ...]:
        ended = ", ".join(f"{n} {state}" for state, n in one.ended.items())
        figures = [NOTHING if trial.value is None else f"{trial.value:.4f}" for trial in (one.start, one.best)]
        return label, str(len(one.counted)), ended, f"{one.seconds:.0f}", *figures, str(one.best.number)

    metrics = {one.metric for one in studies.found.values()}
    figure = short(metrics.pop()) if len(metrics) == 1 else "figure"
    notes = (
        f" Beyond it, by a trial that was finished or by an earlier call: {', '.join(studies.beyond)}." if studies.beyond else ""
    )
    notes += "".join(f" {label}: {note}." for label, note in studies.notes.items())
    return Table(
        "How settings were chosen",
        ("method", "trials", "how they ended", "seconds", f"{figure} as given", f"{figure} of the best", "in trial"),
        {"": [row(label, one) for label, one in studies.found.items()]},
        f"A study of {studies.budget} for each method, on the part to choose on alone, all with seed 0. The first trial has the "
        "settings given and is always finished; a third of the budget is drawn at random, the rest by TPE; seconds are of training "
        f"and validation.{notes}",
    )


def _reported(found: Comparison) -> str:
    part = PARTS_USED[found.protocol][1]
    return f"{part[0].upper()}{part[1:]}"


def beyond(found: Comparison) -> Table:
    """A table of what the lists are worth beyond accuracy.

    Args:
        found: what was compared.
    """
    names = [name for name in BEYOND if any(name in result.beyond for row in found.measured for result in row.results)]
    blocks = {
        name: [(row.case.label, *(text(beyond_mean(row, figure)) for figure in names)) for row in rows if row.results]
        for name, rows in found.blocks.items()
    }
    return Table(
        "Beyond accuracy",
        ("method", *(name.replace("_", " ") for name in names)),
        {name: rows for name, rows in blocks.items() if rows},
        f"Of the 20 items of each list of {PARTS_USED[found.protocol][1]}. {'; '.join(BEYOND[name] for name in names)}.",
    )


def beyond_mean(row: Row, figure: str) -> Mean | None:
    """The mean over seeds of a figure of BEYOND.

    Args:
        row: of a method.
        figure: a key of BEYOND.
    """
    return mean([result.beyond[figure] for result in row.results if figure in result.beyond])


def median_cost(row: Row, name: str) -> float | None:
    """The median over seeds of a column of COST.

    Args:
        row: of a method.
        name: a key of COST.
    """
    values = [value for result in row.results if (value := COST[name](result)) is not None]
    return statistics.median(values) if values else None


def cost_cell(row: Row, name: str) -> str:
    """A median as a cell.

    Args:
        row: of a method.
        name: a key of COST.
    """
    value = median_cost(row, name)
    return NOTHING if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def text(found: Mean | None) -> str:
    """A mean as a cell.

    Args:
        found: the mean; None where nothing was measured.
    """
    return NOTHING if found is None else str(found)


def adjusted_p(one: Difference, test: Test) -> str:
    """A p-value as people write it; of a bootstrap that no resample speaks against, the least that it can show.

    Args:
        one: the difference that was tested.
        test: where its p-value, 0..1, comes from.
    """
    return as_p(one.adjusted, bound=test == "bootstrap" and one.p < LEAST_P)


__getattr__ = old_names(__name__)
