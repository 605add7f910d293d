"""Tiny models in folders, to be served."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import uvicorn
from starlette.testclient import TestClient

from recodiff import Interactions, Run, build, save_model
from recodiff.data.ids import IdMap
from recodiff.models.saving import COUNTS

Serving = Callable[..., AbstractContextManager[TestClient]]
ITEMS, USERS = 24, 40
MARKUP = "<img src=x onerror=alert(1)> & Söhne"
"""The title of item 107."""


def interactions(items: IdMap | None = None) -> Interactions:
    """Users come back to items of their own colour; item 100 + n, or `item-n`."""
    rng = np.random.default_rng(3)
    rows = [(user, item) for user in range(USERS) for item in rng.permutation(ITEMS)[:14] if (user + item) % 2 == 0 or item < 3]
    user, item = np.array(rows).T
    ids = items or IdMap([100 + n for n in range(ITEMS)])
    return Interactions.from_arrays(
        user, item, IdMap([f"u{n}" for n in range(USERS)]), ids, times=np.arange(len(user)), time_kind="clock", events="whole"
    )


def save(
    name: str, folder: Path, settings: dict[str, Any] | None = None, items: IdMap | None = None, *, titles: bool = True
) -> Path:
    """Fit a model on `interactions` and write its folder, as a training does."""
    x = interactions(items)
    model = build(name, settings).fit(x, Run(device="cpu"))
    counts = np.bincount(x.matrix.indices, minlength=ITEMS).astype(np.int64)
    table = pl.DataFrame({COUNTS: counts})
    if titles:
        table = table.with_columns(title=pl.Series([MARKUP if n == 7 else f"Film {n:02} Été" for n in range(ITEMS)]))
    save_model(model, folder, item_table=table, info={"data": {"name": "toy", "events": "whole"}}, overwrite=True)
    return folder


@contextmanager
def on_a_socket(app: Any) -> Iterator[str]:
    """Serve an application from a thread; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
