"""What an experiment is made of: cases, the panels they are drawn in, and what is said about them. Data, not code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recodiff.experiments.runs.cases import Case

QUICK_EPOCHS = 10
"""Epochs at most in a quick pass."""


@dataclass(frozen=True)
class Panel:
    """A panel of a figure.

    Args:
        title: above it, and what the cases of the panel name.
        along: what changes from point to point.
        ordered: whether the points are steps of one quantity, and joined by a line.
    """

    title: str
    along: str
    ordered: bool = True


@dataclass(frozen=True)
class Experiment:
    """A table or a figure.

    Args:
        name: as typed.
        title: as tables head it.
        cases: in order.
        published: the entry of `published.toml`; empty for a question that the paper does not ask.
        notes: what a reader must know.
        panels: of a figure; a table has none.
        paired: whether the question is an effect: differences to a reference case, paired by seed.
        tuned_rows: whether models get a second row where a preset was tuned for the data.
        memory: whether each training has a process of its own, whose peak memory is reported.
        noisy: whether it is about noise that the data itself must have.
    """

    name: str
    title: str
    cases: tuple[Case, ...]
    published: str
    notes: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()
    paired: bool = False
    tuned_rows: bool = False
    memory: bool = False
    noisy: bool = False


def cases_of(plan: Experiment, data: str, presets: Sequence[str], *, quick: bool) -> list[Case]:
    """The cases to run on the data of that name: of a quick pass fewer, and a row more for each tuned preset there is.

    Args:
        plan: the experiment.
        data: name of the data, such as `ml-1m_clean`.
        presets: names of the presets that there are.
        quick: whether it is a quick pass.
    """
    cases = []
    for case in plan.cases:
        if quick and not case.quick:
            continue
        cases.append(case)
        tuned = f"{case.model}-{data}-tuned"
        if plan.tuned_rows and tuned in presets:
            label = f"{case.label}, settings chosen on validation"
            cases.append(replace(case, key=f"{case.key} tuned", label=label, tuned=tuned))
    return cases
