"""The model card: README.md of a model folder, for a reader who has the folder and nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recodiff.config import to_toml
from recodiff.data.dataset import Dataset
from recodiff.data.events import cut_note
from recodiff.evaluation.evaluate import Evaluation, measure
from recodiff.evaluation.protocol import Stages
from recodiff.experiments.runs.cases import REPORTED_METRICS
from recodiff.experiments.runs.results import Mean
from recodiff.models.base import Recommender
from recodiff.models.registry import MODELS, title
from recodiff.reports.html import describe_data
from recodiff.reports.markdown import cell, line, markdown_table
from recodiff.runtime.progress import printable

TERMS_SHOWN = 2000
"""Characters of the terms of the data; the rest is in the data folder."""
WHOSE = {False: "the training part", True: "the training and validation parts", "all": "all parts of the data, the test part too"}
"""What a model learned from."""


@dataclass(frozen=True)
class CardFigures:
    """Figures of a model card.

    Args:
        what: was ranked, and from what, in words.
        over: what the standard errors are over, such as `943 users`.
        means: metric -> mean.
    """

    what: str
    over: str
    means: Mapping[str, Mean]


@dataclass(frozen=True)
class CardNotes:
    """Figures and remarks that a command has for a model card, beside what the model and its data say.

    Args:
        figures: that were measured; the validation part is ranked where this is None.
        remarks: sentences below the figures.
    """

    figures: Sequence[CardFigures] | None = None
    remarks: Sequence[str] = ()


def validation_figures(model: Recommender, staged: Stages, *, progress: bool) -> list[CardFigures]:
    """Figures of a part that the model has not learned from: the validation part, unless another was chosen on.

    Args:
        model: fitted on `staged.train`; of several processes all must call this.
        staged: of its data.
        progress: whether a progress bar may be shown.
    """
    if (task := staged.choice) is None:
        return []
    found = measure(model, {"valid": task}, REPORTED_METRICS, show_progress=progress)["valid"]
    inner = staged.choose_on == "inner"
    part = "the newest tenth of each training history, from what is older" if inner else "validation part, from the training part"
    return [figures_of(found, part)]


def figures_of(found: Evaluation, what: str) -> CardFigures:
    """Figures of one evaluation, with standard errors over its users.

    Args:
        found: the evaluation.
        what: was ranked, in words.
    """
    means = {metric: Mean(found.mean(metric), found.standard_error(metric)) for metric in found.values}
    return CardFigures(what, f"{len(found.users):,} users", means)


def write_card(
    model: Recommender, data: Dataset, info: Mapping[str, Any], figures: Sequence[CardFigures], remarks: Sequence[str] = ()
) -> str:
    """Write the text of a model card; whatever comes from data stands in it as text, not as markup.

    Args:
        model: fitted.
        data: it learned from.
        info: as config.json holds it.
        figures: that were measured.
        remarks: sentences below them.
    """
    parts = [
        f"# {cell(printable(f'{title(model.registered)} on {data.name}'))}",
        "A recommender model of recodiff. This page was written with the model; `config.json` holds the same for programs.",
        "## Use it",
        *_use(model),
        "## Data",
        *_data(data),
        "## How it was trained",
        *_protocol(data, info),
        "## Figures",
        *_figures(figures, remarks, again="chosen" in info),
        "## Settings",
        _fenced("toml", to_toml({"model": model.registered, **model.config.model_dump(mode="json")})),
        "## Where it comes from",
        markdown_table(("what", "value"), _origin(info)),
    ]
    return "\n\n".join(parts) + "\n"


def _use(model: Recommender) -> list[str]:
    ids = model.items.ids.head(2).to_list()
    outside = model.registered not in MODELS
    trust = f", trust_code=[{model.registered!r}]" if outside else ""
    code = (
        "import recodiff\n\n"
        f'model = recodiff.load_model("."{trust})  # this folder\n'
        f"history = recodiff.history_of(model, {ids!r})  # item ids, oldest first\n"
        "print(recodiff.recommend(model, history, k=10).to_frame())\n"
    )
    words = " ".join(shlex.quote(str(item)) for item in ids)
    more = " --trust-code" if outside else ""
    shell = f"recodiff recommend . --history {printable(words)} -k 10{more}\nrecodiff serve .{more}\n"
    return [_fenced("python", code), _fenced("sh", shell)]


def _data(data: Dataset) -> list[str]:
    known: Mapping[str, Any] = data.info | data.summary()
    facts = describe_data(known | {"source": Path(str(known["source"])).name} if known.get("source") else known)
    lines = {name: value for name, value in facts.lines.items() if value and name not in ("terms", "kept")}
    rows = [*facts.tiles.items(), *lines.items()]
    if data.train.times is not None:
        kinds = {"whole": "whole: what a user does at one time is a set", "ordered": "ordered", "split": "each row for itself"}
        rows.append(("events", kinds[data.train.events]))
    rows.append(("fingerprint", str(known["fingerprint"])))
    table = markdown_table(("what", "value"), [(name, printable(value)) for name, value in rows])
    return [table, *_terms(known.get("terms"))]


def _terms(terms: str | None) -> list[str]:
    if not terms:
        return ["Terms of the data: none stood beside it. Ask who gave it to you before you pass on what was made of it."]
    shown = printable(terms)[:TERMS_SHOWN]
    quoted = "\n".join(f"> {line(text.strip())}".rstrip() for text in shown.splitlines())
    return ["Terms of the data:", f"{quoted}\n> ..." if len(terms) > TERMS_SHOWN else quoted]


def _protocol(data: Dataset, info: Mapping[str, Any]) -> list[str]:
    on = {
        "inner": "the newest tenth of each training history",
        "valid": "nothing, as the data has no validation part" if data.valid is None else "the validation part",
    }
    rows = [
        ("learned from", WHOSE[info["refit"]]),
        ("settings that training chooses, such as epochs, chosen on", on[info["choose_on"]]),
    ]
    training = info.get("chosen") or info["training"]
    if "best_epoch" in training:
        rows.append(("epochs", f"{training['best_epoch']} kept of {training['epochs']}"))
    if shares := training.get("shares"):
        rows.append(("shares", ", ".join(f"{name} {share:.3g}" for name, share in shares.items())))
    rows += [("seed", str(info["seed"])), ("parameters", f"{info['parameters']:,}")]
    rows += [("note", note)] if (note := cut_note(data.parts())) else []
    return [markdown_table(("what", "value"), rows)]


def _figures(figures: Sequence[CardFigures], remarks: Sequence[str], *, again: bool) -> list[str]:
    if not figures:
        return ["None were measured: the data has no validation part. Measure it with `recodiff evaluate`."]
    before = "Measured before the last training, which learned from more. " if again else ""
    made = [f"{before}All items that a user has not interacted with are ranked; recall is hits / relevant items."]
    for one in figures:
        rows = [
            (metric, f"{mean.value:.4f}", "" if mean.error is None else f"{mean.error:.4f}") for metric, mean in one.means.items()
        ]
        made += [markdown_table((one.what, "mean", f"standard error ({one.over})"), rows)]
    return [*made, *(line(printable(remark)) for remark in remarks)]


def _origin(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {number}" for name, number in info["versions"].items())
    return [
        ("commit of recodiff", info["commit"] or "not from a checkout"),
        ("versions", versions),
        ("device", f"{info['device']}, {info['threads']} threads"),
        ("seconds of training", f"{info['seconds']:,.1f}"),
    ]


def _fenced(language: str, text: str) -> str:
    """A block of code whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{printable(text).rstrip()}\n{fence}"
