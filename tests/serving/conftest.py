"""Services of tiny models, asked in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recodiff.data.ids import IdMap
from recodiff.serving.app import create_app
from recodiff.serving.models import Models
from recodiff.serving.service import Service
from recodiff.serving.settings import Limits, ServiceSettings
from recodiff.serving.store.open import open_histories
from recodiff.serving.tokens import Tokens
from served_models import ITEMS, Serving, save


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of models: `ease` and `knn` over whole numbers, `text` over text, `popularity`."""
    above = tmp_path_factory.mktemp("served")
    return {
        "ease": save("ease", above / "ease", {"l2": 5.0}),
        "knn": save("itemknn", above / "knn"),
        "popularity": save("popularity", above / "popularity"),
        "text": save("ease", above / "text", {"l2": 5.0}, IdMap([f"item-{n}" for n in range(ITEMS)]), titles=False),
        "vectors": save("puresvd", above / "vectors", {"factors": 4}),
    }


@pytest.fixture
def serving(runs: dict[str, Path], tmp_path: Path) -> Serving:
    """A service of some of the models, asked in this process."""

    @contextmanager
    def start(
        *names: str,
        store: str | None = None,
        table: str | None = None,
        columns: str | None = None,
        tokens: Tokens | None = None,
        limits: dict[str, Any] | None = None,
        hosts: tuple[str, ...] | None = None,
        folders: dict[str, Path] | None = None,
        choices: Any = None,
        **settings: Any,
    ) -> Iterator[TestClient]:
        given = folders or {name: runs[name] for name in names or ("ease",)}
        asked = ServiceSettings(runs=given, limits=Limits(**(limits or {})), **settings)
        models = Models(asked)
        opened = open_histories(store or f"sqlite:///{tmp_path}/events.db", table, columns)
        app = create_app(Service(models, opened, tokens, choices), hosts)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client

    return start


@pytest.fixture
def client(serving: Serving) -> Iterator[TestClient]:
    with serving("ease", "knn", "popularity", "text", "vectors") as client:
        yield client
