"""A tiny log, the data folder and the run made from it by the commands themselves, and a way to call them."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from torch import Tensor

from commands import ITEMS, Cli, Done, call, write_log
from kills import SMALL, killed
from recodiff.data import synthesise
from recodiff.training import loop

TINY = """
model = "t-diffrec"

[diffusion]
steps = 2

[denoiser]
hidden = [8]

[training]
epochs = 3
check_every_epochs = 1
batch_size = 20
"""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = call(*arguments)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log"), list(range(101, 101 + ITEMS)))


@pytest.fixture(scope="session")
def data(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "films"
    assert call("prepare", log, out, "--min-rating", 4, "--user-core", 3, "--item-core", 3) == 0
    return out


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a model that trains in a moment."""
    path = tmp_path_factory.mktemp("settings") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def run(data: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert call("train", tiny, "--data", data, "--out", out, "--threads", 1) == 0
    return out


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody presses Ctrl-C in the second epoch of the next training, once."""
    step, steps = loop._Loop._step, count(1)

    def stop(running: loop._Loop, users: Tensor) -> Tensor:
        if next(steps) == 5:
            raise KeyboardInterrupt
        return step(running, users)

    monkeypatch.setattr(loop._Loop, "_step", stop)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, its data folder, and a trained model, made without kills."""
    here = tmp_path_factory.mktemp("world")
    synthesise(30, 60, 240).write_parquet(here / "log.parquet")
    synthesise(30, 60, 240, seed=1).write_parquet(here / "other.parquet")
    assert not killed("prepare", here / "log.parquet", here / "data")
    assert not killed("train", "diffrec", "--data", here / "data", "--out", here / "model", *SMALL)
    return here
