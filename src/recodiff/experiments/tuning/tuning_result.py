"""What a search found, and the files that say so: best.toml, trials.csv, trials.json."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from recodiff.config import Settings, to_toml
from recodiff.experiments.tuning.dimensions import Space, flatten, leaves_of
from recodiff.models.registry import title
from recodiff.moved import old_names
from recodiff.runtime import files
from recodiff.runtime.folders import refuse_files_of_others
from recodiff.runtime.progress import printable

BEST, TRIALS = "best.toml", "trials"
CHOSEN = "chosen by `recodiff tune` on the validation part of"
"""In the first line of the settings that were found, by which ours are known."""
TrialState = Literal["complete", "pruned", "stopped", "failed", "killed"]


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Args:
        number: counts from 0.
        state: `pruned` was given up as hopeless, `stopped` by the end of the time, `failed` ended with an error of the
            model, `killed` with the program; the killed count for nothing.
        settings: what was drawn, dotted key -> value; of the first trial what stands there at the start.
        value: the best validation figure that it showed; None where it failed.
        epochs: trained until that figure; None for a model that has none.
        seconds: of training and validation.
        repeats: the earlier trial that had the same settings and whose figure this is.
        error: why it failed.
    """

    number: int
    state: TrialState
    settings: dict[str, Any] = field(default_factory=dict)
    value: float | None = None
    epochs: int | None = None
    seconds: float = 0.0
    repeats: int | None = None
    error: str = ""

    @property
    def counts(self) -> bool:
        """Whether it takes from the budget."""
        return self.state != "killed"


@dataclass(frozen=True)
class TuningResult:
    """The settings that a search found best, and all its trials.

    Args:
        model: its name in MODELS, or `module:Class`.
        settings: of the best trial, complete and nested.
        metric: of the validation part, by which it is the best.
        best: the trial with the greatest figure, the earliest of equals.
        trials: all.
        space: what was drawn.
        finished: whether the budget is spent, or nothing new was left to draw.
        about: `data`, `fingerprint`, `seed`, `device` and `budget`, as best.toml tells of them.
    """

    model: str
    settings: Settings
    metric: str
    best: Trial
    trials: tuple[Trial, ...]
    space: Space
    finished: bool
    about: Mapping[str, str]

    @property
    def start(self) -> Trial:
        """The trial of the settings that the search began with."""
        return self.counted[0]

    @property
    def seconds(self) -> float:
        """The seconds that all trials spent."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def states(self) -> dict[str, int]:
        """The number of trials by how they ended."""
        return dict(Counter(trial.state for trial in self.trials))

    @property
    def ended(self) -> dict[str, int]:
        """The number of trials that count, by how they ended."""
        return dict(Counter(trial.state for trial in self.counted))

    @property
    def searched(self) -> list[str]:
        """The space, and what the best trial has of it, a line for each setting."""
        return [f"{key}: {self._chosen(key)}, of {dimension}" for key, dimension in self.space.items()]

    def _chosen(self, key: str) -> str:
        flat, leaves = flatten(self.settings), leaves_of(key, self.space[key])
        values = {
            leaf: f"{flat[leaf]:.4g}" if isinstance(flat[leaf], float) else json.dumps(flat[leaf])
            for leaf in leaves
            if leaf in flat
        }
        return (
            ", ".join(value if leaf == key else f"{leaf.removeprefix(f'{key}.')} {value}" for leaf, value in values.items())
            or "not used"
        )

    @property
    def counted(self) -> list[Trial]:
        """Trials that take from the budget, in order."""
        return [trial for trial in self.trials if trial.counts]

    @property
    def spent(self) -> str:
        """The spent trials and seconds, as a sentence says it."""
        states = ", ".join(f"{n} {state}" for state, n in self.states.items())
        count = len(self.trials)
        return f"{count} trial{'' if count == 1 else 's'} ({states}), {self.seconds:.0f} seconds"

    def toml(self) -> str:
        """The best settings as `recodiff train` takes them, under comments that say where they come from."""
        start = "could not be trained" if self.start.value is None else f"had {self.start.value:.4f}"
        comments = [
            f"{title(self.model)}, {CHOSEN} {self.about['data']}.",
            f"Validation {self.metric} {self.best.value:.4f} in trial {self.best.number}, where the start of the search {start}.",
            f"Fingerprint of train and valid: {self.about['fingerprint']}. Seed: {self.about['seed']}, on {self.about['device']}.",
            f"Budget: {self.about['budget']}{'' if self.finished else ', not spent yet'}. Spent: {self.spent}.",
            "Searched:",
            *(f"  {line}" for line in self.searched),
        ]
        head = "".join(f"# {printable(' '.join(line.split()))}\n" for line in comments)
        return head + to_toml({"model": self.model, **self.settings})

    def write(self, folder: Path) -> None:
        """Write best.toml.

        Args:
            folder: of the study.
        """
        files.write_text(folder / BEST, self.toml())


def refuse_foreign_settings(path: Path) -> None:
    """Refuse to write settings over a file that is not `TuningResult.toml`.

    Args:
        path: of the settings to write.

    Raises:
        CheckpointError: the file is there, and another's.
    """
    try:
        ours = CHOSEN in path.read_text("utf-8").partition("\n")[0] if path.is_file() else False
    except (OSError, ValueError):
        ours = False
    refuse_files_of_others(path.parent, [path.name], [path.name] if ours else ())


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the greatest figure, the earliest of equals.

    Args:
        trials: in the order in which they ended.
    """
    judged = [(trial.value, -trial.number, trial) for trial in trials if trial.value is not None]
    return max(judged)[-1] if judged else None


def write_trials(folder: Path, trials: Sequence[Trial], metric: str) -> None:
    """Write trials.csv, a line each, and trials.json.

    Args:
        folder: of the study.
        trials: all so far.
        metric: what their figures are.
    """
    files.write_json(folder / f"{TRIALS}.json", [asdict(trial) for trial in trials])
    keys = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["trial", "state", metric, "epochs", "seconds", "repeats", "error", *keys])
    for trial in trials:
        always = [trial.number, trial.state, trial.value, trial.epochs, trial.seconds, trial.repeats, trial.error]
        table.writerow([*map(_cell, always), *(_cell(trial.settings.get(key)) for key in keys)])
    files.write_text(folder / f"{TRIALS}.csv", text.getvalue())


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | bool) else printable(value) if isinstance(value, str) else value


__getattr__ = old_names(__name__)
