"""How `auto` divides its time: what was spent, what each method has, and which methods no share is enough for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from recodiff.data.interactions import Interactions
from recodiff.data.saving import MANIFEST
from recodiff.errors import CheckpointError
from recodiff.experiments.runs.options import Deadline
from recodiff.experiments.runs.runner import span
from recodiff.models.model_files import CONFIG, OWNED
from recodiff.models.registry import build
from recodiff.runtime import files
from recodiff.runtime.folders import refuse_files_of_others
from recodiff.runtime.work import SLOWEST, measured_rates
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG

STATE = "auto.json"
LAST_TRAININGS = 3
"""Shares of the time that are kept for the last two trainings of the model that was chosen; the second learns from more."""
LEAST_LEFT = 0.1
"""Of the time, what is divided at least, however long reading took."""


@dataclass(frozen=True)
class Allotment:
    """The time of each method.

    Args:
        share: seconds to choose its settings, and seconds that a training may take.
        left_out: methods that take longer in one step -> why, as a sentence goes on.
    """

    share: float
    left_out: Mapping[str, str]


class Clock:
    """The time that all commands on one folder have spent, and what the folder is of.

    Args:
        path: of the file that says so.
        state: what it holds.
        minutes: for all commands.
    """

    def __init__(self, path: Path, state: dict[str, Any], minutes: float) -> None:
        self.path, self.state, self.minutes = path, state, minutes
        self.began = time.monotonic() - state.get("seconds", 0.0)

    @classmethod
    def of(cls, out: Path, asked: dict[str, Any], minutes: float) -> Clock:
        """Go on in a folder, or begin.

        Args:
            out: the folder.
            asked: names the source and its options.
            minutes: for all commands.

        Raises:
            CheckpointError: the folder holds something else.
        """
        path = out / STATE
        if not path.exists():
            if (out / CONFIG).exists() or (out / MANIFEST).exists():
                raise CheckpointError(f"'{out}' holds a model or data of another command; choose another folder")
            refuse_files_of_others(out, (*OWNED, LOG, CHECKPOINT, GROWING_LOG), ())
            files.write_json(path, {"asked": asked})
            return cls(path, {"asked": asked}, minutes)
        with files.reading(path, CheckpointError, "choose another folder"):
            state = json.loads(path.read_text("utf-8"))
            differing = [key for key, value in json.loads(json.dumps(asked)).items() if state["asked"].get(key) != value]
        if differing:
            raise CheckpointError(f"'{out}' was begun with another {differing[0]}; go on with that, or choose another folder")
        return cls(path, state, minutes)

    @property
    def seconds(self) -> float:
        """The seconds that were spent so far."""
        return time.monotonic() - self.began

    def stop(self) -> None:
        """Write down what was spent so far."""
        self.state["seconds"] = round(self.seconds, 1)
        files.write_json(self.path, self.state)

    def deadline(self, reserve: float) -> Deadline:
        """Give the end of the time, before which nothing begins that would not end in it.

        Args:
            reserve: seconds before it.
        """
        return Deadline(self.minutes, began=self.began - reserve, firm=True)

    def allot(self, names: Sequence[str], train: Interactions, device: torch.device) -> Allotment:
        """Divide what reading has left; the same minutes are divided as they were before.

        Args:
            names: of the methods.
            train: what they learn from.
            device: where.
        """
        before = self.state.get("allotted", {})
        if before.get("minutes") == self.minutes:
            return Allotment(before["share"], before["left_out"])
        seconds = max(60 * self.minutes - self.state.setdefault("reading", self.seconds), LEAST_LEFT * 60 * self.minutes)
        found = divided(names, train, seconds, device)
        self.state["allotted"] = {"minutes": self.minutes, **asdict(found)}
        self.stop()
        return found


def divided(names: Sequence[str], train: Interactions, seconds: float, device: torch.device) -> Allotment:
    """Divide time among methods equally; those that would take longer in one step are left out, the longest first.

    Args:
        names: of the methods.
        train: what they learn from.
        seconds: for all of it.
        device: where.
    """
    work = {name: build(name).work(train) for name in names}
    if max(one.seconds(SLOWEST) for one in work.values()) <= _share(seconds, len(names)):
        return Allotment(_share(seconds, len(names)), {})
    rates = measured_rates(device)
    needed = sorted(((one.seconds(rates), name) for name, one in work.items()), reverse=True)
    left_out = dict[str, str]()
    for longest, name in needed:
        share = _share(seconds, len(needed) - len(left_out))
        if longest <= share:
            break
        enough = math.ceil(1.1 * longest * (2 * len(names) + LAST_TRAININGS) / 60)
        left_out[name] = (
            f"not run: one step of it takes about {span(longest)} on {train.n_items:,} items, and no method has more than "
            f"{span(share)}; --minutes {enough} would do"
        )
    return Allotment(_share(seconds, len(names) - len(left_out)), left_out)


def _share(seconds: float, methods: int) -> float:
    return seconds / (2 * methods + LAST_TRAININGS)
