"""What is measured of a run beyond means: values per user, the lists themselves, and the time they take."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recodiff.data.dataset import Dataset
from recodiff.data.genres import genres_of
from recodiff.errors import CheckpointError, DataError
from recodiff.evaluation import list_metrics
from recodiff.evaluation.evaluate import Evaluation
from recodiff.experiments.runs.results import Result
from recodiff.models.base import Recommender
from recodiff.moved import old_names
from recodiff.ranking.recommend import recommend
from recodiff.runtime import files
from recodiff.runtime.run import Run
from recodiff.training.checkpoint import LOG

EMBEDDINGS = "item_emb.npy"
"""Item embeddings of a released folder."""
LENGTH = 20
BEYOND = {
    "coverage": f"coverage: share of the catalogue that is among the {LENGTH} of some user",
    "gini": "Gini: 0 where all items are shown equally often, 1 where one only",
    "novelty": "novelty: mean -log2 of the share of users who interacted with the item in training, in bits",
    "genre_diversity": "genre diversity: 1 - mean cosine of the genres of two items of a list",
    "embedding_diversity": f"embedding diversity: the same of {EMBEDDINGS} of the data folder",
    "miscalibration": "miscalibration: KL divergence of the genres of a list from those of the history, 0 is best",
}
"""What is reported of the lists of the test part, and what it means."""


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
    """The figures of BEYOND that the data allows: means over the users for whom they are defined."""
    assert test.lists is not None
    lists, n_items = test.lists[:, :LENGTH], len(data.items)
    popularity = np.bincount(data.train.matrix.indices, minlength=n_items)
    users = int((data.train.lengths() > 0).sum())
    figures: dict[str, float] = {"coverage": list_metrics.coverage(lists, n_items), "gini": list_metrics.gini(lists, n_items)}
    values = {"novelty": list_metrics.novelty(lists, popularity, users)}
    genres = genres_of(data.item_table)
    if genres is not None:
        values["genre_diversity"] = list_metrics.diversity(lists, genres[1])
        values["miscalibration"] = list_metrics.calibration(data.history("train").take(test.users).matrix, lists, genres[1])
    embeddings = _embeddings(folder, n_items)
    if embeddings is not None:
        values["embedding_diversity"] = list_metrics.diversity(lists, embeddings)
    defined = {name: value[~np.isnan(value)] for name, value in values.items()}
    figures |= {name: float(value.mean()) for name, value in defined.items() if len(value)}
    return {name: figures[name] for name in BEYOND if name in figures}


def _embeddings(folder: Path | None, n_items: int) -> NDArray[np.floating] | None:
    """Item embeddings [I, D] of the data folder, None where there are none or not one for each item."""
    path = None if folder is None else folder / EMBEDDINGS
    if path is None or not path.is_file():
        return None
    with files.reading(path, DataError, "remove it, or put a .npy file of floats [items, size] there"):
        found = files.read_array(path)
    return found if found.ndim == 2 and len(found) == n_items else None


def _seconds_to_rank(model: Recommender, data: Dataset) -> float:
    """For the first LENGTH items of all users with a history, weighting and masking included."""
    history = data.history("train")
    history = history.take(np.flatnonzero(history.lengths()))
    began = time.perf_counter()
    recommend(model, history, min(LENGTH, history.n_items))
    return round(time.perf_counter() - began, 4)


def _log(out: Path | None) -> list[dict[str, float]]:
    path = None if out is None else out / LOG
    if path is None or not path.exists():
        return []
    with files.reading(path, CheckpointError, "remove it, and train again"):
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


__getattr__ = old_names(__name__)
