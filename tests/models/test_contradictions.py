"""Settings that contradict each other are refused before anything trains, and of an existing folder only reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import recodiff
from contradictions import CONTRADICTIONS
from recodiff import ConfigError, build, load_model, save_model
from recodiff.config import to_toml
from recodiff.data import synthesise
from recodiff.data.dataset import Dataset
from recodiff.errors import RecodiffWarning
from recodiff.experiments.compare import compare
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.tuning.budget import Budget
from recodiff.models.saving import CONFIG
from recodiff.runtime.run import Run
from toy import checkerboard


@pytest.fixture(scope="module")
def data() -> Dataset:
    return recodiff.prepare(synthesise(users=30, items=20, interactions=300, seed=0))


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodiff.models.base.Recommender.fit", lambda *_, **__: pytest.fail("it trains"))


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_refused_by_build(name: str) -> None:
    model, settings, said = CONTRADICTIONS[name]
    with pytest.raises(ConfigError, match=re.escape(said)):
        build(model, settings)


@pytest.mark.parametrize("name", CONTRADICTIONS)
@pytest.mark.usefixtures("nothing_trains")
def test_tune_refuses_before_anything_trains(name: str, data: Dataset) -> None:
    model, settings, said = CONTRADICTIONS[name]
    with pytest.raises(ConfigError, match=re.escape(said)):
        recodiff.tune({"model": model, **settings}, data, Budget(trials=2), progress=False)


@pytest.mark.parametrize("name", CONTRADICTIONS)
@pytest.mark.usefixtures("nothing_trains")
def test_compare_refuses_before_anything_trains(name: str, data: Dataset, tmp_path: Path) -> None:
    model, settings, said = CONTRADICTIONS[name]
    (tmp_path / "bad.toml").write_text(to_toml({"model": model, **settings}), "utf-8")
    with pytest.raises(ConfigError, match=re.escape(said)):
        compare(["popularity", "ease", tmp_path / "bad.toml"], data, tmp_path / "out", RunOptions(1, device="cpu"))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_trains")
def test_a_figure_of_a_users_own_function_is_for_fit_alone(data: Dataset, tmp_path: Path) -> None:
    settings = {"training": {"metric": "own:profit"}}
    (tmp_path / "own.toml").write_text(to_toml({"model": "mf", **settings}), "utf-8")
    for call in (
        lambda: compare(["ease", tmp_path / "own.toml"], data, tmp_path / "out", RunOptions(1, device="cpu")),
        lambda: recodiff.tune({"model": "mf", **settings}, data, Budget(trials=2), progress=False),
        lambda: recodiff.train({"model": "mf", **settings}, data, progress=False),
    ):
        with pytest.raises(ConfigError, match="no metric 'own:profit'"):
            call()


def test_a_package_that_takes_no_weights_in_its_fit_refuses_them_in_build_also_in_a_mixture() -> None:
    pytest.importorskip("implicit")
    with pytest.raises(ConfigError, match="draws interactions without weights"):
        build("implicit-bpr", {"weighting": {"kind": "linear"}})
    with pytest.raises(ConfigError, match=r"parts\.rows\.settings: implicit-bpr draws interactions without weights"):
        build("fs-diffrec", {"weighting": {"kind": "linear"}, "parts": {"rows": {"model": "implicit-bpr"}}})


def test_a_folder_whose_settings_contradict_each_other_is_loaded_with_a_warning(tmp_path: Path) -> None:
    board = checkerboard(shuffled=True)
    model = build("sasrec", {"width": 8, "layers": 1, "training": {"epochs": 1}}).fit(board, Run(progress=False))
    save_model(model, tmp_path / "model")
    path = tmp_path / "model" / CONFIG
    described = json.loads(path.read_text("utf-8"))
    described["config"]["target"] = {"kind": "half_life", "half_life": 2.0, "unit": "days", "on": "fit+history", "floor": 0.0}
    path.write_text(json.dumps({key: value for key, value in described.items() if key != "seal"}), "utf-8")
    with pytest.warns(RecodiffWarning, match="target.unit='days' is not for sequence models"):
        assert load_model(tmp_path / "model").registered == "sasrec"
