"""A figure of the paper drawn from our runs: PNG and SVG.

The published curve stands in the same panel where it is of the same data, and in a panel of its own where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recodiff import figures, files
from recodiff.experiments.reproduce.outcome import Mean, Outcome
from recodiff.experiments.reproduce.plans import Case, Panel
from recodiff.experiments.reproduce.published import Published, published
from recodiff.report import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("recall@20", "ndcg@20")
"""What is drawn, one above the other: what the paper's figures show."""
WIDE, HIGH = 3.1, 2.4
"""Inches of a panel."""
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class _Curve:
    """Points of one line.

    Args:
        name: of the line.
        points: place on the axis -> figure.
        number: of the line, for colour and marker.
        said: whether it is published, hence dashed.
    """

    name: str
    points: Mapping[str, Mean]
    number: int
    said: bool = False


def draw(outcome: Outcome, out: Path) -> list[Path]:
    """Writes `NAME.png` and `NAME.svg`; nothing for a table.

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
    plan, beside = outcome.plan, outcome.beside
    elsewhere = [] if beside else list(published(plan.published).values())
    columns: list[tuple[Panel, Sequence[Case], Published | None]] = []
    ours = [row.case for row in outcome.rows]
    columns += [(panel, [case for case in ours if case.panel == panel.title], None) for panel in plan.panels]
    for one in elsewhere:
        theirs = [case for case in plan.cases if case.key in one.rows]
        columns += [(panel, [case for case in theirs if case.panel == panel.title], one) for panel in plan.panels]
    figure.set_size_inches(WIDE * len(columns), HIGH * len(METRICS))
    grid = figure.subplots(len(METRICS), len(columns), squeeze=False)
    lines = list(dict.fromkeys(case.line for case in plan.cases))
    for axes, metric in zip(grid, METRICS, strict=True):
        for place, (panel, cases, one) in zip(axes, columns, strict=True):
            curves = [] if one else _measured(outcome, cases, metric, lines)
            if one or beside:
                curves += _said(one or beside, cases, metric, lines)
            _panel(place, panel, cases, curves, labelled=metric == METRICS[-1])
            whose = f"published, {one.data.title}" if one else f"ours, {outcome.data.name}"
            place.set_title(f"{short(metric)}, {panel.title}\n{whose}", loc="left")
    if outcome.cap is not None:
        figure.suptitle(f"quick pass: at most {outcome.cap} epochs, seeds {', '.join(map(str, outcome.seeds))}", fontsize=9)


def _measured(outcome: Outcome, cases: Sequence[Case], metric: str, lines: Sequence[str]) -> list[_Curve]:
    found = {row.case.key: row.test(metric) for row in outcome.rows}
    return _curves(cases, {key: value for key, value in found.items() if value is not None}, lines, said=False)


def _said(one: Published | None, cases: Sequence[Case], metric: str, lines: Sequence[str]) -> list[_Curve]:
    rows = one.rows if one else {}
    return _curves(cases, {key: Mean(row[metric], None) for key, row in rows.items()}, lines, said=True)


def _curves(cases: Sequence[Case], values: Mapping[str, Mean], lines: Sequence[str], *, said: bool) -> list[_Curve]:
    curves = []
    for number, line in enumerate(lines):
        points = {case.point: values[case.key] for case in cases if case.line == line and case.key in values}
        if points:
            curves.append(_Curve(f"{line}, published" if said else line, points, number, said))
    return curves


def _panel(axes: Axes, panel: Panel, cases: Sequence[Case], curves: Sequence[_Curve], *, labelled: bool) -> None:
    places = {point: place for place, point in enumerate(dict.fromkeys(case.point for case in cases))}
    for curve in curves:
        colour = figures.ON_WHITE[curve.number % len(figures.ON_WHITE)]
        axes.errorbar(
            [places[point] for point in curve.points],
            [found.value for found in curve.points.values()],
            [found.error or 0.0 for found in curve.points.values()],
            label=curve.name,
            color=colour,
            marker=_MARKERS[curve.number % len(_MARKERS)],
            markerfacecolor="none" if curve.said else colour,
            linestyle=("--" if curve.said else "-") if panel.ordered else "",
            elinewidth=1.2,
        )
    if not curves:
        axes.text(0.5, 0.5, "nothing measured", ha="center", va="center", transform=axes.transAxes)
    elif len(curves) > 1:
        axes.legend(fontsize=7, frameon=False)
    axes.set_xticks(list(places.values()), list(places))
    axes.margins(x=0.15)
    axes.set_xlabel(panel.along if labelled else "")
