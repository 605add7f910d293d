"""Figures of a comparison as SVG text, without scripts and in the colours of the page they stand in.

matplotlib draws them with placeholder colours, which become CSS variables: so a figure follows the page into the dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recodiff.errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from recodiff.evaluation.evaluate import Evaluation

_INK, _FAINT = "#010101", "#020202"
_SERIES = tuple(f"#0300{i:02x}" for i in range(8))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SHAPES = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")
"""The markers as text, for a legend outside the figure; series i has colour `var(--series-i)`, both by turns."""
_TO_CSS = {_INK: "currentColor", _FAINT: "var(--faint)"} | {colour: f"var(--series-{i})" for i, colour in enumerate(_SERIES)}
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.titlesize": 10.0,
    "axes.titlecolor": _INK,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.0,
}
_ON_WHITE = {_INK: "#1d2329", _FAINT: "#c9cfd4"}
ON_WHITE = ("#0072b2", "#c03f00", "#00875f", "#e69f00", "#b45a98", "#2f9bd0", "#8a7a00", "#7d8790")
"""Colours of the series of a figure that stands outside a page."""
_SIZE = (4.8, 3.2)


@dataclass(frozen=True)
class Series:
    """All that the figures know of a model.

    Args:
        title: the model's.
        evaluation: on the part that is compared.
        seconds: it took to train.
        log: of the training, one entry per epoch with `epoch` and `loss` and now and then validation figures.
    """

    title: str
    evaluation: Evaluation
    seconds: float
    log: Sequence[Mapping[str, float]] = ()


def learning_curves(series: Sequence[Series], metric: str) -> str | None:
    """Loss (as a share of the first epoch's) and the validation metric by epoch; None where nothing was trained by epochs.

    Args:
        series: the models.
        metric: of the validation part, such as `recall@20`.
    """
    trained = [(i, one) for i, one in enumerate(series) if one.log]
    if not trained:
        return None

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        for i, one in trained:
            loss = np.array([entry["loss"] for entry in one.log])
            above.plot([entry["epoch"] for entry in one.log], loss / loss[0], color=_colour(i))
            checks = [(entry["epoch"], entry[metric]) for entry in one.log if metric in entry]
            if checks:
                epochs, values = zip(*checks, strict=True)
                best = int(np.argmax(values))
                below.plot(epochs, values, color=_colour(i), marker=_marker(i), markersize=3.5)
                below.plot(epochs[best], values[best], color=_colour(i), marker=_marker(i), markersize=9)
        _name(above, "training loss, first epoch = 1")
        _name(below, f"validation {metric}", "epoch")

    return _svg(draw, "learning", height=4.0)


def comparison(series: Sequence[Series], metrics: Sequence[str]) -> str:
    """The mean of each metric and its standard error, model beside model.

    Args:
        series: the models.
        metrics: that all of them were measured in.
    """

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        places = np.arange(len(series))[::-1]
        for panel, metric in zip(panels, metrics, strict=True):
            means, errors = zip(*(_estimate(one.evaluation, metric) for one in series), strict=True)
            colours = [_colour(i) for i in range(len(series))]
            panel.barh(places, means, xerr=errors, color=colours, height=0.66, error_kw={"ecolor": _INK, "elinewidth": 1.2})
            panel.set(yticks=places, yticklabels=[one.title for one in series])
            _name(panel, metric)
            panel.grid(axis="x")
            panel.grid(visible=False, axis="y")
            panel.tick_params(axis="y", length=0)
            panel.locator_params(axis="x", nbins=4)

    return _svg(draw, "comparison", height=max(2.0, 0.55 * len(series) + 0.9))


def by_activity(series: Sequence[Series], lengths: NDArray[np.int64], metric: str) -> str:
    """The metric by quarters of the users, from the shortest histories to the longest.

    Args:
        series: the models.
        lengths: items in each row of the history, int64 [n_users].
        metric: that is drawn.
    """

    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        for i, one in enumerate(series):
            labels, groups = quarters(lengths[one.evaluation.users])
            values = one.evaluation.values[metric]
            means = [values[group].mean() for group in groups]
            errors = [values[group].std(ddof=1) / np.sqrt(group.sum()) if group.sum() > 1 else 0.0 for group in groups]
            shift = 0.05 * (i - (len(series) - 1) / 2)
            places = np.arange(len(groups)) + shift
            axes.errorbar(places, means, errors, color=_colour(i), marker=_marker(i), capsize=0, elinewidth=1.2)
            axes.set_xticks(np.arange(len(labels)), labels)
        axes.set_ylim(0, None)
        _name(axes, metric, "items in the history, by quarters of the users")

    return _svg(draw, "activity")


def against_time(series: Sequence[Series], metric: str) -> str:
    """The metric against the seconds that training took, on a logarithmic axis.

    Args:
        series: the models.
        metric: that is drawn.
    """

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import NullFormatter

        axes: Axes = figure.subplots()
        for i, one in enumerate(series):
            mean, error = _estimate(one.evaluation, metric)
            axes.errorbar(max(one.seconds, 1e-3), mean, error, color=_colour(i), marker=_marker(i), markersize=9, elinewidth=1.2)
        axes.set(xscale="log", ylim=(0, None))
        _name(axes, metric, "training seconds")
        axes.margins(x=0.15)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())  # its own writes mathematics

    return _svg(draw, "time")


def quarters(lengths: NDArray[np.int64]) -> tuple[list[str], list[NDArray[np.bool_]]]:
    """Users in up to four groups of about equal size by the length of their history: labels and members.

    Users of equal length stay together, so there are fewer groups where lengths hardly differ.

    Args:
        lengths: items in each history, int64 [n].
    """
    edges = np.unique(np.quantile(lengths, (0.25, 0.5, 0.75), method="lower"))
    group = np.searchsorted(edges, lengths, side="left")
    members = [group == number for number in np.unique(group)]
    bounds = [(int(lengths[member].min()), int(lengths[member].max())) for member in members]
    return [str(low) if low == high else f"{low}–{high}" for low, high in bounds], members


def _estimate(evaluation: Evaluation, metric: str) -> tuple[float, float]:
    return evaluation.mean(metric), evaluation.standard_error(metric)


def _name(axes: Axes, what: str, along: str = "") -> None:
    """What stands on the vertical axis is written above it, where it can be read without turning one's head."""
    axes.set_title(what, loc="left")
    axes.set_xlabel(along)


def _colour(i: int) -> str:
    return _SERIES[i % len(_SERIES)]


def _marker(i: int) -> Any:
    return _MARKERS[i % len(_MARKERS)]


def style_on_white() -> dict[Any, Any]:
    """Settings of matplotlib for a figure that stands outside a page."""
    return {name: _ON_WHITE.get(value, value) for name, value in _STYLE.items()}


def need_matplotlib() -> None:
    """Make sure that figures can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise missing_extra(error, "matplotlib", "figures need matplotlib", '"recodiff[report]"') from None


def _svg(draw: Callable[[Figure], None], name: str, height: float = _SIZE[1]) -> str:
    need_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The salt makes ids differ between figures of one page, and stay equal from run to run.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _for_page(buffer.getvalue())


def _for_page(svg: str) -> str:
    """The `<svg>` element alone, sized by the page and coloured by its variables."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for placeholder, variable in _TO_CSS.items():
        svg = svg.replace(placeholder, variable)
    return svg.strip()
