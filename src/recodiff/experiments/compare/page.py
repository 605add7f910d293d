"""The HTML page of a comparison, in the style of `report`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from recodiff.experiments.compare.comparison import Comparison, over_seeds
from recodiff.experiments.compare.studies import Studies
from recodiff.experiments.compare.tables import Table, median, tables
from recodiff.experiments.runs.cases import REPORTED_METRICS
from recodiff.experiments.runs.provenance import provenance_of_rows
from recodiff.experiments.tuning.result import TuningResult
from recodiff.reports.html import Entry, Report, describe_data, document, draw_figures, section, tag

FIGURES_NOTE = (
    "Error bars here are standard errors over users, of values averaged over the seeds; learning curves are those of one seed."
)


def title(found: Comparison) -> str:
    """What the page is."""
    return f"{len(found.rows)} method{'' if len(found.rows) == 1 else 's'} on {found.data.name}"


def render(found: Comparison, figures: str) -> str:
    """The page.

    Args:
        found: what was compared.
        figures: as `figures` gives them, or empty.
    """
    seeds = "one seed" if len(found.seeds) == 1 else f"{len(found.seeds)} seeds"
    against = f", tested against {found.reference}" if found.differences else ""
    missing = "".join(tag("li", escape(f"{label}: {note}")) for label, note in found.missing().items())
    return document(
        title(found),
        f"{', '.join(row.case.label for row in found.rows)}: {seeds}{against}.",
        [
            section("The data", describe_data(found.data.info | found.data.summary())),
            *(section(one.title, _table(one), tag("p", escape(one.note), 'class="note"')) for one in tables(found)),
            *([section("What was searched", _searched(found.studies))] if found.studies else ()),
            *([section("What is missing", tag("ul", missing))] if missing else ()),
            *([section("Figures", figures, tag("p", FIGURES_NOTE, 'class="note"'))] if figures else ()),
        ],
        provenance_of_rows(found.data, found.rows, found.seeds),
    )


def figures(found: Comparison) -> str:
    """The figures as HTML, empty where nothing was measured.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    entries = []
    for row in found.measured:
        first = row.results[0]
        seconds = median(row, "training s") or 0.0
        entries.append(Entry(row.case.label, over_seeds(row), seconds, first.log, first.parameters))
    lengths = found.data.history("train").lengths()
    return draw_figures(Report(title(found), "", {}, entries, REPORTED_METRICS, lengths)) if entries else ""


def _searched(studies: Studies) -> str:
    def lines(one: TuningResult) -> str:
        return tag("ul", "".join(tag("li", escape(line)) for line in one.searched))

    return tag("ul", "".join(tag("li", escape(label) + lines(one)) for label, one in studies.found.items()))


def _table(one: Table) -> str:
    head = tag("tr", "".join(tag("th", escape(name), 'scope="col"') for name in one.heads))
    parts = [tag("thead", head)]
    for name, rows in one.blocks.items():
        wide = f'scope="rowgroup" colspan="{len(one.heads)}"'
        heading = [tag("tr", tag("th", escape(name), wide))] if name and len(one.blocks) > 1 else []
        parts.append(tag("tbody", "".join([*heading, *map(_row, rows)])))
    return tag("div", tag("table", "".join(parts)), 'class="wide"')


def _row(cells: Sequence[str]) -> str:
    return tag("tr", tag("th", escape(cells[0]), 'scope="row"') + "".join(tag("td", escape(cell)) for cell in cells[1:]))
