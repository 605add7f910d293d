"""The page of an experiment, in Markdown."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from recodiff.evaluation.significance import LEAST_SEEDS, holm, seed_p
from recodiff.experiments.reproduce.published import not_comparable, published
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import REPORTED_METRICS, TESTED_METRICS, Row
from recodiff.experiments.runs.provenance import provenance_of_rows
from recodiff.experiments.runs.results import Mean
from recodiff.moved import old_names
from recodiff.reports.cells import NOTHING, as_p, listed, short
from recodiff.reports.markdown import cell, line, markdown_table

PUBLISHED_AS = {"parameters": "parameters, M", "memory": "GPU memory, MB"}
"""What the paper counts beside accuracy, and in what."""
CAPTION = "Bars are standard errors over seeds. Every panel has a scale of its own: compare shapes, not heights."


def outcome_title(outcome: Outcome) -> str:
    """The title of the page, a quick pass by its name.

    Args:
        outcome: what was run and found.
    """
    name = re.sub(r"(\d+)", r" \1", outcome.plan.name).capitalize()
    said = f"{name}, {outcome.plan.title}, on {outcome.data.name}"
    if outcome.cap is None:
        return said
    seeds = "one seed" if len(outcome.seeds) == 1 else f"{len(outcome.seeds)} seeds"
    return f"Quick pass ({seeds}, at most {outcome.cap} epochs{', fewer points' if outcome.left_out() else ''}): {said}"


def render_outcome(outcome: Outcome, *, drawing: bool) -> str:
    """The page.

    Args:
        outcome: of the experiment.
        drawing: whether there is one beside it.
    """
    parts = [
        f"# {cell(outcome_title(outcome))}",
        *_lead(outcome),
        *([f"![{cell(outcome_title(outcome))}]({outcome.plan.name}.png)\n\n{CAPTION}"] if drawing else ()),
        _measured(outcome),
        *_differences(outcome),
        *_elsewhere(outcome),
        *(("## Notes", *outcome.plan.notes) if outcome.plan.notes else ()),
        *_missing(outcome),
        "## Settings",
        _settings(outcome),
        "## Where this comes from",
        "\n".join(
            f"* {what}: {cell(value)}" for what, value in provenance_of_rows(outcome.data, outcome.rows, outcome.seeds).items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _lead(outcome: Outcome) -> Iterable[str]:
    if outcome.cap is not None:
        yield "**A quick pass shows that everything runs; its figures reproduce nothing.**"
    lacking = [row for row in outcome.rows if row.note]
    if lacking:
        yield f"**Not complete**: {len(lacking)} of {len(outcome.rows)} rows lack something, see below."
    beside = outcome.beside
    if not outcome.plan.published:
        yield "A question that the paper leaves open: there are no published figures."
    elif beside:
        yield f"Published figures: {beside.where}, {beside.data.title}."
    else:
        yield not_comparable(outcome.plan.published, outcome.data)


def _measured(outcome: Outcome) -> str:
    """Ours, and the published figure to the right of each where it is of this data."""
    said = outcome.beside.rows if outcome.beside else {}
    columns: dict[str, Callable[[Row], str]] = {"case": lambda row: row.case.label, "seeds": lambda row: str(len(row.results))}

    def add(head: str, cell: Callable[[Row], str], metric: str = "") -> None:
        columns[head] = cell
        if any(metric in figures for figures in said.values()):
            columns[f"{PUBLISHED_AS.get(metric, head)}, published"] = lambda row: _number(said.get(row.case.key, {}), metric)

    for metric in REPORTED_METRICS:
        add(short(metric), lambda row, metric=metric: _text(row.test(metric)), metric)
    add("valid R@20", lambda row: _text(row.valid("recall@20")))
    add("seconds", lambda row: median_field(row, "seconds"))
    add("parameters", lambda row: median_field(row, "parameters"), "parameters")
    if outcome.plan.memory:
        kinds = {result.memory_of for row in outcome.rows for result in row.results}
        add(f"peak memory, MB ({listed(kinds)})", lambda row: median_field(row, "memory"), "memory")
    columns["note"] = lambda row: row.note
    return markdown_table(list(columns), [[cell(row) for cell in columns.values()] for row in outcome.rows])


def _differences(outcome: Outcome) -> Iterable[str]:
    rows = [(row, outcome.reference(row)) for row in outcome.rows if row.results] if outcome.plan.paired else []
    pairs = [(row, other) for row, other in rows if row is not other and row.minus(other, REPORTED_METRICS[0])]
    if not pairs:
        return
    found = {
        (k, metric): seed_p(row.differences(other, metric)) for k, (row, other) in enumerate(pairs) for metric in TESTED_METRICS
    }
    raw = {key: p for key, p in found.items() if p is not None}
    adjusted = dict(zip(raw, map(as_p, holm(list(raw.values()))), strict=True))
    tested = TESTED_METRICS if raw else ()
    cells = [
        [
            *(row.case.label, other.case.label),
            *(_text(row.minus(other, metric), signed=True) for metric in REPORTED_METRICS),
            *(adjusted.get((k, metric), NOTHING) for metric in tested),
        ]
        for k, (row, other) in enumerate(pairs)
    ]
    heads = ["case", "minus", *map(short, REPORTED_METRICS), *(f"{short(metric)} adjusted p" for metric in tested)]
    yield "## Differences, paired by seed"
    yield markdown_table(heads, cells)
    if tested:
        yield (
            f"Means over the seeds that both have (standard error). Two-sided p of a paired t-test over seeds, where there are "
            f"{LEAST_SEEDS} or more, with Holm's correction over the {len(raw)} tests here: whether other seeds would show the "
            "difference on these users."
        )


def _elsewhere(outcome: Outcome) -> Iterable[str]:
    """The published figures of other data: a table of their own, in no column of ours."""
    if outcome.beside or not outcome.plan.published:
        return
    said = list(published(outcome.plan.published).values())
    labels = {case.key: case.label for case in outcome.plan.cases}
    columns = list(next(iter(said[0].rows.values())))
    heads = [PUBLISHED_AS.get(name, short(name)) for name in columns]
    yield f"## Published for other data: {said[0].where}"
    yield markdown_table(
        ["data", "case", *heads],
        [
            [one.data.title, labels.get(case, case), *(_number(figures, name) for name in columns)]
            for one in said
            for case, figures in one.rows.items()
        ],
    )


def _missing(outcome: Outcome) -> Iterable[str]:
    lines = [f"* {line(label)}: {cell(note)}" for label, note in outcome.missing().items()]
    if outcome.left_out():
        lines.append(f"* left out of a quick pass: {', '.join(outcome.left_out())}")
    if lines:
        yield "## What is missing"
        yield "\n".join(lines)


def _settings(outcome: Outcome) -> str:
    rows = [row for row in outcome.rows if row.source]
    cells = []
    for row in rows:
        epochs = ", ".join(str(result.best_epoch) for result in row.results if result.best_epoch)
        cells.append([row.case.label, row.source, "; ".join(_flat(row.case.settings)) or "nothing", epochs or NOTHING])
    return markdown_table(["case", "settings", "changed in them", "best epochs"], cells)


def _flat(settings: Mapping[str, Any], path: str = "") -> list[str]:
    lines = []
    for key, value in settings.items():
        deeper = _flat(value, f"{path}{key}.") if isinstance(value, Mapping) else [f"{path}{key} = {json.dumps(value)}"]
        lines += deeper
    return lines


def _number(figures: Mapping[str, float], metric: str) -> str:
    if metric not in figures:
        return NOTHING
    return f"{figures[metric]:,.0f}" if metric in PUBLISHED_AS else f"{figures[metric]:.4f}"


def _text(found: Mean | None, *, signed: bool = False) -> str:
    return NOTHING if found is None else f"{'+' if signed and found.value >= 0 else ''}{found}"


def median_field(row: Row, field: str) -> str:
    """The median over seeds of a field of the results that is no accuracy: seconds, parameters, memory.

    Args:
        row: of a case.
        field: a field of `Result`.
    """
    values = [value for result in row.results if (value := getattr(result, field)) is not None]
    return f"{statistics.median(values):,.0f}" if values else NOTHING


__getattr__ = old_names(__name__)
