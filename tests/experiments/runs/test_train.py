"""`recodiff.train` does from Python what the command does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recodiff
from commands import call
from recodiff.models.saving import COUNTS, load_item_table

SETTINGS: dict[str, Any] = {
    "model": "diffrec",
    "denoiser": {"hidden": [8]},
    "diffusion": {"steps": 3},
    "training": {"epochs": 3, "check_every_epochs": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "clicks"
    recodiff.prepare(recodiff.synthesise(40, 30, 600, seed=1), folder, split=recodiff.Temporal(0.1, 0.2), name="clicks")
    return folder


def test_what_it_makes_is_what_the_command_makes(folder: Path, tmp_path: Path) -> None:
    ours = recodiff.train("ease", folder, out=tmp_path / "ours", overrides=["l2=300"], device="cpu")
    assert call("train", "ease", "--data", folder, "--out", tmp_path / "theirs", "--set", "l2=300", "--device", "cpu") == 0
    theirs = recodiff.load_model(tmp_path / "theirs")
    assert ours.config == theirs.config
    for name, tensor in recodiff.load_model(tmp_path / "ours").state().items():
        torch.testing.assert_close(tensor, theirs.state()[name], rtol=0, atol=0)


def test_settings_and_data_may_be_in_memory(folder: Path) -> None:
    data = recodiff.load_dataset(folder)
    model = recodiff.train(SETTINGS, data, device="cpu", progress=False)
    again = recodiff.train(SETTINGS, str(folder), device="cpu", progress=False)
    assert torch.equal(*(each.state()[next(iter(each.state()))] for each in (model, again)))
    figures = recodiff.measure(model, recodiff.stages(data).tasks("valid", "test"), ["recall@5"])
    assert figures["test"].mean("recall@5") == recodiff.evaluate(again, recodiff.stages(data).test, metrics=["recall@5"]).mean(
        "recall@5"
    )
    assert "model" in SETTINGS, "the caller's mapping is left as it is"


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ("eaze", {}, "did you mean 'ease'"),
        ({"l2": 3.0}, {}, "name no model"),
        (SETTINGS, {"overrides": ["l2=3"]}, "put them into the settings"),
        ("ease", {"overrides": ["l3=3"]}, "l3"),
        ("ease", {"threads": 0}, "threads = 0"),
    ],
)
def test_a_mistake_is_one_sentence(source: Any, more: dict[str, Any], words: str, folder: Path) -> None:
    with pytest.raises(recodiff.ConfigError, match=words) as caught:
        recodiff.train(source, folder, device="cpu", **more)
    assert "\n" not in str(caught.value)


def test_a_comparison_takes_data_in_memory_and_keeps_its_runs(folder: Path, tmp_path: Path) -> None:
    options, said = recodiff.RunOptions(1, device="cpu", threads=1), list[str]()
    found = recodiff.compare(["popularity", "ease"], recodiff.load_dataset(folder), tmp_path, options, say=said.append)
    assert [row.case.label for row in found.rows] == ["popularity", "ease"]
    assert found.missing() == {}
    again = recodiff.compare(["popularity", "ease"], str(folder), str(tmp_path), options, say=said.append)
    assert again.rows == found.rows
    assert "measured before" in said[-1]
    with pytest.raises(recodiff.ConfigError, match="give its folder"):
        recodiff.compare(["ease"], recodiff.load_dataset(folder), tmp_path, options, memory=True)


@pytest.mark.parametrize("refit", [False, True])
def test_a_model_folder_counts_what_was_learned_from(folder: Path, tmp_path: Path, refit: bool) -> None:
    data = recodiff.load_dataset(folder)
    recodiff.train("popularity", data, out=tmp_path / "p", refit=refit)
    learned = data.train if not refit or data.valid is None else data.train.union(data.valid)
    assert (
        load_item_table(tmp_path / "p")[COUNTS].to_list() == np.bincount(learned.matrix.indices, minlength=len(data.items)).tolist()
    )
