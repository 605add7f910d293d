"""What is trained and measured: cases, the settings they run with, and their results. Data, not code."""

from __future__ import annotations

from dataclasses import dataclass, field

from recodiff.config import Settings
from recodiff.evaluation.protocol import ChooseOn, Protocol
from recodiff.experiments.runs.results import Mean, Result, mean
from recodiff.moved import old_names

REPORTED_METRICS: tuple[str, ...] = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
"""What is measured, on the test part and on the validation part."""
TESTED_METRICS = ("recall@20", "ndcg@20")
"""What differences are tested in."""


@dataclass(frozen=True)
class Case:
    """A row of a table, or a point of a figure.

    Args:
        key: names it in the results, and finds the published figures.
        label: what tables call it.
        model: one of MODELS, or of those that may come.
        settings: laid upon the preset's.
        start: T' as a share of T. The lists alone depend on it, so cases that differ in nothing else share their training.
        passes: how many of the T steps back are gone when lists are made, all unless given; the same holds.
        protocol: how the parts of the data are used, see `evaluation.protocol`.
        choose_on: what ends a training, see `runs.train.train_run`.
        noise: share of random interactions put into train and validation.
        needs_order: whether the model asks for data that knows what came first.
        seeded: whether it depends on a seed; if not, it is run once.
        quick: whether a quick pass has it.
        panel: of a figure.
        line: of a panel; its legend.
        point: its place on the line.
        tuned: a preset whose settings were chosen on validation, in place of the released ones.
    """

    key: str
    label: str
    model: str
    settings: Settings = field(default_factory=dict)
    start: float | None = None
    passes: int | None = None
    protocol: Protocol = "official"
    choose_on: ChooseOn = "valid"
    noise: float = 0.0
    needs_order: bool = False
    seeded: bool = True
    quick: bool = True
    panel: str = ""
    line: str = ""
    point: str = ""
    tuned: str = ""


@dataclass(frozen=True)
class ResolvedCase:
    """A case with all its settings, ready to run.

    Args:
        case: of the plan.
        source: where the settings come from, in words.
        train: all settings of the model that is trained.
        rank: all settings that the lists are made with; None where they are those of the training.
        as_preset: whether the case changes nothing in its preset.
    """

    case: Case
    source: str
    train: Settings
    rank: Settings | None
    as_preset: bool


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
        """The mean over seeds of a figure of the test part.

        Args:
            metric: such as `recall@20`.
        """
        return mean([result.test[metric] for result in self.results])

    def valid(self, metric: str) -> Mean | None:
        """The mean over seeds of a figure of the validation part.

        Args:
            metric: such as `recall@20`.
        """
        return mean([result.valid[metric] for result in self.results])

    def differences(self, other: Row, metric: str) -> list[float]:
        """The differences on the test part, of each seed that both have.

        Args:
            other: the row that is taken away.
            metric: such as `recall@20`.
        """
        theirs = {result.seed: result.test[metric] for result in other.results}
        return [result.test[metric] - theirs[result.seed] for result in self.results if result.seed in theirs]

    def minus(self, other: Row, metric: str) -> Mean | None:
        """The mean of `differences`; None where no seed is in both.

        Args:
            other: the row that is taken away.
            metric: such as `recall@20`.
        """
        return mean(self.differences(other, metric))


__getattr__ = old_names(__name__)
