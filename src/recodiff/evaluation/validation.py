"""What a training stops early by."""

from __future__ import annotations

from collections.abc import Sequence

from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.evaluate import WithoutTruth, evaluate
from recodiff.evaluation.metrics import parse_all
from recodiff.evaluation.protocol import Task, stages
from recodiff.models.base import Recommender


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
        for wanted in parse_all(metrics):
            if wanted.metric.kind == "lists":
                raise ConfigError(f"'{wanted.name}' says nothing of what is to be found; validate by metrics such as recall@20")
        self.task, self.metrics = _task_of(task), tuple(metrics)
        self.users_without_truth: WithoutTruth = users_without_truth

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
        """
        evaluation = evaluate(model, self.task, metrics=self.metrics, users_without_truth=self.users_without_truth)
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
