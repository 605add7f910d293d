"""One seed and one thread for every test."""

from pathlib import Path

import numpy as np
import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


torch.set_num_threads(1)  # also for what is fitted once for a whole file, before the first test


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.set_num_threads(1)  # tiny nets, and the machine may be busy
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that use it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data of ../shared/data, which is not here")
    return SHARED
