"""Folders that others made, or that a disk has damaged: refused in a sentence, and no code of theirs is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recodiff import build, load_dataset, load_model, prepare, recommend, save_model
from recodiff.data import save_dataset, synthesise
from recodiff.data.dataset import Dataset
from recodiff.errors import CheckpointError, DataError, RecodiffError
from recodiff.experiments.runs.train import train_run
from recodiff.models.saving import CONFIG, seal
from recodiff.runtime.run import Run
from toy import checkerboard

RUN = Run(device="cpu", progress=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepare(synthesise(40, 30, 500), tmp_path_factory.mktemp("d") / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(build("ease").fit(checkerboard(12), RUN), tmp_path / "model")
    return tmp_path / "model"


MODULE = "raise SystemExit('code of the folder was run')\n"


def test_resume_imports_nothing_that_the_folder_names(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hostile.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    out = Run(device="cpu", progress=False, out=tmp_path / "run", resume=True)
    train_run("ease", {}, data, out)
    described = json.loads((tmp_path / "run" / CONFIG).read_text())
    described["config"] = described["config"] | {"parts": {"a": {"model": "hostile:Model"}}}
    (tmp_path / "run" / CONFIG).write_text(json.dumps(described | {"seal": seal(described)}))
    with pytest.raises(CheckpointError, match="asks to import 'hostile:Model'"):
        train_run("ease", {}, data, out)


def test_a_folder_of_runs_keeps_the_checkpoints_of_other_runs(data: Dataset, tmp_path: Path) -> None:
    others = [tmp_path / "other" / "checkpoint.safetensors", tmp_path / "parts" / "mine" / "checkpoint.safetensors"]
    for other in others:
        other.parent.mkdir(parents=True)
        other.write_bytes(b"of another run")
    train_run("ease", {}, data, Run(device="cpu", progress=False, out=tmp_path), overwrite=True)
    assert [other.read_bytes() for other in others] == [b"of another run"] * 2


DAMAGE: list[Callable[[Path], object]] = [
    lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\x00"),
    lambda f: (f / CONFIG).write_text("[" * 100_000),
    lambda f: (f / CONFIG).write_text('{"format":"recodiff-model","version":1,"model":3,"config":1,"hashes":[],"info":0}'),
    lambda f: (f / "items.parquet").write_bytes(b"PAR1" + b"\x00" * 50 + b"PAR1"),
    lambda f: (f / "weights.safetensors").write_bytes(b"\xff" * 64),
    lambda f: shutil.rmtree(f) or f.write_text("a file"),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)
    with pytest.raises(RecodiffError) as found:
        load_model(folder)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("model", [3, None, "os:system", "ease:", ":x", "nonsense", ["ease"]])
def test_a_sealed_folder_that_names_nonsense_is_refused(folder: Path, model: object) -> None:
    described = json.loads((folder / CONFIG).read_text()) | {"model": model}
    (folder / CONFIG).write_text(json.dumps(described | {"seal": seal(described)}))
    with pytest.raises(CheckpointError):
        load_model(folder, trust_code=model == "ease:")


def test_a_release_with_one_huge_number_is_refused_at_once(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        np.save(tmp_path / f"{name}_list.npy", np.array([[0, 0], [1, 1]]))
    np.save(tmp_path / "valid_list.npy", np.array([[0, 2**31 - 1]]))
    with pytest.raises(DataError, match="counts its items up to 2147483647: a number is damaged"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("kind", ["week", 3, ["clock"]])
def test_an_unknown_kind_of_time_is_refused(data: Dataset, tmp_path: Path, kind: object) -> None:
    save_dataset(data, tmp_path / "d")
    path = tmp_path / "d" / "dataset.json"
    info = json.loads(path.read_text())
    info["time"]["kind"] = kind
    path.write_text(json.dumps(info))
    with pytest.raises(DataError, match="does not say which parts and times"):
        load_dataset(tmp_path / "d")


def test_titles_that_were_changed_are_refused(data: Dataset, tmp_path: Path) -> None:
    save_dataset(data, tmp_path / "d")
    path = tmp_path / "d" / "items.parquet"
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    with pytest.raises(DataError, match=r"items\.parquet is not what was written"):
        load_dataset(tmp_path / "d")


@pytest.mark.parametrize("name", ["popularity", "itemknn", "ease", "userknn", "rp3beta"])
def test_huge_weights_are_refused_and_large_ones_give_finite_scores(name: str) -> None:
    x = checkerboard(12)
    with pytest.raises(DataError, match=r"beyond 1e\+12"):
        x.with_values(np.full(x.nnz, 1e38, np.float32))
    lists = recommend(build(name).fit(x.with_values(np.full(x.nnz, 1e11, np.float32)), RUN), x, 3)
    assert np.isfinite(lists.scores[lists.items >= 0]).all()
