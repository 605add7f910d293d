"""Other packages' figures from our lists: which formula and which users stand behind each of their names.

`peers.toml` is the table. The packages' own answers to the same lists are its tests, and `docs/explanation/metrics.md` is made
from both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recodiff.errors import ConfigError
from recodiff.evaluation.conventions import Formula, Judged, Missing
from recodiff.evaluation.metrics import METRICS

KINDS = ("recall", "precision", "ndcg", "map", "mrr", "hit_rate", "auc")
"""Sorts of metrics: what the name of a metric or of a formula begins with."""


def sort_of(name: str) -> str:
    """The sort of a metric or of a formula: `map` of `map_relevant`.

    Args:
        name: of the metric, without `@K`.
    """
    return next((kind for kind in KINDS if name == kind or name.startswith(f"{kind}_")), name)


@dataclass(frozen=True)
class PeerFigure:
    """One figure of a package.

    Args:
        name: what the package calls it, and the settings that make it so.
        kind: one of `KINDS`.
        formula_name: of `peers.toml`; that of our metric of the same formula, where there is one.
        formula: of one user.
        without_truth: what becomes of users with a list and nothing to be found.
        without_list: what becomes of users with something to be found and no list.
        short_lists: whether places after the end of a list are misses; otherwise the package fills them in its own way, and the
            figure is given for full lists only.
    """

    name: str
    kind: str
    formula_name: str
    formula: Formula
    without_truth: Missing = "skip"
    without_list: Missing = "zero"
    short_lists: bool = True

    @property
    def ours(self) -> str | None:
        """The name of our metric of the same formula."""
        return self.formula_name if self.formula_name in METRICS else None

    def population(self, judged: Judged) -> NDArray[np.bool_]:
        """The users whose mean it is, boolean [n].

        Args:
            judged: lists of n users.
        """
        truth, listed = judged.relevant > 0, judged.lengths > 0
        lone = {"skip": False, "zero": True, "refuse": False}
        return (truth & listed) | (~truth & listed & lone[self.without_truth]) | (truth & ~listed & lone[self.without_list])

    def refuses(self, judged: Judged, k: int) -> str | None:
        """The reason why it cannot be given for these lists, in one sentence; empty where it can.

        Args:
            judged: lists of n users.
            k: where lists are cut, 1 or more.
        """
        if self.formula.cut == "ranking" and not judged.are_rankings():
            return f"{self.name} needs a whole ranking, and these lists end after {int(judged.lengths.max(initial=0))} items"
        if self.formula.gain != "binary" and judged.ratings is None:
            return f"{self.name} needs ratings; prepare the data with --keep-weights"
        here = self.population(judged)
        if not self.short_lists and (judged.lengths[here] < np.minimum(k, judged.candidates[here])).any():
            return f"{self.name} credits items after the end of a list, so it is given for lists of {k} items only"
        return None


@dataclass(frozen=True)
class Peer:
    """A package.

    Args:
        version: what was measured.
        ties: in which order it puts items of one score.
        figures: of its metrics.
    """

    version: str
    ties: str
    figures: tuple[PeerFigure, ...]


@dataclass(frozen=True)
class Answer:
    """A package's figure of some lists.

    Args:
        name: what the package calls it, with its length.
        mean: over its users; NaN of none.
        users: how many these are.
        ours: our metric of the same formula, with its length.
    """

    name: str
    mean: float
    users: int
    ours: str | None


def like(name: str, judged: Judged, lengths: Sequence[int], kinds: Collection[str] | None = None) -> tuple[list[Answer], list[str]]:
    """The figures that a package gives for these lists.

    Args:
        name: of `peers()`.
        judged: all users with a list or with something to be found.
        lengths: where the lists are cut.
        kinds: sorts of metrics; all unless given.

    Returns:
        The figures, and in one sentence each why others cannot be given.

    Raises:
        ConfigError: there is no such package.
    """
    answers, refusals = [], []
    for figure in peer(name).figures:
        if kinds is not None and figure.kind not in kinds:
            continue
        for k in lengths if figure.formula.cut == "k" else lengths[:1]:
            if refusal := figure.refuses(judged, k):
                refusals.append(refusal)
                continue
            cut = f"@{k}" if figure.formula.cut == "k" else ""
            here = figure.population(judged)
            mean = figure.formula.mean(judged.take(here), k)
            ours = f"{figure.ours}{cut}" if figure.ours else None
            answers.append(Answer(f"{figure.name}{cut}", mean, int(here.sum()), ours))
    return answers, list(dict.fromkeys(refusals))


@cache
def formulas() -> Mapping[str, Formula]:
    """The formulas by their names in `peers.toml`; those of our metrics have the names of our metrics."""
    return {name: Formula(**properties) for name, properties in _table()["formulas"].items()}


@cache
def peers() -> Mapping[str, Peer]:
    """The packages, by the name that `recodiff evaluate --like` takes."""
    return {name: _peer(package) for name, package in _table()["packages"].items()}


def peer(name: str) -> Peer:
    """One package.

    Args:
        name: as `peers.toml` has it.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in peers():
        raise ConfigError(f"no package '{name}'; --like takes one of {', '.join(peers())}")
    return peers()[name]


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("recodiff.evaluation").joinpath("peers.toml").read_text())


def _peer(package: Mapping[str, Any]) -> Peer:
    figures = []
    for group in package["groups"]:
        rules = {key: value for key, value in group.items() if key != "figures"}
        for name, formula, *kind in group["figures"]:
            figures.append(PeerFigure(name, kind[0] if kind else sort_of(formula), formula, formulas()[formula], **rules))
    return Peer(package["version"], package["ties"], tuple(figures))
