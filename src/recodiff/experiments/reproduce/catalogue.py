"""All experiments by name: the paper's tables and figures, and the questions they leave open. One runner runs all."""

from __future__ import annotations

import difflib

from recodiff.errors import ConfigError
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.reproduce.paper import PAPER
from recodiff.experiments.reproduce.questions import QUESTIONS

EXPERIMENTS: dict[str, Experiment] = {one.name: one for one in (*PAPER, *QUESTIONS)}


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Args:
        name: such as `table2`.

    Raises:
        ConfigError: there is none.
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    close = difflib.get_close_matches(name, EXPERIMENTS, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise ConfigError(f"there is no experiment '{name}'; {hint}choose one of {', '.join(EXPERIMENTS)}")
