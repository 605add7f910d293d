"""A tracker shows what it is given, and one that fails costs a warning and nothing else."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import recodiff
from recodiff.errors import ConfigError, MissingExtraError, RecodiffWarning
from recodiff.tracking.tracker import NOT_TRACKED, open_tracked
from tracking.conftest import train_tracked


class Noted:
    """A tracker that notes what it is asked, and fails from a given method on."""

    def __init__(self, name: str, notes: list[tuple[Any, ...]], fails: str = "") -> None:
        self.name, self.notes, self.fails = name, notes, fails

    def _note(self, method: str, *what: Any) -> None:
        if method == self.fails:
            raise OSError(28, "No space left on device")
        self.notes.append((self.name, method, *what))

    def parameters(self, values: Mapping[str, Any]) -> None:
        self._note("parameters", dict(values))

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        self._note("curve", step, dict(values))

    def figures(self, values: Mapping[str, float]) -> None:
        self._note("figures", dict(values))

    def files(self, paths: Sequence[Path], what: str) -> None:
        self._note("files", [path.name for path in paths], what)

    def child(self, name: str) -> Noted:
        self._note("child", name)
        return Noted(name, self.notes, self.fails)

    def end(self, *, ok: bool) -> None:
        self._note("end", ok)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[tuple[Any, ...]]:
    """What `--track mlflow` writes, in place of MLflow."""
    found: list[tuple[Any, ...]] = []
    fails = getattr(request, "param", "")
    fake = SimpleNamespace(begin_mlflow=lambda name, out: Noted(name, found, fails))
    monkeypatch.setitem(sys.modules, "recodiff.tracking.mlflow_run", fake)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    return found


def test_a_training_shows_settings_curves_figures_and_its_files(notes: list[tuple[Any, ...]], clicks: Path, tmp_path: Path) -> None:
    train_tracked(clicks, tmp_path / "m", "mlflow")
    asked = [note[1] for note in notes]
    assert asked == ["parameters", "curve", "curve", "curve", "figures", "figures", "files", "end"]
    assert notes[0][2]["denoiser.hidden"] == "[8]"
    assert notes[0][2]["training.epochs"] == 3
    assert [note[2] for note in notes if note[1] == "curve"] == [1, 2, 3]
    assert {"loss", "seconds", "recall@20"} <= set(notes[1][3])
    data = recodiff.load_dataset(clicks)
    found = recodiff.evaluate(recodiff.load_model(tmp_path / "m"), recodiff.stages(data).valid)
    assert notes[4][2]["valid/recall@20"] == found.mean("recall@20")
    assert notes[6][2] == ["README.md", "config.json", "items.parquet", "log.jsonl", "weights.safetensors"]
    assert notes[-1] == ("diffrec on clicks, seed 0", "end", True)


def test_a_resumed_training_shows_its_whole_curve(
    notes: list[tuple[Any, ...]], clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recodiff.training import loop

    epoch = loop._Loop._epoch

    def stop(running: Any, advance: Any) -> None:
        epoch(running, advance)
        if running.state.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            train_tracked(clicks, tmp_path, "mlflow")
    assert notes[-1][1:] == ("end", False)
    notes.clear()
    train_tracked(clicks, tmp_path, "mlflow", resume=True)
    assert [note[2] for note in notes if note[1] == "curve"] == [1, 2, 3]


def test_a_mixture_names_its_components(notes: list[tuple[Any, ...]], clicks: Path) -> None:
    part = {"model": "diffrec", "share": 1.0, "settings": {"training": {"epochs": 1}, "denoiser": {"hidden": [4]}}}
    settings = {"model": "fs-diffrec", "parts": {name: {"share": 0.0} for name in ("sequence", "items")} | {"rows": part}}
    recodiff.train(settings, clicks, device="cpu", progress=False, track="mlflow")
    assert {"rows/loss", "rows/seconds"} <= set(next(note[3] for note in notes if note[1] == "curve"))


@pytest.mark.parametrize("notes", ["parameters", "curve", "figures", "files", "end"], indirect=True)
def test_a_tracker_that_fails_costs_one_warning(notes: list[tuple[Any, ...]], clicks: Path, tmp_path: Path) -> None:
    with pytest.warns(RecodiffWarning) as caught:
        tracked = train_tracked(clicks, tmp_path / "m", "mlflow")
    said = [str(warning.message) for warning in caught if warning.category is RecodiffWarning]
    assert said == ["mlflow takes nothing more of this run ([Errno 28] No space left on device); the work goes on untracked"]
    alone = train_tracked(clicks, tmp_path / "alone", None)
    assert all(torch.equal(tensor, tracked.state()[name]) for name, tensor in alone.state().items())
    assert (tmp_path / "m" / "config.json").exists()


def test_what_is_not_finite_or_not_there_is_left_out() -> None:
    notes: list[tuple[Any, ...]] = []
    fake = SimpleNamespace(begin_mlflow=lambda name, out: Noted(name, notes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "recodiff.tracking.mlflow_run", fake)
        patch.setitem(sys.modules, "mlflow", SimpleNamespace())
        with open_tracked("mlflow", "run", None) as tracked, tracked.child("inside") as child:
            child.figures({"a": 1.0, "b": math.nan, "c": None})
            child.parameters({"long": "x" * 900, "nothing": None, "group": {"on": True}})
    assert notes[1] == ("inside", "figures", {"a": 1.0})
    assert notes[2] == ("inside", "parameters", {"long": "x" * 500, "group.on": True})
    assert [note[1] for note in notes] == ["child", "figures", "parameters", "end", "end"]


def test_without_a_tracker_nothing_is_asked() -> None:
    with NOT_TRACKED.child("x") as child:
        child.figures({"a": 1.0})
        child.files([Path("missing")], "model")
    with open_tracked(None, "x", None) as tracked:
        assert tracked is NOT_TRACKED


@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_one_sentence(tracker: str, clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "recodiff\[{tracker}\]"'):
        train_tracked(clicks, tmp_path / "m", tracker)
    assert not (tmp_path / "m").exists()


def test_an_unknown_tracker_is_one_sentence(clicks: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'mlflow'"):
        train_tracked(clicks, None, "mlfow")  # type: ignore[arg-type]


def test_a_tracker_that_cannot_be_begun_is_refused_before_the_training(
    clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(name: str, out: Path | None) -> None:
        raise ConnectionError("no\nserver")

    monkeypatch.setitem(sys.modules, "recodiff.tracking.mlflow_run", SimpleNamespace(begin_mlflow=begin))
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    with pytest.raises(ConfigError, match=r"mlflow cannot be begun \(no server\)"):
        train_tracked(clicks, tmp_path / "m", "mlflow")
    assert not (tmp_path / "m").exists()


def test_warnings_are_not_errors_of_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NOT_TRACKED.curve({"epoch": 1, "loss": 0.5})
