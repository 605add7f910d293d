"""The HTML page of a comparison, from the template `comparison.html.j2`."""

from __future__ import annotations

from collections.abc import Sequence

from recodiff.experiments.compare.comparison import Comparison, over_seeds
from recodiff.experiments.compare.tables import median_cost, tables
from recodiff.experiments.runs.cases import REPORTED_METRICS
from recodiff.experiments.runs.provenance import provenance_of_rows
from recodiff.moved import old_names
from recodiff.reports.html import Drawing, ReportEntry, describe_data, draw_figures, fill

FIGURES_NOTE = (
    "Error bars here are standard errors over users, of values averaged over the seeds; learning curves are those of one seed."
)


def comparison_title(found: Comparison) -> str:
    """The title of the page.

    Args:
        found: what was compared.
    """
    return f"{len(found.rows)} method{'' if len(found.rows) == 1 else 's'} on {found.data.name}"


def render_comparison(found: Comparison, drawn: Sequence[Drawing]) -> str:
    """The page.

    Args:
        found: what was compared.
        drawn: as `figures` gives them; none where they cannot be drawn.
    """
    seeds = "one seed" if len(found.seeds) == 1 else f"{len(found.seeds)} seeds"
    against = f", tested against {found.reference}" if found.differences else ""
    return fill(
        "comparison.html.j2",
        title=comparison_title(found),
        lead=f"{', '.join(row.case.label for row in found.rows)}: {seeds}{against}.",
        facts=describe_data(found.data.info | found.data.summary()),
        tables=tables(found),
        searched={label: one.searched for label, one in found.studies.found.items()} if found.studies else {},
        missing=found.missing(),
        titles=[row.case.label for row in found.measured],
        drawn=drawn,
        figures_note=FIGURES_NOTE,
        provenance=provenance_of_rows(found.data, found.rows, found.seeds),
    )


def figures(found: Comparison) -> list[Drawing]:
    """The figures, none where nothing was measured.

    Args:
        found: what was compared.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    entries = []
    for row in found.measured:
        first = row.results[0]
        seconds = median_cost(row, "training s") or 0.0
        entries.append(ReportEntry(row.case.label, over_seeds(row), seconds, first.log, first.parameters))
    return draw_figures(entries, REPORTED_METRICS, found.data.history("train").lengths()) if entries else []


__getattr__ = old_names(__name__)
