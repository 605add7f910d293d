"""Run an experiment: its cases get their settings and are run as any others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recodiff.configs import presets
from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError
from recodiff.experiments.reproduce.experiment import QUICK_EPOCHS, Experiment, cases_of
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.reproduce.settings import resolve
from recodiff.experiments.runs.cases import Case
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.runs.runner import CaseProgress, Say, run_cases


def reproduce(plan: Experiment, data: Dataset, folder: Path, out: Path, options: RunOptions, say: Say) -> Outcome:
    """Run all cases that can be run.

    Args:
        plan: the experiment.
        data: of `folder`, as `load_complete` gives it.
        folder: where the data stands.
        out: results are kept in its folder `runs`, and taken from there where they are.
        options: how much of it.
        say: receives the name of the run that is going on.

    Raises:
        ConfigError: the device cannot be used.
        OSError: the results cannot be written.
    """
    cap = QUICK_EPOCHS if options.quick else None
    if plan.noisy and not (data.info.get("noise") or data.name.endswith("_noisy")):
        doubt = (
            f"Nothing about {data.name} says that it is noisy: `recodiff prepare --natural-noise` makes such data from a rated log."
        )
        say(doubt)
        plan = replace(plan, notes=(*plan.notes, doubt))
    cases = cases_of(plan, data.name, presets(), quick=options.quick)
    found = [_progress(case, data, folder, cap) for case in cases]
    rows = run_cases(found, data, folder, out, options, say, memory=plan.memory)
    return Outcome(plan, data, rows, options.all_seeds, cap)


def _progress(case: Case, data: Dataset, folder: Path, cap: int | None) -> CaseProgress:
    try:
        resolved = resolve(case, data, folder, cap=cap)
    except ConfigError as error:
        return CaseProgress(case, note=f"failed: {error}")
    return CaseProgress(case, note=resolved) if isinstance(resolved, str) else CaseProgress(case, resolved)
