"""Small searches: of what, and what happens to them."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from recodiff import Run
from recodiff.experiments.tuning import search
from recodiff.experiments.tuning.dimensions import Range, Space
from recodiff.experiments.tuning.tuning_result import TuningResult
from recodiff.models.linear.ease import Ease

RUN = Run(device="cpu", progress=False)
TINY = {"diffusion": {"steps": 2}, "denoiser": {"hidden": [8]}, "training": {"epochs": 6, "check_every_epochs": 1}}
LR: Space = {"training.lr": Range(low=1e-4, high=1e-1, log=True)}
L2: Space = {"l2": Range(low=1.0, high=1e4, log=True)}


def drawn(found: TuningResult) -> list[Any]:
    return [trial.settings for trial in found.trials]


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The program is killed in the fit after so many."""
    numbers, fit = count(), Ease._fit

    def dies(model: Ease, *rest: Any) -> None:
        if next(numbers) == after:
            raise KeyboardInterrupt
        fit(model, *rest)

    monkeypatch.setattr(Ease, "_fit", dies)


def a_second_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the search moves whenever it is looked at."""
    clock = count(0, 1.0)
    monkeypatch.setattr(search, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
