"""What an experiment found: figures per run, kept on disk, and their means, standard errors and paired differences."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from recodiff import files
from recodiff.config import Settings
from recodiff.data.folder import Dataset
from recodiff.errors import CheckpointError
from recodiff.experiments.reproduce.cases import Case, Experiment
from recodiff.experiments.reproduce.published import Published, beside


@dataclass(frozen=True)
class Result:
    """One case with one seed.

    Args:
        key: hash of model, settings, data and seed.
        model: one of MODELS.
        seed: of everything random.
        settings: all that the lists were made with.
        valid: metric -> mean over users of the validation part.
        test: the same of the test part.
        seconds: the training took, its validation included.
        best_epoch: the one that was kept, of a model trained by epochs.
        parameters: numbers learned.
        memory: MB, see `apart`; None where it was not asked for.
        memory_of: what that is the peak of.
        provenance: data, device, versions, commit, machine and date.
    """

    key: str
    model: str
    seed: int
    settings: Settings
    valid: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    best_epoch: int | None
    parameters: int
    memory: float | None = None
    memory_of: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def save(folder: Path, result: Result) -> None:
    """Writes the file of a run, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / f"{result.key}.json", asdict(result))


def load(folder: Path, key: str) -> Result | None:
    """The run of that key, None where it was not made yet.

    Raises:
        CheckpointError: its file is not one of ours.
    """
    path = folder / f"{key}.json"
    try:
        return Result(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"'{path}' is not the result of a run ({error}); remove it, and the run is made again") from None


class Mean(NamedTuple):
    """A mean over seeds, and its standard error where there are several."""

    value: float
    error: float | None

    def __str__(self) -> str:
        return f"{self.value:.4f}" if self.error is None else f"{self.value:.4f} ({self.error:.4f})"


def mean(values: Sequence[float]) -> Mean | None:
    """Mean and standard error, None of nothing."""
    if not values:
        return None
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    return Mean(statistics.fmean(values), error)


@dataclass(frozen=True)
class Row:
    """A case and what was found.

    Args:
        case: of the plan.
        source: where its settings come from, empty where it cannot be run.
        as_preset: whether it changes nothing in its preset.
        results: in the order of the seeds.
        note: what is missing, empty where nothing is.
    """

    case: Case
    source: str = ""
    as_preset: bool = False
    results: tuple[Result, ...] = ()
    note: str = ""

    def test(self, metric: str) -> Mean | None:
        """Over seeds, of the test part."""
        return mean([result.test[metric] for result in self.results])

    def valid(self, metric: str) -> Mean | None:
        """Over seeds, of the validation part."""
        return mean([result.valid[metric] for result in self.results])

    def minus(self, other: Row, metric: str) -> Mean | None:
        """The difference on the test part, paired by seed: over the seeds that both have."""
        theirs = {result.seed: result.test[metric] for result in other.results}
        return mean([result.test[metric] - theirs[result.seed] for result in self.results if result.seed in theirs])


@dataclass(frozen=True)
class Outcome:
    """An experiment on a data set.

    Args:
        plan: the experiment.
        data: what it ran on.
        rows: in the order of the plan.
        seeds: that were asked for.
        cap: epochs at most, in a quick pass; None in a full one.
    """

    plan: Experiment
    data: Dataset
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    cap: int | None

    @property
    def beside(self) -> Published | None:
        """The published figures that may stand beside ours."""
        return beside(self.plan.published, self.data)

    def reference(self, row: Row) -> Row:
        """What a row's difference is taken to: the first of its panel that runs its preset as it is, else the first."""
        panel = [other for other in self.rows if other.case.panel == row.case.panel]
        return next((other for other in panel if other.as_preset), panel[0])

    def missing(self) -> dict[str, str]:
        """Label -> what is missing there."""
        return {row.case.label: row.note for row in self.rows if row.note}

    def left_out(self) -> list[str]:
        """Labels of the cases of the plan that a quick pass has not."""
        have = {row.case.key for row in self.rows}
        return [case.label for case in self.plan.cases if case.key not in have]
