"""Runs an experiment: its cases settled, then run as any others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recodiff.configs import presets
from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError
from recodiff.experiments.reproduce.cases import QUICK_EPOCHS, Experiment, cases_of
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.reproduce.settings import settle
from recodiff.experiments.runs.cases import Case
from recodiff.experiments.runs.runner import Asked, Found, Say, run_cases


def reproduce(plan: Experiment, data: Dataset, folder: Path, out: Path, asked: Asked, say: Say) -> Outcome:
    """Runs all cases that can be run.

    Args:
        plan: the experiment.
        data: of `folder`, as `load_complete` gives it.
        folder: where the data stands.
        out: results are kept in its folder `runs`, and taken from there where they are.
        asked: how much of it.
        say: is told which run is going on.

    Raises:
        ConfigError: the device cannot be used.
        OSError: the results cannot be written.
    """
    cap = QUICK_EPOCHS if asked.quick else None
    if plan.noisy and not (data.info.get("noise") or data.name.endswith("_noisy")):
        doubt = (
            f"Nothing about {data.name} says that it is noisy: `recodiff prepare --natural-noise` makes such data from a rated log."
        )
        say(doubt)
        plan = replace(plan, notes=(*plan.notes, doubt))
    cases = cases_of(plan, data.name, presets(), quick=asked.quick)
    found = [_settled(case, data, folder, cap) for case in cases]
    rows = run_cases(found, data, folder, out, asked, say, memory=plan.memory)
    return Outcome(plan, data, rows, asked.all_seeds, cap)


def _settled(case: Case, data: Dataset, folder: Path, cap: int | None) -> Found:
    try:
        settled = settle(case, data, folder, cap=cap)
    except ConfigError as error:
        return Found(case, note=f"failed: {error}")
    return Found(case, note=settled) if isinstance(settled, str) else Found(case, settled)
