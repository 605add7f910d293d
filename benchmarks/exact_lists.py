"""Exact lists beside those of another commit: wide, all users of a catalogue, a lone user, and a small catalogue.

Each tree of sources has a process of its own that holds one model, and they take turns. Floors: 2 I H operations a user,
at the rate of bfloat16 products where there are any. A lone user reads the item matrix, or a copy of fewer bits.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from machine import matrix_rate
from unchanged import ROOT, sources_at

SHAPES = {"wide": (1_000_000, 200, 2048), "catalogue": (94_949, 1000, 2048), "small": (2_810, 200, 6000)}
"""Items, width and users; the small one's users are ranked several times."""
TURNS = {"wide": 3, "catalogue": 5, "small": 15}
LONE_USERS, LONE_TURNS = 60, 3
WITHIN = 1e-6
"""Times the greatest score, which is less than |u| |v|: how far apart scores of two commits may lie."""
OWN = "now"


class Process:
    """One tree's process."""

    def __init__(self, tree: Path, shape: tuple[int, int, int]) -> None:
        environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        script = Path(__file__).with_name("lists_in_turn.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *map(str, shape)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, *words: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.answer()


def exact_lists(
    before: str | None = None,
    shapes: Mapping[str, tuple[int, int, int]] = SHAPES,
    turns: Mapping[str, int] = TURNS,
) -> dict[str, Any]:
    """Medians of seconds by turns.

    Args:
        before: a commit that makes the same lists in the same turns; none unless given.
        shapes: see SHAPES.
        turns: of each shape.
    """
    row: dict[str, Any] = {"case": "exact lists of 20: " + ", ".join("{} {:,} x [{}]".format(n, *s[:2]) for n, s in shapes.items())}
    rates = [[matrix_rate(), matrix_rate(dtype=torch.bfloat16)]]
    with TemporaryDirectory() as at:
        trees = {OWN: ROOT} | ({} if before is None else {before: sources_at(before, Path(at) / "before")})
        for name, shape in shapes.items():
            with processes(trees, shape) as sides:
                row |= _together(name, shape, sides, turns[name], Path(at))
                row |= _alone(shape, sides) if name == "catalogue" else {}
            rates.append([matrix_rate(), matrix_rate(dtype=torch.bfloat16)])
    single, narrow = (max(rate[place] for rate in rates) for place in (0, 1))
    row |= {"matrix rate GFLOP/s": single / 1e9, "of bfloat16 GFLOP/s": narrow / 1e9, "bfloat16 by float32": narrow / single}
    for name, (items, width, _) in shapes.items():
        row[f"{name}, of the matrix rate"] = 2 * items * width / single / (row[f"{name}, ms a user"] / 1e3)
    return row


@contextmanager
def processes(trees: Mapping[str, Path], shape: tuple[int, int, int]) -> Iterator[dict[str, Process]]:
    """A process for each tree, which all end with the context."""
    with ExitStack() as stack:
        sides: dict[str, Process] = {}
        for name, tree in trees.items():
            sides[name] = Process(tree, shape)
            stack.enter_context(sides[name].process)
            stack.callback(sides[name].process.kill)
        yield sides


def _together(name: str, shape: tuple[int, int, int], sides: Mapping[str, Process], turns: int, at: Path) -> dict[str, Any]:
    for side, process in sides.items():
        process.ask("all", str(at / f"{side}.npz"))  # and so each is warm
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(turns):
        for side, process in sides.items():
            taken[side].append(process.ask("all", "-"))
    found: dict[str, Any] = {}
    for side, seconds in taken.items():
        said = "" if side == OWN else f" at {side}"
        found[f"{name}, ms a user{said}"] = statistics.median(seconds) / shape[2] * 1e3
    for side in [side for side in sides if side != OWN]:
        found[f"{name}, times {side}"] = found[f"{name}, ms a user at {side}"] / found[f"{name}, ms a user"]
        found[f"{name}, lists that differ from {side} beyond {WITHIN}"] = _differing(at / f"{OWN}.npz", at / f"{side}.npz")
    return found


def _alone(shape: tuple[int, int, int], sides: Mapping[str, Process]) -> dict[str, Any]:
    taken: dict[str, list[float]] = {side: [] for side in sides}
    read: list[float] = []
    for _ in range(LONE_TURNS):
        for side, process in sides.items():
            taken[side].append(process.ask("lone"))
        read.append(sides[OWN].ask("read"))
    found: dict[str, Any] = {"reading the item matrix once, ms": min(read) * 1e3}
    for side, seconds in taken.items():
        said = "" if side == OWN else f" at {side}"
        found |= {f"lone user, ms{said}": min(seconds) * 1e3, f"lone user by that{said}": min(seconds) / min(read)}
    return found


def _differing(one: Path, other: Path) -> int:
    """Lists whose scores lie further apart than they may, or whose items differ where no neighbours lie so near."""
    (items, scores), (theirs, their_scores) = ((file["items"], file["scores"]) for file in map(np.load, (one, other)))
    near = WITHIN * np.abs(scores).max()
    apart = (np.abs(scores - their_scores) > near).any(1)
    return int((apart | ((items != theirs) & ~_beside(scores, near)).any(1)).sum())


def _beside(scores: np.ndarray[Any, Any], near: float) -> np.ndarray[Any, Any]:
    """Which places have a neighbour nearly as great; the last may have one behind the list."""
    gaps = np.abs(np.diff(scores, axis=1)) <= 2 * near
    beside = np.ones(scores.shape, dtype=bool)
    beside[:, :-1] = gaps
    beside[:, 1:-1] |= gaps[:, :-1]
    return beside
