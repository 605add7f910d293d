"""What an earlier build left on disk loads, or goes on, with this one: see fixtures/v0_1/README.md."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recodiff
from commands import call
from recodiff.config import with_added
from recodiff.experiments.runs.identity import naming
from toy import is_here

V0_1 = Path(__file__).parent / "fixtures" / "v0_1"
LISTS: dict[str, dict[str, Any]] = json.loads((V0_1 / "lists.json").read_text("utf-8"))
COMMON = ("--data", "data", "--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def data() -> recodiff.Dataset:
    return recodiff.load_dataset(V0_1 / "data")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of everything, to go on with from there as the commands were begun."""
    shutil.copytree(V0_1, tmp_path / "v0_1")
    monkeypatch.chdir(tmp_path / "v0_1")
    return tmp_path / "v0_1"


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob(pattern)) if path.is_file()}


def log_of(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def has_the_lists(model: recodiff.Recommender, name: str, data: recodiff.Dataset) -> None:
    histories = {
        "known": data.train.take(np.arange(0, len(data.users), 4)),
        "typed": recodiff.history_of(model, data.items.ids[:4].to_list()),
    }
    for who, history in histories.items():
        lists, stored = recodiff.recommend(model, history, 6), LISTS[name][who]
        assert lists.items.tolist() == stored["items"]
        np.testing.assert_allclose(lists.scores, np.asarray(stored["scores"], np.float32), rtol=1e-5, atol=1e-5)


def test_a_data_folder_loads(data: recodiff.Dataset) -> None:
    assert {name: part.nnz for name, part in data.parts().items()} == data.info["parts"]
    assert data.fingerprint() == data.info["fingerprint"]
    assert data.train.time_kind == "clock"
    assert data.titles() == [f"Title {item[1:]}".replace(" 0", " ") for item in data.items.ids.to_list()]


@pytest.mark.parametrize("name", [name for name in LISTS if name.startswith("models/")])
def test_a_model_folder_gives_the_lists_it_gave(name: str, data: recodiff.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_here(name.removeprefix("models/")):
        pytest.skip("needs the package implicit, of the extra baselines")
    monkeypatch.syspath_prepend(V0_1)  # where own_models is
    has_the_lists(recodiff.load_model(V0_1 / name, trust_code=True), name, data)


@pytest.mark.parametrize("name", ["own", "own-linear", "own-diffusion", "inside-linear", "inside-diffusion", "inside-mixture"])
def test_a_class_named_by_its_module_of_then_is_saved_as_it_was_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(V0_1)
    recodiff.save_model(recodiff.load_model(V0_1 / "models" / name, trust_code=True), tmp_path / name)
    before, after = (json.loads((folder / name / "config.json").read_text("utf-8")) for folder in (V0_1 / "models", tmp_path))
    assert ":" in before["model"]
    assert after["model"] == before["model"]
    assert after["config"] == with_added(before["config"], after["config"], naming(after["model"], after["config"]))
    assert after["hashes"]["weights.safetensors"] == before["hashes"]["weights.safetensors"]


def counted(key: str, tensor: torch.Tensor) -> torch.Tensor:
    """Without the biases of keys: a softmax does not see them, so their gradient is rounding alone, and AdamW steps by its sign."""
    return tensor.unflatten(0, (3, -1))[[0, 2]] if key.endswith("project.bias") else tensor


@pytest.mark.parametrize("name", ["rows", "latent", "mixture", "refit"])
def test_an_interrupted_training_goes_on_to_what_it_would_have_come_to(name: str, here: Path, data: recodiff.Dataset) -> None:
    run, whole = here / "train" / name, here / "finished" / name
    trained = {str(path.relative_to(run)): log_of(path) for path in run.rglob("log.jsonl")}
    command = ("train", f"{name}.toml", *COMMON, "--seed", 2, *(["--refit"] if name == "refit" else []))
    assert call(*command, "--out", run, "--resume") == 0
    for path, log in trained.items():
        assert len(log) >= 2
        assert log_of(run / path)[: len(log)] == log, "epochs that were trained before keep their seconds"
    ours, theirs = (recodiff.load_model(folder).state() for folder in (run, whole))
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        torch.testing.assert_close(counted(key, tensor), counted(key, theirs[key]), rtol=1e-5, atol=1e-5)
    has_the_lists(recodiff.load_model(run), f"finished/{name}", data)


@pytest.mark.parametrize("name", ["rows", "latent", "mixture", "refit"])
def test_a_finished_training_is_not_repeated(name: str, here: Path) -> None:
    run = here / "finished" / name
    before = contents(run)
    command = ("train", f"{name}.toml", *COMMON, "--seed", 2, *(["--refit"] if name == "refit" else []))
    assert call(*command, "--out", run, "--resume") == 0
    assert contents(run) == before


def test_an_interrupted_study_goes_on_without_repeating_a_trial(here: Path) -> None:
    def trials() -> list[dict[str, Any]]:
        return json.loads((here / "tune" / "trials.json").read_text("utf-8"))

    before = trials()
    assert len(before) == 3
    assert call("tune", "ease", *COMMON, "--seed", 4, "--trials", 6, "--out", "tune") == 0
    assert trials()[:3] == before
    counted = [trial for trial in trials() if trial["state"] == "complete"]
    assert [trial["state"] for trial in trials()].count("killed") == 1
    assert len(counted) == 6
    assert len({trial["settings"]["l2"] for trial in counted}) == 6
    whole = json.loads((here / "finished" / "tune" / "trials.json").read_text("utf-8"))
    assert [trial["value"] for trial in counted[:3]] == [trial["value"] for trial in whole[:3]]


def test_an_interrupted_comparison_repeats_no_finished_run(here: Path) -> None:
    runs, whole = here / "compare" / "runs", here / "finished" / "compare" / "runs"
    before = {name: content for name, content in contents(runs).items() if not name.startswith("training-")}
    (begun,) = runs.glob("training-*/log.jsonl")
    log = log_of(begun)
    assert len(before) == 6, "three results, with a file of JSON and one of tensors each"
    assert call("compare", "popularity", "ease", "rows.toml", *COMMON, "--seeds", 2, "--out", "compare") == 0
    after = contents(runs)
    assert before.items() <= after.items()
    assert len(after) == 8, "one result more, and the training of it is gone"
    (new,) = (name for name in after if name.endswith(".json") and name not in before)
    result = json.loads(after[new])
    assert result["log"][: len(log)] == log, "epochs that were trained before keep their seconds"
    for name in contents(whole):
        ours, theirs = (json.loads((folder / name).read_text("utf-8")) for folder in (runs, whole))
        assert ours["test"] == pytest.approx(theirs["test"], abs=1e-5)
    rows = json.loads((here / "compare" / "compare.json").read_text("utf-8"))["rows"]
    assert [row["label"] for row in rows] == ["popularity", "ease", "rows"]


def test_no_path_of_a_machine_is_recorded() -> None:
    texts = {
        name: content for ending in ("json", "jsonl", "toml", "csv") for name, content in contents(V0_1, f"*.{ending}").items()
    }
    assert len(texts) > 50
    assert not [name for name, content in texts.items() if re.search(rb"""["' ]/\w""", content)]
