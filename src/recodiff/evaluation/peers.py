"""Other packages' figures from our lists: which formula and which users stand behind each of their names.

`peers.toml` is the table. The packages' own answers to the same lists are its tests, and `docs/explanation/metrics.md` is made
from both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

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


def like(
    name: str,
    judged: Judged,
    lengths: Sequence[int],
    kinds: Collection[str] | None = None,
    rankings: Iterable[Judged] = (),
) -> tuple[list[Answer], list[str]]:
    """The figures that a package gives for these lists.

    Args:
        name: of `peers()`.
        judged: all users with a list or with something to be found.
        lengths: where the lists are cut.
        kinds: sorts of metrics; all unless given.
        rankings: whole rankings of the users with something to be found, some users at a time; unless given, `judged` itself is
            what figures of whole rankings are of.

    Returns:
        The figures, and in one sentence each why others cannot be given, or are not the package's own.

    Raises:
        ConfigError: there is no such package.
    """
    figures = _wanted(name, kinds)
    means, refused = _of_rankings([figure for figure in figures if figure.formula.cut == "ranking"], rankings, lengths[0])
    answers, notes, given = [], [*refused.values()], []
    for figure in figures:
        for k in lengths if figure.formula.cut == "k" else lengths[:1]:
            if figure.name in means:
                mean, users = means[figure.name]
            elif figure.name in refused:
                continue
            elif refusal := figure.refuses(judged, k):
                notes.append(refusal)
                continue
            else:
                here = figure.population(judged)
                mean, users = figure.formula.mean(judged.take(here), k), int(here.sum())
            cut = f"@{k}" if figure.formula.cut == "k" else ""
            answers.append(Answer(f"{figure.name}{cut}", mean, users, f"{figure.ours}{cut}" if figure.ours else None))
            given.append(figure)
    return answers, list(dict.fromkeys([*notes, *_not_given_by(name, list(dict.fromkeys(given)), judged)]))


def _wanted(name: str, kinds: Collection[str] | None) -> list[PeerFigure]:
    return [figure for figure in peer(name).figures if kinds is None or figure.kind in kinds]


def _of_rankings(
    figures: Sequence[PeerFigure], rankings: Iterable[Judged], k: int
) -> tuple[dict[str, tuple[float, int]], dict[str, str]]:
    """By its name, mean and number of users of each figure, or why it cannot be given; one pass through the rankings."""
    values: dict[str, list[NDArray[np.float64]]] = {}
    refused: dict[str, str] = {}
    for judged in rankings if figures else ():
        for figure in figures:
            if refusal := figure.refuses(judged, k):
                refused[figure.name] = refusal
            else:
                found = figure.formula.values(judged.take(figure.population(judged)), k)
                values.setdefault(figure.name, []).append(found)
    whole = {name: np.concatenate(parts) for name, parts in values.items() if name not in refused}
    return {name: (float(each.mean()) if len(each) else float("nan"), len(each)) for name, each in whole.items()}, refused


def _not_given_by(name: str, figures: Sequence[PeerFigure], judged: Judged) -> list[str]:
    """What the package itself answers by an error, in one sentence for all figures of one reason."""
    truth, listed = judged.relevant > 0, judged.lengths > 0
    reasons = {
        "without_truth": (int((~truth & listed).sum()), "a list and nothing to be found"),
        "without_list": (int((truth & ~listed).sum()), "something to be found and no list"),
    }
    sentences = []
    for rule, (users, what) in reasons.items():
        refused = [figure.name for figure in figures if getattr(figure, rule) == "refuse"]
        if users and refused:
            sentences.append(
                f"{name} itself gives no {', '.join(refused)} of these lists but an error, since {users} users have {what}; "
                "here they are left out"
            )
    return sentences


def treatment(name: str, rule: Literal["without_truth", "without_list"], kinds: Collection[str] | None = None) -> str:
    """Say what a package makes of users without truth, or without a list: the end of a sentence about these users.

    Args:
        name: of `peers()`.
        rule: which of the two.
        kinds: sorts of metrics; all unless given.

    Raises:
        ConfigError: there is no such package.
    """
    words = {"skip": "leaves them out", "zero": "counts them as 0", "refuse": "raises an error"}
    said: dict[str, list[str]] = {}
    for figure in _wanted(name, kinds):
        said.setdefault(words[getattr(figure, rule)], []).append(figure.name)
    if len(said) < 2:
        return "".join(f"{name} {what}" for what in said)
    return f"{name} " + ", ".join(f"{what} in {' and '.join(figures)}" for what, figures in said.items())


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
