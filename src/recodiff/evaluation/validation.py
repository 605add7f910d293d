"""What a training stops early by."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.evaluate import WithoutTruth, check_task, measure_checked
from recodiff.evaluation.metrics import parse_all
from recodiff.evaluation.protocol import Task, stages
from recodiff.models.base import Recommender, need_model
from recodiff.ranking.recommend import refuse_foreign


class Validation:
    """Gives `fit` the figures that it stops early by.

    Args:
        task: what is ranked, for example `recodiff.stages(data).choice`; of a data folder, its validation part ranked from train.
        metrics: names such as `recall@20`; the first decides, unless the model says otherwise.
        users_without_truth: as for `evaluate`.

    Raises:
        ConfigError: there is no metric, or one is unknown or is of lists alone.
        DataError: the data has no validation part.
    """

    def __init__(
        self,
        task: Task | Dataset,
        metrics: Sequence[str] = ("recall@20", "ndcg@20"),
        *,
        users_without_truth: WithoutTruth = "skip",
    ) -> None:
        self.wanted = parse_all(metrics)
        for one in self.wanted:
            if one.metric.kind == "lists":
                raise ConfigError(f"'{one.name}' says nothing of what is to be found; validate by metrics such as recall@20")
        self.task, self.metrics = _task_of(task), tuple(metrics)
        self.users_without_truth: WithoutTruth = users_without_truth
        self._checked: weakref.ref[Recommender] | None = None  # the model that came last: a training validates it many times

    def fingerprint(self) -> str:
        """A text that changes with the task and the metrics: a run resumes only by the same validation."""
        task = self.task
        mask = "" if task.mask is task.history else f"-{task.mask.fingerprint()}"  # as ever where the mask says no more
        truth = f"{task.history.fingerprint()}-{task.truth.fingerprint()}"
        return f"{truth}-{','.join(self.metrics)}-{self.users_without_truth}{mask}"

    def __call__(self, model: Recommender) -> dict[str, float]:
        """Measure a model: metric -> mean over users.

        Args:
            model: as it stands in training.

        Raises:
            ModelError: it is no model, or not fitted.
            DataError: its items are others than the task's, or nothing is to be found.
        """
        if self._checked is None or self._checked() is not model:
            need_model(model)
            refuse_foreign(model, self.task.history)
            check_task("valid", self.task, self.wanted)
            self._checked = weakref.ref(model)
        evaluation = measure_checked(model, {"valid": self.task}, self.wanted, self.users_without_truth)["valid"]
        return {metric: evaluation.mean(metric) for metric in self.metrics}


def _task_of(task: Task | Dataset) -> Task:
    if isinstance(task, Task):
        return task
    if not isinstance(task, Dataset):
        raise DataError(
            f"a validation is of a task or of a data folder, not of {type(task).__name__}; give recodiff.stages(data).choice"
        )
    if task.valid is None:
        raise DataError(f"data '{task.name}' has no validation part; prepare it with one")
    return stages(task).valid
