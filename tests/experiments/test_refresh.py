"""A model trained anew on a newer log: measured fairly beside the old one, and put in its place only where that is allowed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import recodiff
from recodiff.errors import CheckpointError, ConfigError, DataError
from recodiff.experiments import refresh as module
from recodiff.experiments.refresh import FOUND, REFRESHED, FigureChange, _allowed, put_in_place
from recodiff.models.saving import CARD, CONFIG, read_config
from recodiff.serving.served import load_served, stamp

LOG = recodiff.synthesise(80, 70, 2600, seed=2).sort("time")
OLD = LOG.head(1800).filter(pl.col("item") < 62)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recodiff.prepare(LOG, folder := tmp_path_factory.mktemp("data") / "newer")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("ease", tmp_path_factory.mktemp("runs") / "m")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "m"))


def train(source: Any, out: Path, **more: Any) -> Path:
    recodiff.train(source, recodiff.prepare(OLD, name="older"), out=out, device="cpu", threads=1, progress=False, **more)
    return out


def refreshed(run: Path, data: Path, **more: Any) -> recodiff.RefreshResult:
    return recodiff.refresh(run, data, device="cpu", threads=1, say=lambda sentence: None, **more)


def weights(folder: Path) -> dict[str, list[Any]]:
    return {name: tensor.tolist() for name, tensor in recodiff.load_model(folder).state().items()}


def test_the_new_model_takes_the_place_and_a_service_sees_it(run: Path, newer: Path) -> None:
    before, seen = load_served("m", run), stamp(run)
    found = refreshed(run, newer, promote_if="always")
    assert found.promoted
    assert stamp(run) != seen
    after = load_served("m", run)
    assert after.version != before.version
    assert after.size == 70 > before.size
    alone = recodiff.train("ease", newer, device="cpu", progress=False)
    assert weights(run) == {name: tensor.tolist() for name, tensor in alone.state().items()}
    assert "on newer" in (run / CARD).read_text("utf-8")
    assert not (run / REFRESHED).exists()
    assert json.loads((run / FOUND).read_text())["promoted"] is True


def test_what_the_old_model_does_not_know_is_counted_and_missed(run: Path, newer: Path) -> None:
    found = refreshed(run, newer)
    data = recodiff.load_dataset(newer)
    until = read_config(run.parent / "m")["info"]["data"]["until"]
    assert found.counts["new items"] == 8
    assert found.counts["items that are gone"] == 0
    test = data.part("test")
    assert test.times is not None
    assert 0 < found.counts["of new items"] < found.counts["interactions to be found"] <= test.nnz
    assert until


def test_the_old_model_is_measured_as_by_hand(trained: Path, newer: Path, tmp_path: Path) -> None:
    """Lists of its own catalogue, over users with something newer to be found; what it does not know counts against it."""
    run = Path(shutil.copytree(trained, tmp_path / "m"))
    until, old = read_config(run)["info"]["data"]["until"], recodiff.load_model(run)
    found = refreshed(run, newer, promote_if="better")
    data = recodiff.load_dataset(newer)
    task = recodiff.stages(data, protocol="chronological").test
    assert task.truth.times is not None
    truth = task.truth.only(task.truth.times > until)
    recalls = []
    for user in np.flatnonzero(truth.lengths() > 0):
        known = data.items.externals(task.history.take([user]).matrix.indices).to_list()
        kept = [item for item in known if int(old.items.positions([item], unknown="mark")[0]) >= 0]
        lists = recodiff.recommend(old, recodiff.history_of(old, kept), k=20).to_frame()["item"].to_list() if kept else []
        wanted = set(data.items.externals(truth.take([user]).matrix.indices).to_list())
        recalls.append(len(wanted & set(lists)) / len(wanted))
    assert found.changes[0].old == pytest.approx(np.mean(recalls), abs=0.02), "users without a known item are scored from nothing"


def test_a_model_that_is_worse_stays_out_and_may_be_promoted_later(trained: Path, newer: Path, tmp_path: Path) -> None:
    run, before = Path(shutil.copytree(trained, tmp_path / "m")), weights(trained)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_changes", lambda old, new: (FigureChange("recall@20", 0.5, 0.1, -0.5, -0.3, 0.001),))
        found = refreshed(run, newer)
    assert not found.promoted
    assert "significantly worse in recall@20: the old one stays" in found.sentences[-1]
    assert weights(run) == before
    assert (run / REFRESHED / "measured" / CONFIG).exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recodiff.Recommender, "fit", lambda *_, **__: pytest.fail("trained again"))
        assert refreshed(run, newer, promote_if="always").promoted
    assert weights(run) != before


@pytest.mark.parametrize(
    ("old", "new", "p", "allowed"),
    [
        (0.2, 0.3, 0.01, {"better", "not-worse", "always"}),
        (0.2, 0.3, 0.20, {"not-worse", "always"}),
        (0.3, 0.2, 0.20, {"not-worse", "always"}),
        (0.3, 0.2, 0.01, {"always"}),
    ],
)
def test_promotion_asks_what_was_said(old: float, new: float, p: float, allowed: set[str]) -> None:
    changes = (FigureChange("recall@20", old, new, 0.0, 0.0, p), FigureChange("ndcg@20", 0.1, 0.1, 0.0, 0.0, 1.0))
    assert {kind for kind in ("better", "not-worse", "always") if _allowed(changes, kind)} == allowed  # type: ignore[arg-type]


def test_a_refit_model_is_refitted(newer: Path, tmp_path: Path) -> None:
    run = train("popularity", tmp_path / "m", refit=True)
    refreshed(run, newer, promote_if="always")
    assert read_config(run)["info"]["refit"] is True
    data = recodiff.load_dataset(newer)
    assert "Measured before the last training" in (run / CARD).read_text("utf-8")
    assert read_config(run)["info"]["data"]["fingerprint"] == data.fingerprint()


@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_it_goes_on_to_the_same_model(newer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    settings = {"model": "diffrec", "denoiser": {"hidden": [8]}, "training": {"epochs": 3, "check_every_epochs": 1}}
    first = train(settings, tmp_path / "m", refit=True)
    other = Path(shutil.copytree(first, tmp_path / "n"))
    refreshed(first, newer, promote_if="always")
    from recodiff.models.network import TorchRecommender

    really, calls = TorchRecommender._fit, list[int]()

    def stop(*given: Any) -> None:
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        really(*given)

    with monkeypatch.context() as patch:
        patch.setattr(TorchRecommender, "_fit", stop)
        with pytest.raises(KeyboardInterrupt):
            refreshed(other, newer, promote_if="always")
    assert recodiff.load_model(other).items != recodiff.load_model(first).items, "the old model is whole"
    assert refreshed(other, newer, promote_if="always").promoted
    for name, tensor in recodiff.load_model(first).state().items():
        torch.testing.assert_close(tensor, recodiff.load_model(other).state()[name], rtol=0, atol=0)


def test_the_same_data_again_is_nothing_to_do(run: Path, newer: Path) -> None:
    refreshed(run, newer, promote_if="always")
    found = refreshed(run, newer)
    assert not found.promoted
    assert "nothing to do" in found.sentences[0]


def test_a_model_that_remembers_users_counts_the_new_ones(newer: Path, tmp_path: Path) -> None:
    run = tmp_path / "m"
    few = recodiff.prepare(OLD.filter(pl.col("user") < 40))
    settings = {"model": "mf", "width": 2, "training": {"epochs": 1}}
    recodiff.train(settings, few, out=run, device="cpu", progress=False)
    found = refreshed(run, newer)
    assert found.counts["new users"] > 0
    assert any("unseen by the old model" in sentence for sentence in found.sentences)


def test_data_without_time_is_measured_and_said_to_favour_the_old(tmp_path: Path) -> None:
    recodiff.train("ease", recodiff.prepare(OLD.select("user", "item")), out=tmp_path / "m", device="cpu", progress=False)
    recodiff.prepare(LOG.select("user", "item"), tmp_path / "newer")
    assert "which favours it" in refreshed(tmp_path / "m", tmp_path / "newer").sentences[0]


def test_mistakes_are_one_sentence(run: Path, newer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'better'"):
        refreshed(run, newer, promote_if="beter")
    with pytest.raises(CheckpointError, match="holds no model"):
        refreshed(tmp_path / "none", newer)
    recodiff.prepare(LOG.with_columns(item=pl.col("item") + 1000), tmp_path / "others")
    with pytest.raises(DataError, match="knows none of the items"):
        refreshed(run, tmp_path / "others")


def test_a_readme_of_one_s_own_stays(run: Path, newer: Path) -> None:
    (run / CARD).write_text("mine")
    refreshed(run, newer, promote_if="always")
    assert (run / CARD).read_text() == "mine"


def test_a_damaged_new_model_replaces_nothing(run: Path, trained: Path, tmp_path: Path) -> None:
    new = Path(shutil.copytree(trained, tmp_path / "new"))
    (new / "weights.safetensors").write_bytes(b"")
    before = (run / CONFIG).read_bytes()
    with pytest.raises(CheckpointError, match="not what was saved"):
        put_in_place(new, run)
    assert (run / CONFIG).read_bytes() == before
    assert recodiff.load_model(run)
