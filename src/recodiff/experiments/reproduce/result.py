"""What an experiment found: results by case, their means, standard errors and paired differences."""

from __future__ import annotations

from dataclasses import dataclass

from recodiff.data.dataset import Dataset
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.reproduce.published import Published, beside
from recodiff.experiments.runs.cases import Row


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
        """The row that a row's difference is taken to: the first of its panel that runs its preset as it is, else the first.

        Args:
            row: one of this outcome's.
        """
        panel = [other for other in self.rows if other.case.panel == row.case.panel]
        return next((other for other in panel if other.as_preset), panel[0])

    def missing(self) -> dict[str, str]:
        """Label -> what is missing there."""
        return {row.case.label: row.note for row in self.rows if row.note}

    def left_out(self) -> list[str]:
        """Labels of the cases of the plan that a quick pass has not."""
        have = {row.case.key for row in self.rows}
        return [case.label for case in self.plan.cases if case.key not in have]
