"""What is measured of a run beyond means: values per user, the lists themselves, and the time they take."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError
from recodiff.evaluation.evaluate import Evaluation
from recodiff.evaluation.item_facts import item_facts, load_embeddings
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.list_quality import list_quality
from recodiff.evaluation.metric_kinds import RankedLists
from recodiff.experiments.runs.results import Result
from recodiff.models.base import Recommender
from recodiff.moved import old_names
from recodiff.ranking.recommend import recommend
from recodiff.runtime import files
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import LOG

LISTS_OF = 20
BEYOND = {metric.name: f"{metric.name.replace('_', ' ')}: {metric.meaning}" for metric in LIST_METRICS}
"""List metric -> what tables say of it; measured of the test part's lists at LISTS_OF."""


def add_details(result: Result, model: Recommender, data: Dataset, folder: Path | None, test: Evaluation, run: Run) -> Result:
    """The result with values per user, figures beyond accuracy, the log of the training, and inference time.

    Args:
        result: of the run.
        model: that was trained.
        data: it was measured on.
        folder: of the data, which may hold item embeddings; None for data in memory.
        test: the evaluation of the test part.
        run: its folder holds the log.
    """
    log = _log(run.out)
    seconds = _seconds_to_rank(model, data)
    per_user = {"users": test.users, **{metric: test.values[metric] for metric in test.values}}
    return replace(result, inference_seconds=seconds, beyond=describe_lists(data, folder, test), log=log, per_user=per_user)


def describe_lists(data: Dataset, folder: Path | None, test: Evaluation) -> dict[str, float]:
    """The figures of BEYOND that the data allows: means over the users for whom they are defined.

    Args:
        data: what was measured on.
        folder: of the model and its lists; None where none was kept.
        test: values of each user of the test part.
    """
    assert test.lists is not None
    facts = item_facts(data, load_embeddings(folder, data.items))
    lists = RankedLists(test.lists[:, :LISTS_OF], data.history("train").take(test.users).matrix, len(data.items), facts)
    return list_quality(lists)


def _seconds_to_rank(model: Recommender, data: Dataset) -> float:
    """For the first LENGTH items of all users with a history, weighting and masking included."""
    history = data.history("train")
    history = history.take(np.flatnonzero(history.lengths()))
    began = time.perf_counter()
    recommend(model, history, min(LISTS_OF, history.n_items))
    return round(time.perf_counter() - began, 4)


def _log(out: Path | None) -> list[dict[str, float]]:
    path = None if out is None else out / LOG
    if path is None or not path.exists():
        return []
    with files.reading(path, CheckpointError, "remove it, and train again"):
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


__getattr__ = old_names(__name__)
