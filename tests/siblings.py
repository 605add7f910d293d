"""Logs of sixty rows, what `recodiff prepare` is asked for, and what is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands import Cli
from recodiff.data import load_dataset
from situations import T

USERS = (7, 3, 12, 5, 9, 4)
READ = {"users": 6, "interactions": 60, "first": "2013-12-22"}


def rows(form: str, head: str = "", first: int = 0, upto: int = 60) -> str:
    """Sixty lines, one a day: ten of each user; or those from `first` on, before `upto`."""
    lines = [head] if head else []
    for n in range(first, upto):
        user, t = USERS[n % 6], T + 86_400 * n + 61
        when = datetime.fromtimestamp(t, UTC)
        forms = {"iso": when.strftime("%Y-%m-%dT%H:%M:%S"), "us": when.strftime("%m/%d/%Y %H:%M"), "de": when.strftime("%d.%m.%Y")}
        counted = {
            "month": when.strftime("%Y%m"),
            "year": when.year,
            "day": t // 86_400,
            "excel": f"{t / 86_400 + 25_569:.5f}",
        }
        others = {
            "d8": when.strftime("%Y%m%d"),
            "d14": when.strftime("%Y%m%d%H%M%S"),
            "r": 1 + n % 5,
            "n": n,
            "p": f"{n % 9}.99",
            "tweet": when.strftime("%a %b %d %H:%M:%S +0000 %Y"),
            "ms": f"{t * 1000:.9E}",
        }
        lines.append(form.format(u=user, i=20 + (user * 7 + n // 6 * 3) % 31, t=t, **forms, **counted, **others))
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Sibling:
    """Files, what is asked for, and what is right: facts of the dataset, or a regular expression that the refusal matches.

    Args:
        name: kind and situation.
        files: name -> content; of several files the folder is read.
        right: see above.
        options: of the command.
        told: what standard error matches, too.
        source: the file that is read; the folder of several files unless given.
    """

    name: str
    files: Mapping[str, str | bytes]
    right: str | Mapping[str, Any] = field(default_factory=lambda: READ)
    options: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    source: str = ""

    def check(self, cli: Cli, folder: Path) -> None:
        """Prepare the log, and compare what comes out with what is right."""
        source = folder / "log"
        for name, content in self.files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        only = self.source or ("" if len(self.files) > 1 else next(iter(self.files)))
        done = cli("prepare", source / only, folder / "data", *(option.replace("LOG", str(source)) for option in self.options))
        if isinstance(self.right, str):
            last = done.err.splitlines()[-1]
            assert (done.code, last.startswith("recodiff: "), done.out) == (1, True, "")
            assert re.search(self.right, last), last
        else:
            info = load_dataset(done.succeeded() and folder / "data").info
            found = info | {"first": info["time"].get("first", "")[: len(self.right.get("first", ""))]}
            assert {fact: found[fact] for fact in self.right} == dict(self.right)
        for words in self.told:
            assert re.search(words, done.err), done.err


def csv(name: str, form: str, head: str = "", *args: Any, **others: Any) -> Sibling:
    """A situation of one CSV file."""
    return Sibling(name, {"a.csv": rows(form, head)}, *args, **others)
