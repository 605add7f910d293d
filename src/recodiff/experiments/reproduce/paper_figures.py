"""A figure of the paper drawn from our runs: PNG and SVG.

The published curve stands in the same panel where it is of the same data, and in a panel of its own where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recodiff.experiments.reproduce.experiment import Panel
from recodiff.experiments.reproduce.published import Published, published
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import Case
from recodiff.experiments.runs.results import Mean
from recodiff.moved import old_names
from recodiff.reports import figures
from recodiff.reports.cells import short
from recodiff.runtime import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN_METRICS = ("recall@20", "ndcg@20")
"""What is drawn, one above the other: what the paper's figures show."""
PANEL_WIDE, PANEL_HIGH = 3.1, 2.4
"""Inches of a panel."""
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class _Column:
    """A panel of the paper's figure for one data set, recall above NDCG.

    Args:
        panel: of the plan.
        cases: its points.
        whose: the figures are.
        ours: what we measured, if that is shown here.
        said: what was published, if that is shown here.
    """

    panel: Panel
    cases: Sequence[Case]
    whose: str
    ours: Outcome | None
    said: Published | None


def draw_paper_figures(outcome: Outcome, out: Path) -> list[Path]:
    """Write `NAME.png` and `NAME.svg`; nothing for a table.

    Args:
        outcome: what was run and found.
        out: the folder of the files.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if not outcome.plan.panels:
        return []
    figures.need_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    name = outcome.plan.name
    with mpl.rc_context({**figures.style_on_white(), "svg.hashsalt": name}):
        figure = Figure(layout="constrained")
        _fill(figure, outcome)
        files.replace_with(out / f"{name}.png", lambda partial: figure.savefig(partial, format="png", dpi=160))
        files.replace_with(out / f"{name}.svg", lambda partial: figure.savefig(partial, format="svg", metadata={"Date": None}))
    return [out / f"{name}.png", out / f"{name}.svg"]


def _fill(figure: Figure, outcome: Outcome) -> None:
    columns = _columns(outcome)
    figure.set_size_inches(PANEL_WIDE * len(columns), PANEL_HIGH * len(DRAWN_METRICS))
    grid = figure.subplots(len(DRAWN_METRICS), len(columns), squeeze=False)
    lines = list(dict.fromkeys(case.line for case in outcome.plan.cases))
    for row, metric in zip(grid, DRAWN_METRICS, strict=True):
        for axes, column in zip(row, columns, strict=True):
            _panel(axes, column, metric, lines)
            axes.set_title(f"{short(metric)}, {column.panel.title}\n{column.whose}", loc="left")
    for axes, column in zip(grid[-1], columns, strict=True):
        axes.set_xlabel(column.panel.along)
    _legend(figure, list(grid.flat), len(columns))
    if outcome.cap is not None:
        figure.suptitle(f"quick pass: at most {outcome.cap} epochs, seeds {', '.join(map(str, outcome.seeds))}", fontsize=9)


def _columns(outcome: Outcome) -> list[_Column]:
    plan, beside = outcome.plan, outcome.beside
    mine = outcome.data.name if beside else f"ours, {outcome.data.name}"
    columns = [_Column(panel, _of(panel, [row.case for row in outcome.rows]), mine, outcome, beside) for panel in plan.panels]
    for one in [] if beside else published(plan.published).values():
        cases = [case for case in plan.cases if case.key in one.rows]
        theirs = f"published, {one.data.title}"
        columns += [_Column(panel, _of(panel, cases), theirs, None, one) for panel in plan.panels]
    return columns


def _of(panel: Panel, cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.panel == panel.title]


def _panel(axes: Axes, column: _Column, metric: str, lines: Sequence[str]) -> None:
    places = {point: place for place, point in enumerate(dict.fromkeys(case.point for case in column.cases))}
    if column.ours:
        found = {row.case.key: row.test(metric) for row in column.ours.rows}
        _curves(axes, column, places, {key: value for key, value in found.items() if value}, lines, said=False)
    if column.said:
        rows = {key: Mean(row[metric], None) for key, row in column.said.rows.items()}
        _curves(axes, column, places, rows, lines, said=True)
    if not axes.has_data():
        axes.text(0.5, 0.5, "nothing measured", ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks(list(places.values()), list(places))
    axes.margins(x=0.15)


def _curves(
    axes: Axes, column: _Column, places: Mapping[str, int], values: Mapping[str, Mean], lines: Sequence[str], *, said: bool
) -> None:
    """A line for each model; the published ones dashed and hollow, and named so where ours are beside them."""
    for number, line in enumerate(lines):
        points = [(places[case.point], values[case.key]) for case in column.cases if case.line == line and case.key in values]
        if not points:
            continue
        colour = figures.ON_WHITE[number % len(figures.ON_WHITE)]
        axes.errorbar(
            [place for place, _ in points],
            [found.value for _, found in points],
            [found.error or 0.0 for _, found in points],
            label=f"{line}, published" if said and column.ours else line,
            color=colour,
            marker=_MARKERS[number % len(_MARKERS)],
            markerfacecolor="none" if said else colour,
            linestyle=("--" if said else "-") if column.panel.ordered else "",
            elinewidth=1.2,
        )


def _legend(figure: Figure, places: Sequence[Axes], columns: int) -> None:
    """One legend for all panels, where there is more than one series."""
    named: dict[str, Any] = {}
    for axes in places:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if len(named) > 1:
        figure.legend(list(named.values()), list(named), loc="outside lower left", ncols=columns, frameon=False)


__getattr__ = old_names(__name__)
