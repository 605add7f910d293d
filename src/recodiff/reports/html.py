"""Pages in HTML that need nothing else: no network, no scripts, figures inside.

What a page looks like is in `templates/`, which escape every name that they write; the colours are in `report.css`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from recodiff.moved import old_names
from recodiff.reports import figures
from recodiff.reports.cells import short
from recodiff.reports.figures import Series
from recodiff.runtime import files
from recodiff.runtime.progress import printable


@dataclass(frozen=True)
class ReportEntry(Series):
    """A model of the comparison.

    Args:
        title: the model's.
        evaluation: on the part that is compared.
        seconds: it took to train.
        log: of the training, see `figures.Series`.
        parameters: how many numbers it learned.
    """

    parameters: int = 0


@dataclass(frozen=True)
class Sample:
    """The lists that each model makes for one user.

    Args:
        title: who that is.
        history: titles of what the user liked, newest first.
        lists: model -> titles, best first.
        came_true: titles that the user did like later, marked in the lists.
    """

    title: str
    history: Sequence[str]
    lists: Mapping[str, Sequence[str]]
    came_true: Collection[str] = ()


@dataclass(frozen=True)
class Report:
    """All that a page holds.

    Args:
        title: of the page.
        lead: its first sentence.
        data: what `Dataset.info` holds.
        entries: the models, in the order of the table.
        metrics: the columns of the table; the figures show the last recall and the last NDCG among them.
        lengths: items in each row of the history, for accuracy by activity.
        samples: lists side by side.
        provenance: commit, versions, machine, date, seed, by name.
    """

    title: str
    lead: str
    data: Mapping[str, Any]
    entries: Sequence[ReportEntry]
    metrics: Sequence[str]
    lengths: NDArray[np.int64]
    samples: Sequence[Sample] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Facts that a page gives of a dataset.

    Args:
        tiles: sizes by name, as text.
        lines: source, split and so on, as text; None for what is unknown.
    """

    tiles: Mapping[str, str]
    lines: Mapping[str, str | None]


Drawing = tuple[str, str]
"""A figure as SVG, and its caption."""


def write_report(path: Path, report: Report) -> None:
    """Write the page.

    Args:
        path: of the HTML file, to appear or to be replaced.
        report: what stands on it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    files.write_text(path, render_report(report))


def render_report(report: Report) -> str:
    """The page as HTML.

    Args:
        report: what stands on it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    entries, metrics = report.entries, report.metrics
    return fill(
        "report.html.j2",
        title=report.title,
        lead=report.lead,
        facts=describe_data(report.data),
        heads=["model", *map(short, metrics), "coverage", "seconds", "parameters"],
        entries=entries,
        metrics=metrics,
        best={metric: max(entry.evaluation.mean(metric) for entry in entries) for metric in metrics} if entries else {},
        users=len(entries[0].evaluation.users) if entries else 0,
        titles=[entry.title for entry in entries],
        drawn=draw_figures(entries, metrics, report.lengths),
        samples=report.samples,
        provenance=report.provenance,
    )


def fill(template: str, **content: Any) -> str:
    """A page from a template of `templates/`.

    Args:
        template: its file, which extends `page.html.j2`.
        content: what it names; `title`, `lead` and `provenance` always. Text is escaped.
    """
    return _templates().get_template(template).render(content)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("recodiff.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_without_controls,
    )
    style = (resources.files("recodiff.reports") / "report.css").read_text("utf-8")
    templates.globals |= {"shapes": figures.SHAPES, "style": Markup(style)}
    return templates


def _without_controls(written: Any) -> Any:
    """What a template writes, control characters of names made visible."""
    return type(written)(printable(written)) if isinstance(written, str) else written


def describe_split(split: Mapping[str, Any]) -> str:
    """A split and its settings in a line: `temporal (valid 0.1, test 0.2)`.

    Args:
        split: as `Dataset.info` holds it.
    """
    settings = ", ".join(f"{key} {value}" for key, value in split.items() if key != "strategy" and value is not None)
    return f"{split.get('strategy', 'unknown')}{f' ({settings})' if settings else ''}"


def describe_time(span: Mapping[str, Any]) -> str:
    """The time that data covers, in a line.

    Args:
        span: as `Dataset.info` holds it.
    """
    if "first" in span:
        return f"{str(span['first'])[:10]} to {str(span['last'])[:10]}"
    return "order within each user only" if span.get("kind") == "order" else "none"


def describe_data(info: Mapping[str, Any]) -> Facts:
    """Sizes, source and split of the data.

    Args:
        info: as `Dataset.info` holds it.
    """
    tiles = {name: f"{info[name]:,}" for name in ("users", "items", "interactions") if name in info}
    if "density" in info:
        tiles["density"] = f"{100 * info['density']:.2g} %"
    lines: dict[str, str | None] = {
        name: None if info.get(name) is None else str(info[name]) for name in ("name", "source", "terms")
    }
    if "split" in info:
        lines["split"] = describe_split(info["split"])
    if "parts" in info:
        lines["parts"] = ", ".join(f"{name} {size:,}" for name, size in info["parts"].items())
    if "time" in info:
        lines["time"] = describe_time(info["time"])
    if "steps" in info:
        kept = [step for step in info["steps"] if step["step"] == "read" or step["dropped"]]
        lines["kept"] = " → ".join(f"{step['interactions']:,} ({step['step']})" for step in kept)
    return Facts(tiles, lines)


def draw_figures(entries: Sequence[ReportEntry], metrics: Sequence[str], lengths: NDArray[np.int64]) -> list[Drawing]:
    """All figures of a comparison.

    Args:
        entries: the models.
        metrics: the last recall and the last NDCG among them are drawn.
        lengths: items in each row of the history, int64 [n_users].

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    recall = _last(metrics, "recall")
    pair = list(dict.fromkeys((recall, _last(metrics, "ndcg"))))
    drawn = (
        (figures.comparison(entries, pair), "Means and their standard errors."),
        (
            figures.learning_curves(entries, recall),
            f"Learning: the loss, and {recall} on the validation part; the large mark is the epoch that was kept.",
        ),
        (figures.by_activity(entries, lengths, recall), "Accuracy by how much is known of a user."),
        (figures.against_time(entries, recall), "Accuracy against the time that training took."),
    )
    return [(svg, caption) for svg, caption in drawn if svg is not None]


def _last(metrics: Sequence[str], kind: str) -> str:
    return next((metric for metric in reversed(metrics) if metric.startswith(f"{kind}@")), metrics[-1])


__getattr__ = old_names(__name__)
