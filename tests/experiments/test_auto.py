"""One call from a log to a model: what it compares, what it says, and that it goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import recodiff
from recodiff.errors import CheckpointError, ConfigError
from recodiff.experiments import auto as module
from recodiff.experiments.allotment import STATE
from recodiff.experiments.auto import COMPARISON, PREPARED, _said
from recodiff.experiments.compare.comparison import Difference
from recodiff.experiments.refresh import FOUND
from recodiff.models.linear.ease import Ease
from recodiff.models.saving import CARD, CONFIG, COUNTS, load_item_table, read_config
from recodiff.runtime.work import Work

LOG = recodiff.synthesise(60, 60, 1500, seed=2)


@pytest.fixture(autouse=True)
def few_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITH_TIME", ("popularity", "ease", "f-ridge"))
    monkeypatch.setattr(module, "WITHOUT_TIME", ("popularity", "ease"))
    monkeypatch.setattr(module, "MOST_TRIALS", 3)


def call(out: Path, source: Any = LOG, **more: Any) -> tuple[recodiff.AutoResult, list[str]]:
    said: list[str] = []
    found = recodiff.auto(source, out, **({"minutes": 1, "seeds": 2, "device": "cpu", "threads": 1} | more), say=said.append)
    return found, said


def test_it_leaves_a_model_trained_on_everything_its_card_and_the_report(tmp_path: Path) -> None:
    found, said = call(tmp_path)
    assert found.label == max(found.comparison.rows, key=lambda row: row.valid("recall@20") or (0.0,)).case.label
    info = read_config(tmp_path)["info"]
    assert info["refit"] == "all"
    assert sum(load_item_table(tmp_path)[COUNTS]) == LOG.height
    assert "chronological" in found.comparison.protocol
    card = (tmp_path / CARD).read_text("utf-8")
    assert f"{found.sentences[0][1:]}." in card
    assert "all parts of the data" in card
    assert any(f"{mean.value:.4f}" in card for row in found.comparison.rows if (mean := row.test("recall@20")) is not None)
    assert {path.name for path in (tmp_path / COMPARISON).iterdir()} >= {"compare.md", "compare.html", "studies", "tuned"}
    assert torch.equal(*(next(iter(one.state().values())) for one in (found.model, recodiff.load_model(tmp_path))))
    assert said[0].startswith("3 methods in 1 minutes: popularity, ease, f-ridge.")


def test_the_last_training_is_under_the_limit_of_the_comparison_and_the_card_says_what_was_chosen_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def train_again(*given: Any, **named: Any) -> recodiff.Recommender:
        limits.append(given[3].longest)
        return real(*given, **named)

    real = module.train_again
    monkeypatch.setattr(module, "train_again", train_again)
    monkeypatch.setattr(module, "WITHOUT_TIME", ("diffrec",))
    found, _ = call(tmp_path, LOG.select("user", "item"), seeds=1, minutes=0.5)
    share = 30 / (2 + 3)
    assert limits == [pytest.approx(share, rel=0.5)]
    measured = found.comparison.rows[0].results[0]
    said = f"The model that was measured (seed {measured.seed}) was kept after epoch {measured.best_epoch}; this one chose"
    assert said in (tmp_path / CARD).read_text("utf-8")


def test_without_time_no_method_needs_it(tmp_path: Path) -> None:
    found, said = call(tmp_path, LOG.select("user", "item"), seeds=1)
    assert said[0].startswith("2 methods in 1 minutes: popularity, ease.")
    assert found.comparison.protocol == "official"
    assert found.comparison.missing() == {}


def test_what_would_take_too_long_is_named_in_what_is_said_the_report_and_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ease, "work", lambda *_: Work(double=1e15))
    found, said = call(tmp_path, seeds=1)
    assert said[0].startswith("2 methods in 1 minutes: popularity, f-ridge.")
    assert said[1].startswith("ease: not run: one step of it takes about ")
    assert found.comparison.missing()["ease"] == said[1].removeprefix("ease: ")
    assert not (tmp_path / COMPARISON / "studies" / "ease").exists()
    for page in (tmp_path / COMPARISON / "compare.md", tmp_path / COMPARISON / "compare.html", tmp_path / CARD):
        assert "one step of it takes about" in page.read_text("utf-8")
    assert said[-1].endswith(" of the 1 minutes were spent")


def test_the_same_call_again_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = call(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != STATE}

    def fit(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(recodiff.Recommender, "fit", fit)
    again, said = call(tmp_path)
    assert again.sentences == first.sentences
    assert any("prepared before" in sentence for sentence in said)
    kept = (CONFIG, CARD, "weights.safetensors", "dataset.json")
    assert all(path.read_bytes() == content for path, content in before.items() if path.name in kept)


@pytest.mark.parametrize("at", [1, 4, 6])
def test_interrupted_it_goes_on_to_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    whole, _ = call(tmp_path / "whole")
    really, fits = Ease._fit, list[int]()

    def stop(*given: Any) -> None:
        fits.append(1)
        if len(fits) == at:
            raise KeyboardInterrupt
        really(*given)

    monkeypatch.setattr(Ease, "_fit", stop)
    with pytest.raises(KeyboardInterrupt):
        call(tmp_path / "cut")
    assert json.loads((tmp_path / "cut" / STATE).read_text())["asked"]["source"] == "the frame"
    found, _ = call(tmp_path / "cut")
    assert found.label == whole.label
    for name, tensor in found.model.state().items():
        torch.testing.assert_close(tensor, whole.model.state()[name], rtol=0, atol=0)


def test_a_data_folder_is_used_where_it_lies(tmp_path: Path) -> None:
    recodiff.prepare(LOG, tmp_path / "clicks")
    found, _ = call(tmp_path / "m", tmp_path / "clicks", seeds=1)
    assert not (tmp_path / "m" / PREPARED).exists()
    assert found.data.name == "clicks"
    with pytest.raises(ConfigError, match="leave user_core out"):
        call(tmp_path / "n", tmp_path / "clicks", user_core=3)


def test_a_folder_that_was_refreshed_is_refused(tmp_path: Path) -> None:
    call(tmp_path, seeds=1)
    (tmp_path / FOUND).write_text('{"promoted": false}')
    call(tmp_path, seeds=1)
    (tmp_path / FOUND).write_text('{"promoted": true}')
    with pytest.raises(CheckpointError, match="refreshed with newer data"):
        call(tmp_path, seeds=1)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    recodiff.train("popularity", recodiff.prepare(LOG), out=tmp_path / "model", device="cpu", progress=False)
    with pytest.raises(CheckpointError, match="of another command"):
        call(tmp_path / "model")
    call(tmp_path / "m", seeds=1)
    with pytest.raises(CheckpointError, match="begun with another user_core"):
        call(tmp_path / "m", user_core=2)
    with pytest.raises(ConfigError, match="minutes = 0"):
        call(tmp_path / "n", minutes=0)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Difference("ease", "recall@20", -0.02, -0.03, -0.01, 0.001, 0.004), "x is better than ease by +0.0200"),
        (Difference("ease", "recall@20", 0.02, 0.01, 0.03, 0.001, 0.004), "x is worse than ease by -0.0200"),
        (Difference("ease", "recall@20", -0.02, -0.05, 0.01, 0.2, 0.4), "not sure"),
    ],
)
def test_it_says_whether_a_difference_is_sure(difference: Difference, words: str) -> None:
    said = _said("x", difference)
    assert words in said
    assert ("this is sure" in said) is (difference.adjusted < 0.05)


def test_a_log_of_nothing_to_learn_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(recodiff.DataError) as caught:
        call(tmp_path, pl.DataFrame({"user": np.arange(5), "item": np.arange(5)}))
    assert "\n" not in str(caught.value)
