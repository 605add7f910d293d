"""What every script of this folder shares: it reads the cases, and prints the package's figures as one JSON object."""

from __future__ import annotations

import importlib.metadata
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One question.

    Args:
        name: of the case.
        k: where figures are cut.
        items: size of the catalogue, whose items are 1 to `items`.
        lists: user -> items, best first; a user without a list has an empty one.
        truth: user -> relevant item -> rating; a user without truth has an empty one.
    """

    name: str
    k: int
    items: int
    lists: Mapping[int, list[int]]
    truth: Mapping[int, dict[int, int]]

    def scores(self, user: int) -> list[float]:
        """The scores of the user's list: n, n - 1, ... 1."""
        return [float(score) for score in range(len(self.lists[user]), 0, -1)]

    def listed(self) -> list[int]:
        """The users with a list."""
        return [user for user, ranked in self.lists.items() if ranked]

    def seeking(self) -> list[int]:
        """The users with something to find."""
        return [user for user, truth in self.truth.items() if truth]

    def row(self, user: int, missing: float) -> list[float]:
        """Scores of the whole catalogue, item 1 first; an item outside the list gets `missing`."""
        row = [missing] * self.items
        for item, score in zip(self.lists[user], self.scores(user), strict=True):
            row[item - 1] = score
        return row


Figures = Mapping[str, Any]


def answer(measure: Callable[[Case], Figures], *packages: str, only: Callable[[Case], bool] = lambda case: True) -> None:
    """Prints {"versions", "figures"}: by case and by the package's name of the metric, a number, or the error that it raised."""
    figures = {case.name: {name: _plain(value) for name, value in measure(case).items()} for case in _read() if only(case)}
    print(json.dumps({"versions": {name: importlib.metadata.version(name) for name in packages}, "figures": figures}))


def attempt(call: Callable[[], Any]) -> Any:
    """The value of `call`, or the name of the error that it raised: what the package answers to some input is a figure, too."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def _read() -> list[Case]:
    found = []
    for name, case in json.loads(Path(sys.argv[1]).read_text()).items():
        lists = {user: ranked for user, (ranked, _) in enumerate(case["users"], 1)}
        truth = {user: {int(item): r for item, r in true.items()} for user, (_, true) in enumerate(case["users"], 1)}
        found.append(Case(name, case["k"], case["items"], lists, truth))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    return "NaN" if math.isnan(number) else round(number, 8)
