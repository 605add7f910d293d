"""What a training stops early by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recodiff import Task, Validation, build, evaluate, stages
from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError, DataError, ModelError
from recodiff.evaluation import metrics, validation
from toy import random_interactions


@pytest.fixture(scope="module")
def data() -> Dataset:
    draw = np.random.default_rng(0)
    whole = random_interactions(draw, 30, 20)
    held = draw.random(whole.nnz) < 0.3
    return Dataset(whole.only(~held), whole.only(held), None, None, None, {"name": "random"})


def test_a_data_folder_and_its_task_are_the_same_validation(data: Dataset) -> None:
    model = build("ease", {"l2": 10.0}).fit(data.train)
    of_data, of_task = Validation(data), Validation(stages(data).valid)
    assert of_data(model) == of_task(model)
    assert of_data.fingerprint() == of_task.fingerprint()
    assert data.valid is not None
    by_hand = evaluate(model, data.train, data.valid, ["recall@20", "ndcg@20"])
    assert of_data(model) == {name: by_hand.mean(name) for name in ("recall@20", "ndcg@20")}


def test_the_fingerprint_says_what_decides(data: Dataset) -> None:
    """Its first form is in checkpoints that earlier builds wrote."""
    assert data.valid is not None
    task = stages(data).valid
    expected = f"{data.train.fingerprint()}-{data.valid.fingerprint()}-recall@20,ndcg@20-skip"
    assert Validation(task).fingerprint() == expected
    masked = Task(task.history, task.truth, data.train.union(data.valid))
    several = [
        Validation(task),
        Validation(masked),
        Validation(task, ("recall@20",)),
        Validation(task, users_without_truth="zero"),
        Validation(replace(task, truth=data.train)),
    ]
    assert len({one.fingerprint() for one in several}) == len(several)


def test_what_is_no_validation_is_refused(data: Dataset) -> None:
    with pytest.raises(DataError, match="no validation part"):
        Validation(replace(data, valid=None))
    with pytest.raises(ConfigError, match="'novelty@20' says nothing of what is to be found"):
        Validation(data, ("recall@20", "novelty"))
    with pytest.raises(ConfigError, match="metric 'recall' needs a length"):
        Validation(data, ("recall",))
    wrong: Any = data.train
    with pytest.raises(DataError, match=r"not of Interactions; give recodiff\.stages\(data\)\.choice"):
        Validation(wrong)


def test_a_model_is_checked_when_it_first_comes_and_not_again(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()
    one, other = (build("ease", {"l2": l2}).fit(data.train) for l2 in (10.0, 20.0))
    check = Validation(data)
    monkeypatch.setattr(validation, "refuse_foreign", lambda *_: calls.append("model"))
    monkeypatch.setattr(validation, "check_task", lambda *_: calls.append("task"))
    monkeypatch.setattr(metrics, "parse", lambda *_: pytest.fail("metrics are read once"))
    assert check(one) == check(one)
    assert calls == ["model", "task"]
    check(other)
    assert calls == ["model", "task"] * 2


def test_a_model_of_other_items_or_a_task_without_truth_is_refused(data: Dataset) -> None:
    with pytest.raises(DataError, match="not the model's"):
        Validation(data)(build("ease").fit(random_interactions(np.random.default_rng(1), 30, 7)))
    nothing = Task(data.train, data.train.only(np.zeros(data.train.nnz, dtype=bool)), data.train)
    with pytest.raises(DataError, match="no user has an interaction in 'valid'"):
        Validation(nothing)(build("ease").fit(data.train))
    path: Any = "runs/mine"
    with pytest.raises(ModelError, match="is a path, not a model"):
        Validation(data)(path)
