"""What an experiment leaves: a page, every figure as JSON, and a drawing where it is a figure of the paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError, MissingExtraError
from recodiff.experiments.reproduce import page, paper_figures
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.reproduce.published import published
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import REPORTED_METRICS, Row
from recodiff.experiments.runs.results import Mean, earlier, pages
from recodiff.experiments.runs.results import result_as_json as describe_run
from recodiff.moved import old_names
from recodiff.runtime import files


def refuse_other(plan: Experiment, data: Dataset, out: Path, *, quick: bool) -> None:
    """Keep the page of other data, or of a full pass, from being lost.

    Args:
        plan: the experiment.
        data: what it is to run on.
        out: the folder of the page.
        quick: whether it is a quick pass.

    Raises:
        ConfigError: `out` holds one.
    """
    path = out / f"{plan.name}.json"
    theirs = earlier(out, _names(plan), data, plan.name)
    if theirs is not None and quick and theirs.get("cap") is None:
        raise ConfigError(f"'{path}' holds a full pass, which a quick one may not replace; choose another folder with --out")


def _names(plan: Experiment) -> list[str]:
    return [f"{plan.name}.{ending}" for ending in ("json", "md", *(("png", "svg") if plan.panels else ()))]


def write_outcome(outcome: Outcome, out: Path, say: Callable[[str], None]) -> list[Path]:
    """Write the files, all of them or none.

    Args:
        outcome: of the experiment.
        out: the folder.
        say: receives a sentence where there can be no drawing.

    Returns:
        The files.

    Raises:
        OSError: they cannot be written.
        CheckpointError: another's file of such a name is there.
    """
    name = outcome.plan.name
    drawings: list[Path] = []
    with pages(out, _names(outcome.plan)) as staged:
        try:
            drawings = paper_figures.draw_paper_figures(outcome, staged)
        except MissingExtraError as error:
            say(f"no {name}.png this time: {error}")
        files.write_json(staged / f"{name}.json", outcome_as_json(outcome))
        files.write_text(staged / f"{name}.md", page.render_outcome(outcome, drawing=bool(drawings)))
    return [out / f"{name}.md", out / f"{name}.json", *(out / drawing.name for drawing in drawings)]


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything as JSON: means, differences, published figures, and every run behind them.

    Args:
        outcome: what was run and found.
    """
    plan, data, beside = outcome.plan, outcome.data, outcome.beside
    elsewhere = [] if beside else list(published(plan.published).values())
    return {
        "experiment": plan.name,
        "title": page.outcome_title(outcome),
        "data": {"name": data.name, **{key: data.summary()[key] for key in ("users", "items", "interactions", "fingerprint")}},
        "comparable": beside is not None,
        "seeds": list(outcome.seeds),
        "cap": outcome.cap,
        "rows": [_row(outcome, row, dict(beside.rows.get(row.case.key, {})) if beside else None) for row in outcome.rows],
        "missing": outcome.missing(),
        "left_out": outcome.left_out(),
        "published_on_other_data": [{"data": one.data.title, "where": one.where, "rows": one.rows} for one in elsewhere],
        "notes": list(plan.notes),
    }


def _row(outcome: Outcome, row: Row, said: dict[str, float] | None) -> dict[str, Any]:
    reference = outcome.reference(row)
    paired = outcome.plan.paired and reference is not row
    return {
        "case": row.case.key,
        "label": row.case.label,
        "model": row.case.model,
        "settings_from": row.source,
        "changed": row.case.settings,
        "noise": row.case.noise,
        "note": row.note,
        "test": {metric: _mean(row.test(metric)) for metric in REPORTED_METRICS},
        "valid": {metric: _mean(row.valid(metric)) for metric in REPORTED_METRICS},
        "difference_to": reference.case.key if paired else None,
        "difference": {metric: _mean(row.minus(reference, metric)) for metric in REPORTED_METRICS} if paired else None,
        "published": said or None,
        "runs": [describe_run(result) for result in row.results],
    }


def _mean(found: Mean | None) -> dict[str, float | None] | None:
    return None if found is None else {"mean": found.value, "standard_error": found.error}


__getattr__ = old_names(__name__)
