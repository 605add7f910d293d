"""A tiny release folder, and a lab that counts its trainings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab import Lab
from recodiff import load_dataset
from recodiff.data import synthesise
from recodiff.data.readers.diffrec import RELEASED
from recodiff.experiments.reproduce import published
from recodiff.experiments.runs import job

USERS, ITEMS, INTERACTIONS = 40, 30, 480


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Named as a published data set, but not of its size; like it in the order of time train, test, valid."""
    folder = tmp_path_factory.mktemp("release") / "ml-1m_clean"
    folder.mkdir()
    pairs = synthesise(USERS, ITEMS, INTERACTIONS, seed=3).select("user", "item").to_numpy()
    place = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    share = place / np.bincount(pairs[:, 0])[pairs[:, 0]]
    np.save(folder / "train_list.npy", pairs[share < 0.6])
    np.save(folder / "test_list.npy", pairs[(share >= 0.6) & (share < 0.8)])
    np.save(folder / "valid_list.npy", pairs[share >= 0.8])
    sizes = int(pairs[:, 0].max()) + 1, int(pairs[:, 1].max()) + 1, len(pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RELEASED, sizes, folder.name)
        yield folder


@pytest.fixture
def as_published(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny release is what the paper used."""
    data = load_dataset(release)
    sizes = len(data.users), len(data.items), data.summary()["interactions"]
    known = published.known() | {"ml-1m_clean": published.Known("ml-1m_clean", "ML-1M, clean", *sizes)}
    monkeypatch.setattr(published, "known", lambda: known)


@pytest.fixture
def lab(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = Lab(release, tmp_path / "out")
    really = job.train_run

    def train_run(name: str, settings: Any, data: Any, run: Any, **more: Any) -> Any:
        found.trained.append((name, run.seed))
        return really(name, settings, data, run, **more)

    monkeypatch.setattr(job, "train_run", train_run)
    return found
