"""A million users and a million items on one machine: prepare, train, recommend, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from machine import peak_memory, rates
from recodiff import Run, build, load_dataset, prepare, recommend
from recodiff.config import merge
from recodiff.data.split import Temporal
from recodiff.data.synthetic import Taste, write_synthetic
from recodiff.models.network import TorchRecommender

SHAPE = (1_000_000, 1_000_000, 50_000_000)
"""Users, items, interactions."""
ROWS: dict[str, Any] = {"denoiser": {"hidden": [200]}, "training": {"batch_size": 8192, "epochs": 1}}
LATENT: dict[str, Any] = {
    "codec": {"clusters": 1, "latent": 100, "likelihood": "gaussian"},
    "training": {"batch_size": 400, "epochs": 1},
}
SERVED, BATCHES, FEWER = 100_000, 200, 20


def million(shape: tuple[int, int, int] = SHAPE, served: int = SERVED, batches: int = BATCHES) -> dict[str, Any]:
    """DiffRec [200] for an epoch and L-DiffRec for some batches; exact lists for some of the users, all by arithmetic."""
    users, items, interactions = shape
    with tempfile.TemporaryDirectory() as folder:
        log, data = Path(folder) / "log", Path(folder) / "data"
        write_synthetic(log, users, items, interactions, taste=Taste(popularity=0.5))
        row: dict[str, Any] = {"case": f"{users:,} users x {items:,} items, {interactions:,} interactions"}
        row |= {f"prepare, {key}": value for key, value in _apart("prepared", str(log), str(data)).items()}
        every = _apart("trained", str(data), "diffrec", json.dumps(ROWS), str(users), str(served))
        row |= {f"DiffRec [200], {key}": value for key, value in every.items()}
        some = min(batches * LATENT["training"]["batch_size"], users)
        latent = _apart("trained", str(data), "l-diffrec", json.dumps(LATENT), str(some), str(served))
        row |= {f"L-DiffRec, {key}": value for key, value in latent.items()}
        row["L-DiffRec, whole epoch by arithmetic, s"] = latent["training s"] * users / some
        fewer = min(FEWER * LATENT["training"]["batch_size"], users)
        whole = merge(LATENT, {"codec": {"likelihood": "multinomial"}})
        softmax = _apart("trained", str(data), "l-diffrec", json.dumps(whole), str(fewer), str(min(served, 1000)))
        row |= {f"L-DiffRec, multinomial, {key}": softmax[key] for key in ("users trained on", "training s", "training peak MB")}
        row["L-DiffRec, multinomial, whole epoch by arithmetic, s"] = softmax["training s"] * users / fewer
    return row | rates()


def prepared(log: str, folder: str) -> dict[str, float]:
    """Seconds and peak memory of preparing a log."""
    began = time.perf_counter()
    data = prepare(log, folder, split=Temporal())
    return {"s": time.perf_counter() - began, "peak MB": peak_memory(), "items that occur": data.train.n_items}


def trained(folder: str, name: str, settings: str, users: str, served: str) -> dict[str, float]:
    """One epoch over the first users, then the 20 best items for some of them."""
    began = time.perf_counter()
    everybody = load_dataset(folder).train
    found: dict[str, float] = {"load s": time.perf_counter() - began}
    model = build(name, json.loads(settings))
    assert isinstance(model, TorchRecommender)
    data = everybody if int(users) >= everybody.n_users else everybody.take(np.arange(int(users)))
    model.fit(data, Run(device="cpu", progress=False))
    found |= {
        "users trained on": data.n_users,
        "interactions trained on": data.nnz,
        "training s": model.summary["log"][0]["seconds"],
        "training peak MB": peak_memory(),
    }
    some = everybody.take(np.arange(min(int(served), everybody.n_users)))
    began = time.perf_counter()
    recommend(model, some, 20)
    seconds = time.perf_counter() - began
    found |= {
        "users served": some.n_users,
        "lists s": seconds,
        "lists of a million users by arithmetic, s": seconds / some.n_users * 1e6,
    }
    return found | {"peak MB": peak_memory()}


def _apart(call: str, *arguments: str) -> dict[str, float]:
    code = f"import sys, json; sys.path.insert(0, {str(Path(__file__).parent)!r}); import million\n"
    code += f"print(json.dumps(million.{call}(*{list(arguments)!r})))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"million.{call} failed: {run.stderr.strip()}")
    return json.loads(run.stdout.splitlines()[-1])
