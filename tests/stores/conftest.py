"""A small model with item vectors, its users, and a database server."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from postgres import Postgres, running_postgres
from recodiff import Run, build
from recodiff.data.interactions import IdMap, Interactions
from recodiff.models.base import Recommender

USERS, ITEMS = 60, 400


def clicks(items: IdMap, users: int = USERS) -> Interactions:
    """Histories of 1 to 45 items."""
    draw = np.random.default_rng(0)
    pairs = [(user, int(item)) for user in range(users) for item in draw.permutation(len(items))[: 1 + user % 45]]
    user, item = zip(*pairs, strict=True)
    named = IdMap([f"u{n}" for n in range(users)])
    return Interactions.from_arrays(user, item, named, items, times=np.arange(len(pairs)), time_kind="order")


def fitted(name: str, x: Interactions, **settings: object) -> Recommender:
    return build(name, settings).fit(x, Run(device="cpu", progress=False))


@pytest.fixture(scope="session")
def history() -> Interactions:
    return clicks(IdMap([f"i{n}" for n in range(ITEMS)]))


@pytest.fixture(scope="session")
def model(history: Interactions) -> Recommender:
    return fitted("diffrec", history, denoiser={"hidden": [24]}, training={"epochs": 2})


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server
