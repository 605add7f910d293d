"""What a comparison leaves: a page as Markdown and as HTML, its figures as CSV, and everything as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recodiff.errors import MissingExtraError
from recodiff.experiments.compare import comparison_page
from recodiff.experiments.compare.comparison import Comparison
from recodiff.experiments.compare.studies import COMPARISON_PAGES, NAME
from recodiff.experiments.compare.tables import COST, Table, beyond_mean, median_cost, tables
from recodiff.experiments.runs.cases import REPORTED_METRICS, Row
from recodiff.experiments.runs.details import BEYOND
from recodiff.experiments.runs.provenance import provenance_of_rows
from recodiff.experiments.runs.results import Mean, pages
from recodiff.experiments.runs.results import result_as_json as describe_run
from recodiff.moved import old_names
from recodiff.reports.html import Drawing
from recodiff.reports.markdown import cell, line, markdown_table
from recodiff.runtime import files
from recodiff.runtime.progress import printable


def write_comparison(found: Comparison, out: Path, say: Callable[[str], None]) -> list[Path]:
    """Write the files, all of them or none.

    Args:
        found: what was compared.
        out: the folder.
        say: receives a sentence where there can be no figures.

    Returns:
        The files.

    Raises:
        OSError: they cannot be written.
        CheckpointError: another's file of such a name is there.
    """
    figures: list[Drawing] = []
    try:
        figures = comparison_page.figures(found)
    except MissingExtraError as error:
        say(f"no figures in {NAME}.html this time: {error}")
    texts = {
        "md": markdown(found),
        "csv": as_csv(found),
        "json": json.dumps(comparison_as_json(found), indent=2, ensure_ascii=False) + "\n",
        "html": comparison_page.render_comparison(found, figures),
    }
    with pages(out, COMPARISON_PAGES) as staged:
        for ending, text in texts.items():
            files.write_text(staged / f"{NAME}.{ending}", text)
    return [out / f"{NAME}.{ending}" for ending in texts]


def markdown(found: Comparison) -> str:
    """The page in Markdown.

    Args:
        found: what was compared.
    """
    missing = [f"* {line(label)}: {cell(note)}" for label, note in found.missing().items()]
    where = [f"* {what}: {cell(value)}" for what, value in provenance_of_rows(found.data, found.rows, found.seeds).items()]
    parts = [
        f"# {cell(comparison_page.comparison_title(found))}",
        *(part for one in tables(found) for part in _table(one)),
        *(("## What is missing", "\n".join(missing)) if missing else ()),
        "## Settings",
        "\n".join(settings(found)),
        "## Where this comes from",
        "\n".join(where),
    ]
    return "\n\n".join(parts) + "\n"


def settings(found: Comparison) -> list[str]:
    """The origin of each method's settings, and what was searched, as a list in Markdown.

    Args:
        found: what was compared.
    """
    studies = found.studies.found if found.studies else {}
    lines = []
    for row in found.rows:
        if row.source:
            lines.append(f"* {line(row.case.label)}: {cell(row.case.model)}, from {cell(row.source)}")
        if row.case.label in studies:
            lines += [f"    * {line(searched)}" for searched in studies[row.case.label].searched]
    return lines


def _table(one: Table) -> list[str]:
    blocks = []
    for name, rows in one.blocks.items():
        blocks += [f"### {name}"] if name and len(one.blocks) > 1 else []
        blocks.append(markdown_table(one.heads, rows))
    return [f"## {cell(one.title)}", *blocks, cell(one.note)]


def as_csv(found: Comparison) -> str:
    """One line per method, a figure per column; empty where there is none.

    Args:
        found: what was compared.
    """
    rows = [_flat(found, row) for row in found.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: printable(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows)
    return text.getvalue()


def _flat(found: Comparison, row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {"label": row.case.label, "model": row.case.model, "source": row.source}
    flat |= {"protocol": found.protocol, "choose_on": found.choose_on}
    flat |= {"order_aware": row.case.needs_order, "seeds": len(row.results)}
    means = {f"test {metric}": row.test(metric) for metric in REPORTED_METRICS} | {"valid recall@20": row.valid("recall@20")}
    means |= {figure: beyond_mean(row, figure) for figure in BEYOND}
    for name, mean in means.items():
        flat |= {name: mean and mean.value, f"{name} standard error": mean and mean.error}
    flat |= {name: median_cost(row, name) for name in COST}
    for metric, one in _differences(found, row).items():
        flat |= {f"{metric} {what}": one[what] for what in ("difference", "low", "high", "p", "adjusted_p")}
    return flat | {"note": row.note}


def comparison_as_json(found: Comparison) -> dict[str, Any]:
    """Everything as JSON: means, costs, differences, and every run behind them.

    Args:
        found: what was compared.
    """
    sizes = found.data.summary()
    return {
        "data": {"name": found.data.name, **{key: sizes[key] for key in ("users", "items", "interactions", "fingerprint")}},
        "seeds": list(found.seeds),
        "reference": found.reference,
        "test": found.test,
        "protocol": found.protocol,
        "choose_on": found.choose_on,
        "rows": [_row(found, row) for row in found.rows],
        "missing": found.missing(),
        "studies": _studies(found),
    }


def _studies(found: Comparison) -> dict[str, Any] | None:
    if found.studies is None:
        return None
    methods = {
        label: {
            "trials": one.ended,
            "seconds": round(one.seconds, 3),
            "metric": one.metric,
            "as_given": one.start.value,
            "best": one.best.value,
            "in_trial": one.best.number,
            "searched": one.searched,
        }
        for label, one in found.studies.found.items()
    }
    return {"budget": str(found.studies.budget), "methods": methods, "notes": dict(found.studies.notes)}


def _row(found: Comparison, row: Row) -> dict[str, Any]:
    return {
        "label": row.case.label,
        "model": row.case.model,
        "source": row.source,
        "order_aware": row.case.needs_order,
        "note": row.note,
        "test": {metric: _mean(row.test(metric)) for metric in REPORTED_METRICS},
        "valid": {metric: _mean(row.valid(metric)) for metric in REPORTED_METRICS},
        "beyond": {figure: _mean(beyond_mean(row, figure)) for figure in BEYOND},
        "cost": {name: median_cost(row, name) for name in COST},
        "differences": _differences(found, row),
        "runs": [describe_run(result) for result in row.results],
    }


def _differences(found: Comparison, row: Row) -> dict[str, Mapping[str, float]]:
    mine = [one for one in found.differences if one.label == row.case.label]
    return {
        one.metric: {"difference": one.value, "low": one.low, "high": one.high, "p": one.p, "adjusted_p": one.adjusted}
        for one in mine
    }


def _mean(found: Mean | None) -> dict[str, float | None] | None:
    return None if found is None else {"mean": found.value, "standard_error": found.error}


__getattr__ = old_names(__name__)
