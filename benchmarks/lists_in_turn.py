"""A process that makes lists when it is told to, for `exact_lists`: one for each tree of sources, which take turns.

Told on its standard input, a line each, it answers by a line of JSON. It imports what older trees have too.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from recodiff.data import IdMap
from recodiff.models.registry import build
from recodiff.ranking.recommend import history_of, recommend
from recodiff.tensors.random import keyed_generator

K, PER_USER, STEPS = 20, 36, 5


class Lists:
    """An untrained DiffRec, and users with random histories.

    Args:
        items: I.
        width: of the item vectors.
        users: who are ranked at once.
    """

    def __init__(self, items: int, width: int, users: int) -> None:
        model: Any = build("diffrec", {"denoiser": {"hidden": [width]}, "diffusion": {"steps": STEPS}})
        model.restore(dict(model.build(items, keyed_generator(0, "init")).named_parameters()), IdMap.range(items))
        g = np.random.default_rng(0)
        self.model = model
        self.histories = [np.unique(g.integers(0, items, PER_USER)).tolist() for _ in range(users)]
        self.together = history_of(model, *self.histories)

    def all(self, out: str) -> float:
        """Seconds that all users' lists take together; the lists are written to a file, unless its name is `-`."""
        began = time.perf_counter()
        found = recommend(self.model, self.together, K)
        seconds = time.perf_counter() - began
        if out != "-":
            np.savez(out, items=found.items, scores=found.scores)
        return seconds

    def lone(self) -> float:
        """The median of seconds that a list takes, one user after another, on one core."""
        return self._on_one_core(lambda: statistics.median(self._seconds(history) for history in self.histories))

    def read(self) -> float:
        """Seconds in which the float32 item matrix is read once, on one core: the fastest of its sum and of its product."""
        vectors = self.model.vectors().vectors
        matrix, vector = vectors.numpy(), np.ones(vectors.shape[1], np.float32)
        return self._on_one_core(lambda: min(_seconds(call) for call in (vectors.sum, lambda: matrix @ vector) for _ in range(10)))

    def _seconds(self, history: list[int]) -> float:
        given = history_of(self.model, history)
        return _seconds(lambda: recommend(self.model, given, K))

    def _on_one_core(self, call: Callable[[], float]) -> float:
        threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
        torch.set_num_threads(1)
        os.sched_setaffinity(0, {min(cores)})
        try:
            return call()
        finally:
            os.sched_setaffinity(0, cores)
            torch.set_num_threads(threads)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    lists = Lists(*map(int, sys.argv[1:4]))
    calls: dict[str, Callable[..., float]] = {"all": lists.all, "lone": lists.lone, "read": lists.read}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, *arguments = line.split()
        print(json.dumps(calls[name](*arguments)), flush=True)


if __name__ == "__main__":
    main()
