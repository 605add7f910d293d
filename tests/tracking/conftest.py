"""A tiny data folder, and commands that are tracked on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import recodiff
from commands import call

TINY: dict[str, Any] = {
    "model": "diffrec",
    "denoiser": {"hidden": [8]},
    "diffusion": {"steps": 2},
    "training": {"epochs": 3, "check_every_epochs": 1},
}


@pytest.fixture(scope="session")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "clicks"
    recodiff.prepare(recodiff.synthesise(40, 90, 900, seed=1), folder, split=recodiff.Temporal(0.1, 0.2), name="clicks")
    return folder


def train_tracked(clicks: Path, out: Path, tracker: Any, **more: Any) -> recodiff.Recommender:
    return recodiff.train(TINY, clicks, out=out, device="cpu", threads=1, progress=False, track=tracker, **more)


def tune_and_compare(clicks: Path, out: Path, tracker: str) -> None:
    quick = ("--data", clicks, "--track", tracker, "--threads", 1, "--device", "cpu")
    assert call("tune", "ease", "--out", out / "t", "--trials", 2, *quick) == 0
    assert call("compare", "popularity", "ease", "--out", out / "c", "--seeds", 1, *quick) == 0
    assert call("compare", "popularity", "ease", "--out", out / "c", "--seeds", 1, *quick) == 0, "again, with nothing to run"
