"""Peak memory of training the family at the size of Amazon-book, each model in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from machine import peak_memory, resident_memory

ITEMS, PER_USER, BATCHES, BATCH = 94_949, 29, 3, 400
SETTINGS: dict[str, dict[str, Any]] = {
    "multivae": {"network": {"hidden": [600], "latent": 200}},
    "diffrec": {"denoiser": {"hidden": [1000]}},
    "l-diffrec": {"codec": {"clusters": 2, "latent": 300}, "denoiser": {"hidden": [300]}},
}
"""The released networks at Amazon-book; MultiVAE's as its paper has it."""
SMALLER_CLUSTER = 0.1
"""Share of the items: the 75 million parameters of the paper's Figure 7 imply clusters of about 90 and 10 %."""


def family_memory() -> dict[str, Any]:
    """Three training steps of 400 users over 94,949 items: parameters, and resident memory beyond what imports and data took."""
    row: dict[str, Any] = {"case": "training memory, 94,949 items, batch 400: MultiVAE, DiffRec, L-DiffRec (C = 2, items 9 to 1)"}
    for name in SETTINGS:
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import memory; memory.train_apart({name!r})"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        row |= {f"{name}, million parameters": int(found[-2]) / 1e6, f"{name}, MB": float(found[-1])}
    for what in ("million parameters", "MB"):
        ours, dense = row[f"l-diffrec, {what}"], row[f"diffrec, {what}"]
        row[f"L-DiffRec saves of DiffRec's {what}"] = 1 - ours / dense
    return row


def train_apart(name: str) -> None:
    """Prints the parameters and the peak beyond the baseline, MB; for a fresh process."""
    from recodiff import Run
    from recodiff.data import IdMap, Interactions
    from recodiff.models.registry import build

    g = np.random.default_rng(0)
    users = BATCHES * BATCH
    popular = np.minimum((ITEMS * g.random((users, 2 * PER_USER)) ** 2).astype(np.int64), ITEMS - 1)
    user, item = np.repeat(np.arange(users), 2 * PER_USER), popular.reshape(-1)
    kept = np.unique(user * ITEMS + item, return_index=True)[1]
    kept = g.permutation(kept)[: users * PER_USER]
    train = Interactions.from_arrays(user[kept], item[kept], IdMap.range(users), IdMap.range(ITEMS))
    with tempfile.TemporaryDirectory() as folder:
        settings = SETTINGS[name] | {"training": {"epochs": 1, "batch_size": BATCH}}
        if "codec" in settings:
            np.save(Path(folder) / "items.npy", (np.arange(ITEMS)[:, None] < SMALLER_CLUSTER * ITEMS).astype(np.float32))
            settings["codec"] = settings["codec"] | {"embeddings": {"kind": "file", "path": f"{folder}/items.npy"}}
        model = build(name, settings)
        before = resident_memory()
        model.fit(train, Run(progress=False))
    print(model.parameters, peak_memory() - before)
