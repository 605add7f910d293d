"""Weights & Biases: a run of the project that WANDB_PROJECT names, else `recodiff`; with WANDB_MODE=offline it stays here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from recodiff.tracking.tracker import TrackerRun

PROJECT = "recodiff"


def begin_wandb(name: str, out: Path | None) -> TrackerRun:
    """Begin a run.

    Args:
        name: of the run.
        out: the folder of the work, which the run names.
    """
    return WandbRun(name, None, {} if out is None else {"folder": str(out)})


class WandbRun:
    """A run; those within one share its group.

    Args:
        name: of the run.
        group: that it is in; one of its own unless given.
        config: to begin with.
    """

    def __init__(self, name: str, group: str | None, config: Mapping[str, Any]) -> None:
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=name,
            group=group,
            config=dict(config),
            reinit="create_new",
            settings=wandb.Settings(silent=True),
        )
        self.run.define_metric("*", step_metric="epoch")
        self.group = group or f"{name} {self.run.id}"

    def parameters(self, values: Mapping[str, str | float | bool]) -> None:
        """See `TrackerRun`."""
        self.run.config.update(dict(values), allow_val_change=True)

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackerRun`; the epoch is a figure of its own, as components of a mixture count theirs from 1 each."""
        self.run.log({"epoch": step, **values})

    def figures(self, values: Mapping[str, float]) -> None:
        """See `TrackerRun`."""
        self.run.summary.update(dict(values))

    def files(self, paths: Sequence[Path], what: str) -> None:
        """See `TrackerRun`."""
        kept = wandb.Artifact(re.sub(r"[^\w.-]+", "-", f"{self.run.name or self.run.id}-{what}")[:120], type=what)
        for path in paths:
            kept.add_file(str(path), name=path.name)
        self.run.log_artifact(kept)

    def child(self, name: str) -> TrackerRun:
        """See `TrackerRun`."""
        return WandbRun(name, self.group, {})

    def end(self, *, ok: bool) -> None:
        """See `TrackerRun`."""
        self.run.finish(exit_code=0 if ok else 1)
