"""Settings that contradict each other are refused before anything trains, and of an existing folder only reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recodiff
from recodiff import ConfigError, build, load_model, save_model
from recodiff.data import synthesise
from recodiff.errors import RecodiffWarning
from recodiff.experiments.compare import compare
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.tuning.search import Budget
from recodiff.models.saving import CONFIG
from recodiff.runtime.run import Run
from toy import checkerboard

IN_DAYS = {"target": {"kind": "half_life", "half_life": 2.0, "unit": "days"}}
CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("diffrec", {"diffusion": {"sampled_items": 5}}, "sampled_items is for loss='multinomial'"),
    ("l-diffrec", {"diffusion": {"loss": "multinomial"}}, "diffusion.loss='multinomial' is for rows"),
    ("l-diffrec", {"codec": {"clusters": 4, "latent": 3}}, "a width of 3 cannot be shared among 4 clusters"),
    ("l-diffrec", {"codec": {"decoder": "per_cluster", "decoder_hidden": [8]}}, "leave decoder_hidden empty"),
    ("diffrec", {"sampling": {"noise_steps": 9}}, "sampling.noise_steps=9 lies outside 0..5"),
    ("sasrec", {"width": 10, "heads": 3}, "width=10 cannot be shared by heads=3"),
    ("bert4rec", {"horizon": 4}, "horizon=4, loss_over='all': a hidden place foresees its own item among all"),
    (
        "sasrec",
        {"target": {"kind": "half_life", "half_life": 2.0, "unit": "days"}},
        "target.unit='days' is not for sequence models",
    ),
    (
        "gru4rec",
        {"target": {"kind": "half_life", "half_life": 2.0, "unit": "days"}},
        "target.unit='days' is not for sequence models",
    ),
    ("fs-diffrec", {"parts": {"sequence": {"settings": {"heads": 3}}}}, "width=64 cannot be shared by heads=3"),
]


@pytest.mark.parametrize(("name", "settings", "said"), CONTRADICTIONS)
def test_contradictions_are_refused_by_build(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(name, settings)
    assert said in str(error.value)


def test_a_package_that_takes_no_weights_in_its_fit_refuses_them_in_build_also_in_a_mixture() -> None:
    pytest.importorskip("implicit")
    with pytest.raises(ConfigError, match="draws interactions without weights"):
        build("implicit-bpr", {"weighting": {"kind": "linear"}})
    with pytest.raises(ConfigError, match=r"parts\.rows\.settings: implicit-bpr draws interactions without weights"):
        build("fs-diffrec", {"weighting": {"kind": "linear"}, "parts": {"rows": {"model": "implicit-bpr"}}})


def test_tune_refuses_before_anything_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodiff.models.base.Recommender.fit", lambda *_, **__: pytest.fail("it trains"))
    data = recodiff.prepare(synthesise(users=30, items=20, interactions=300, seed=0))
    with pytest.raises(ConfigError, match="cannot be shared by heads=3"):
        recodiff.tune({"model": "sasrec", "heads": 3}, data, Budget(trials=2), progress=False)


def test_compare_refuses_before_anything_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodiff.models.base.Recommender.fit", lambda *_, **__: pytest.fail("it trains"))
    recodiff.save_dataset(recodiff.prepare(synthesise(users=30, items=20, interactions=300, seed=0)), tmp_path / "data")
    (tmp_path / "bad.toml").write_text('model = "sasrec"\nheads = 3\n', "utf-8")
    with pytest.raises(ConfigError, match="cannot be shared by heads=3"):
        compare(["popularity", "ease", tmp_path / "bad.toml"], tmp_path / "data", tmp_path / "out", RunOptions(1, device="cpu"))


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
