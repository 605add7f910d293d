"""Sizes that no machine has: refused with the value and the remedy before anything is made, never a traceback or a wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recodiff import Run, build, evaluate, prepare, stages
from recodiff.config import merge
from recodiff.data import Dataset, synthesise
from recodiff.errors import ConfigError, ModelError, RecodiffError
from recodiff.evaluation.metrics import parse
from recodiff.experiments.runs.options import RunOptions
from recodiff.runtime import memory
from recodiff.runtime.memory import need_memory
from toy import checkerboard

HUGE = 10**12
RUN = Run(device="cpu", progress=False, threads=1)
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("diffrec", {"diffusion": {"steps": HUGE}}),
    ("diffrec", {"diffusion": {"steps": 10**10}}),
    ("diffrec", {"denoiser": {"embedding": HUGE}}),
    ("diffrec", {"denoiser": {"hidden": [HUGE]}}),
    ("diffrec", {"denoiser": {"hidden": [2**62, 2**62]}}),
    ("diffrec", {"codec": {"kind": "clustered_vae", "latent": HUGE}}),
    ("diffrec", {"codec": {"kind": "clustered_vae", "clusters": HUGE}}),
    ("diffrec", {"codec": {"kind": "clustered_vae", "hidden": [HUGE]}}),
    ("multivae", {"network": {"latent": HUGE}}),
    ("multidae", {"noise": {"steps": HUGE}}),
    ("codigem", {"steps": HUGE}),
    ("codigem", {"hidden": [HUGE]}),
    ("giffcf", {"width": HUGE}),
    ("giffcf", {"channels": HUGE}),
    ("lightgcn", {"layers": HUGE}),
    ("lightgcn", {"width": HUGE}),
    ("mf", {"width": HUGE}),
    ("mf", {"negatives": HUGE}),
    ("irgan", {"samples": HUGE}),
    ("cdae", {"hidden": HUGE}),
    ("cdae", {"negatives": HUGE}),
    ("ials", {"factors": HUGE}),
    ("sasrec", {"width": HUGE}),
    ("sasrec", {"length": HUGE}),
    ("sasrec", {"layers": HUGE}),
    ("gru4rec", {"layers": HUGE}),
    ("gru4rec", {"width": HUGE}),
    ("acvae", {"latent": HUGE}),
    ("acvae", {"kernel": HUGE + 1}),
]


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=[f"{name} {settings}" for name, settings in SETTINGS])
def test_settings_of_absurd_size_are_refused_in_one_sentence(name: str, settings: dict[str, Any]) -> None:
    data = checkerboard(12)
    small = {"training": {"epochs": 1}} if name not in ("ials",) else {}
    with pytest.raises((ConfigError, ModelError)) as caught:
        build(name, merge(small, settings)).fit(data, RUN)
    assert "\n" not in str(caught.value)


def test_what_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    need_memory(1000, "it", "take less")
    with pytest.raises(ConfigError, match=r"it takes about 0\.00 GiB, and 0\.00 GiB are free; take less"):
        need_memory(1001, "it", "take less")
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    need_memory(HUGE, "it", "take less")


@pytest.mark.parametrize("make", [lambda: Run(threads=HUGE), lambda: RunOptions(seeds=HUGE), lambda: parse(f"recall@{2**70}")])
def test_numbers_that_nothing_could_do_with_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(RecodiffError, match=r"; give|needs a length"):
        make()


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return prepare(synthesise(30, 20, 240), tmp_path / "data")


def test_lists_longer_than_the_memory_are_refused(data: Dataset) -> None:
    model = build("popularity").fit(data.train, RUN)
    with pytest.raises(ConfigError, match=r"a list length of 2,000,000,000 for .* users takes about"):
        evaluate(model, stages(data).test, metrics=("recall@2000000000", "precision@5"))
    assert evaluate(model, stages(data).test, metrics=("precision@100",)).mean("precision@100") < 0.15
