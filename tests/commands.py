"""Commands called in this process, and a log for them to work on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recodiff.cli import main

USERS, ITEMS = 60, 40
SAID_BEFORE = re.compile(r"training takes about|(user|item|weight|time|part|unread) = |(\d+ lines became )?\d+ rows \(read as ")
"""What a command may say before it refuses: how long it takes, and what `prepare` took for what."""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: object
    out: str
    err: str

    def succeeded(self) -> Done:
        assert self.code == 0, self.err
        return self

    def refused(self, *words: str) -> Done:
        """One sentence that names the value and the remedy, a non-zero exit code, and no answer."""
        assert self.code not in (0, None)
        told = [line for line in self.err.strip().splitlines() if not SAID_BEFORE.match(line)]
        assert len(told) == 1, self.err
        assert told[0].startswith("recodiff: ")
        assert "Traceback" not in self.err
        assert not self.out
        for word in words:
            assert word in self.err
        return self


Cli = Callable[..., Done]


def call(*arguments: object) -> int | str | None:
    """The exit code of `recodiff` with these arguments, called as its entry point is."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
    return 0


def write_log(folder: Path, items: list[int]) -> Path:
    """Ratings with times in `ratings.csv`, titles in `movies.csv`: users come back to the items of their own taste."""
    rng = np.random.default_rng(7)
    rows = []
    for user in range(USERS):
        fit = np.array([3.0 if i % 4 == user % 4 else 1.0 for i in range(len(items))])
        chosen = rng.choice(len(items), size=int(rng.integers(12, 25)), replace=False, p=fit / fit.sum())
        rows += [(f"u{user:02}", items[i], int(rng.integers(3, 6)), 1_700_000_000 + 3600 * n) for n, i in enumerate(chosen)]
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, schema=["userId", "movieId", "rating", "timestamp"], orient="row").write_csv(folder / "ratings.csv")
    titles = [f"[Film] {item}: a <b>long</b> title (19{n:02})" for n, item in enumerate(items)]
    pl.DataFrame({"movieId": items, "title": titles}).write_csv(folder / "movies.csv")
    return folder
