"""Tiny experiments, and what runs them and counts the trainings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recodiff.config import merge
from recodiff.experiments.reproduce.experiment import Experiment, Panel
from recodiff.experiments.reproduce.reproduce import reproduce
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import Case
from recodiff.experiments.runs.options import Deadline, RunOptions
from recodiff.experiments.runs.runner import load_complete

TINY: dict[str, Any] = {
    "denoiser": {"hidden": [8]},
    "diffusion": {"steps": 4},
    "training": {"epochs": 2, "check_every_epochs": 1, "batch_size": 20},
}


def tiny(key: str, model: str = "diffrec", more: dict[str, Any] | None = None, **changes: Any) -> Case:
    """A case that trains in a moment."""
    settings = merge(TINY, more or {}) if "diffrec" in model else {}
    return Case(key, f"case {key}", model, settings, **changes)


def plan_of(*cases: Case, name: str = "table5", **changes: Any) -> Experiment:
    return Experiment(name, "a test", cases, published="table5", **changes)


def figure_of(*cases: Case, **changes: Any) -> Experiment:
    """A figure of one panel."""
    return Experiment("figure5", "a test", cases, published="figure5", panels=(Panel("p", "along"),), **changes)


@dataclass
class Lab:
    """Runs experiments on one folder into another."""

    folder: Path
    out: Path
    trained: list[tuple[str, int]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __call__(self, plan: Experiment, folder: Path | None = None, **asked: Any) -> Outcome:
        where = folder or self.folder
        deadline = Deadline(asked.pop("minutes", None))
        wanted = RunOptions(**({"device": "cpu", "threads": 1, "deadline": deadline} | asked))
        return reproduce(plan, load_complete(where), where, self.out, wanted, self.said.append)
