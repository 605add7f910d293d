"""A comparison of models as one HTML page that needs nothing else: no network, no scripts, figures inside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recodiff.reports import figures
from recodiff.reports.figures import Series
from recodiff.runtime import files

SHORT = {"recall": "R", "ndcg": "N", "precision": "P", "hit_rate": "HR", "recall_min": "R-min"}
"""How table heads write a metric's name before the @."""


@dataclass(frozen=True)
class Entry(Series):
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
    """What each model recommends to one user.

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
    entries: Sequence[Entry]
    metrics: Sequence[str]
    lengths: NDArray[np.int64]
    samples: Sequence[Sample] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """Writes the page.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    files.write_text(path, render(report))


def render(report: Report) -> str:
    """The page as HTML.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return document(
        report.title,
        report.lead,
        [
            section("The data", describe_data(report.data)),
            section("How they compare", _table(report), _protocol(report)),
            section("Figures", draw_figures(report)),
            *([section("What they recommend", *(_sample(sample) for sample in report.samples))] if report.samples else ()),
        ],
        report.provenance,
    )


def document(title: str, lead: str, sections: Sequence[str], provenance: Mapping[str, Any]) -> str:
    """A page of our style that needs nothing else.

    Args:
        title: of the page, plain text.
        lead: its first sentence, plain text.
        sections: as `section` gives them.
        provenance: see `Report`.
    """
    style = (resources.files("recodiff.reports") / "report.css").read_text("utf-8")
    parts = [
        f"<header>{tag('h1', escape(title))}{tag('p', escape(lead))}</header>",
        *sections,
        f"<footer>{_footer(provenance)}</footer>",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n<main>\n{chr(10).join(parts)}\n</main>\n</body>\n</html>\n"
    )


def short(metric: str) -> str:
    """`recall@20` as a table head writes it: `R@20`."""
    kind, _, k = metric.partition("@")
    return f"{SHORT.get(kind, kind)}@{k}"


def describe_split(split: Mapping[str, Any]) -> str:
    """A split and its settings in a line: `temporal (valid 0.1, test 0.2)`."""
    settings = ", ".join(f"{key} {value}" for key, value in split.items() if key != "strategy" and value is not None)
    return f"{split.get('strategy', 'unknown')}{f' ({settings})' if settings else ''}"


def describe_time(span: Mapping[str, Any]) -> str:
    """What is known of time, in a line."""
    if "first" in span:
        return f"{str(span['first'])[:10]} to {str(span['last'])[:10]}"
    return "order within each user only" if span.get("kind") == "order" else "none"


def describe_data(info: Mapping[str, Any]) -> str:
    """Sizes, source and split of the data, from what `Dataset.info` holds, as HTML."""
    sizes = {name: f"{info[name]:,}" for name in ("users", "items", "interactions") if name in info}
    if "density" in info:
        sizes["density"] = f"{100 * info['density']:.2g} %"
    tiles = "".join(f"<div>{tag('dt', name)}{tag('dd', value)}</div>" for name, value in sizes.items())
    lines = {"name": info.get("name"), "source": info.get("source"), "terms": info.get("terms")}
    if "split" in info:
        lines["split"] = describe_split(info["split"])
    if "parts" in info:
        lines["parts"] = ", ".join(f"{name} {size:,}" for name, size in info["parts"].items())
    if "time" in info:
        lines["time"] = describe_time(info["time"])
    if "steps" in info:
        kept = [step for step in info["steps"] if step["step"] == "read" or step["dropped"]]
        lines["kept"] = " → ".join(f"{step['interactions']:,} ({step['step']})" for step in kept)
    return f'<dl class="tiles">{tiles}</dl>{_lines(lines)}'


def _lines(lines: Mapping[str, Any]) -> str:
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in lines.items() if value is not None)
    return f'<dl class="lines">{"".join(rows)}</dl>'


def _table(report: Report) -> str:
    entries = report.entries
    heads = ["model", *map(short, report.metrics), "coverage", "seconds", "parameters"]
    best = {metric: max(entry.evaluation.mean(metric) for entry in entries) for metric in report.metrics}
    rows = []
    for i, entry in enumerate(entries):
        cells = [tag("th", f"{_chip(i)}{escape(entry.title)}", 'scope="row"')]
        for metric in report.metrics:
            mean, error = entry.evaluation.mean(metric), entry.evaluation.standard_error(metric)
            number = tag("strong" if mean == best[metric] else "span", f"{mean:.4f}")
            cells.append(tag("td", f"{number} {tag('small', f'±&#8239;{error:.4f}')}"))
        cells += [tag("td", text) for text in (f"{100 * entry.evaluation.coverage:.0f} %", f"{entry.seconds:.1f}")]
        cells.append(tag("td", f"{entry.parameters:,}"))
        rows.append(tag("tr", "".join(cells)))
    head = "".join(tag("th", escape(name), 'scope="col"') for name in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _protocol(report: Report) -> str:
    users = len(report.entries[0].evaluation.users) if report.entries else 0
    return (
        f'<p class="note">Mean over {users:,} users ± its standard error; the best in bold. Ranked are all items but those a user '
        "met in training or validation. R@K, recall: the share of what the user liked later that stands among the first K. "
        "N@K, NDCG: the same, but the higher a hit stands, the more it counts. Coverage: the share of the catalogue that is "
        "recommended to anybody. Seconds: training with its validation.</p>"
    )


def _legend(entries: Sequence[Entry]) -> str:
    chips = "".join(f"<span>{_chip(i)}{escape(entry.title)}</span>" for i, entry in enumerate(entries))
    return f'<p class="legend">{chips}</p>'


def _chip(i: int) -> str:
    n = len(figures.SHAPES)
    return f'<i style="color: var(--series-{i % n})">{figures.SHAPES[i % n]}</i> '


def draw_figures(report: Report) -> str:
    """All figures and their legend, as HTML.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    recall = _last(report.metrics, "recall")
    pair = list(dict.fromkeys((recall, _last(report.metrics, "ndcg"))))
    drawn: Iterable[tuple[str | None, str]] = (
        (figures.comparison(report.entries, pair), "Means and their standard errors."),
        (
            figures.learning_curves(report.entries, recall),
            f"Learning: the loss, and {recall} on the validation part; the large mark is the epoch that was kept.",
        ),
        (figures.by_activity(report.entries, report.lengths, recall), "Accuracy by how much is known of a user."),
        (figures.against_time(report.entries, recall), "Accuracy against the time that training took."),
    )
    found = [f"<figure>{svg}{tag('figcaption', escape(caption))}</figure>" for svg, caption in drawn if svg is not None]
    return f'{_legend(report.entries)}<div class="figures">{"".join(found)}</div>'


def _last(metrics: Sequence[str], kind: str) -> str:
    return next((metric for metric in reversed(metrics) if metric.startswith(f"{kind}@")), metrics[-1])


def _sample(sample: Sample) -> str:
    columns = []
    for model, titles in sample.lists.items():
        items = "".join(tag("li", escape(title), 'class="hit"' if title in sample.came_true else "") for title in titles)
        columns.append(f"<div>{tag('h4', escape(model))}<ol>{items}</ol></div>")
    note = '<p class="note">✓ liked later, and unknown to the models.</p>' if sample.came_true else ""
    return (
        f"<article>{tag('h3', escape(sample.title))}<p>Liked, newest first: {escape('; '.join(sample.history))}.</p>"
        f'<div class="lists">{"".join(columns)}</div>{note}</article>'
    )


def _footer(provenance: Mapping[str, Any]) -> str:
    return " · ".join(f"{escape(name)} {escape(_plain(value))}" for name, value in provenance.items() if value is not None)


def _plain(value: Any) -> str:
    return ", ".join(f"{name} {inner}" for name, inner in value.items()) if isinstance(value, Mapping) else str(value)


def section(title: str, *content: str) -> str:
    """A part of the page: its heading, plain text, and its content, HTML."""
    return f"<section>{tag('h2', escape(title))}{''.join(content)}</section>"


def tag(name: str, content: str, attributes: str = "") -> str:
    """An element around `content`, which is HTML."""
    return f"<{name}{' ' if attributes else ''}{attributes}>{content}</{name}>"
