"""Training at the size of Amazon-book: a step in the hidden space against the dense one, and a whole epoch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from machine import SHARED, median, peak_memory, rates, resident_memory
from recodiff import evaluate, prepare
from recodiff.data import IdMap, Interactions
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.registry import build
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import keep_freed_memory
from recodiff.runtime.run import Run
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.adamw import AdamW
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress

USERS, ITEMS, INTERACTIONS = 108_822, 94_949, 3_100_000


def catalogue(users: int, items: int, interactions: int) -> Interactions:
    """Random interactions, popular items more often; every user has about as many."""
    g = np.random.default_rng(0)
    row = np.repeat(np.arange(users), -(-interactions // users))
    column = np.minimum((items * g.random(len(row)) ** 2).astype(np.int64), items - 1)
    kept = np.unique(row * items + column)
    return Interactions.from_arrays(kept // items, kept % items, IdMap.range(users), IdMap.range(items))


def hidden_step(items: int = ITEMS, width: int = 200, batches: tuple[int, ...] = (400, 2048)) -> dict[str, Any]:
    """One training step in either space, each in a process of its own: time, and memory beyond weights, gradients and AdamW."""
    row: dict[str, Any] = {"case": f"training step, [{width}], {items:,} items: hidden space against dense"}
    for batch in batches:
        found = {space: _apart(f"step({space!r}, {items}, {width}, {batch})") for space in ("dense", "hidden")}
        for space, (seconds, _, memory) in found.items():
            row |= {f"{space}, batch {batch}, ms": seconds * 1e3, f"{space}, batch {batch}, MB beyond the weights": memory}
        (slow, slow_own, much), (fast, fast_own, little) = found["dense"], found["hidden"]
        row |= {f"ratio, batch {batch}": slow / fast, f"share of memory, batch {batch}": little / much}
        row[f"ratio with PyTorch's own products, batch {batch}"] = slow_own / fast_own
    return row | rates()


def step(space: str, items: int, width: int, batch: int) -> tuple[float, float, float]:
    """Seconds of a step, the same with PyTorch's own products, and MB at its peak beyond weights, gradients and moments.

    For a fresh process; a step of a small model has brought in the libraries' code before memory counts.
    """
    keep_freed_memory()
    _step_of(space, 1000, 8, 16)[0]()
    before = resident_memory()
    once, weights = _step_of(space, items, width, batch)
    with fast_products():
        seconds = median(once, 5, warm_up=2)
    memory = max(peak_memory() - before - 16 * weights / 2**20, 0.0)
    return seconds, median(once, 5, warm_up=1), memory


def _step_of(space: str, items: int, width: int, batch: int) -> tuple[Callable[[], None], int]:
    rows = Rows.from_csr(catalogue(batch, items, 29 * batch).matrix)
    model = build("diffrec", {"denoiser": {"hidden": [width]}, "diffusion": {"space": space}, "training": {"batch_size": batch}})
    assert isinstance(model, DiffRec)
    net = model.build(items, keyed_generator(0, "init")).train()
    optimizer = AdamW(model.parameter_groups(net), fused=True)

    def once() -> None:
        net(Pair(rows), Progress(0, 0), keyed_generator(0, "step")).mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return once, sum(p.numel() for p in net.parameters())


def amazon_book_epoch(
    shape: tuple[int, int, int] = (USERS, ITEMS, INTERACTIONS), widths: tuple[int, ...] = (200, 1000), batch: int = 2048
) -> dict[str, Any]:
    """An epoch of the one loop at the shape of Amazon-book, `auto` space, each width in a process of its own."""
    users, items, interactions = shape
    row: dict[str, Any] = {"case": f"epoch, {users:,} users x {items:,} items, {interactions:,} interactions, batch {batch}"}
    for width in widths:
        seconds, memory = _apart(f"epoch({users}, {items}, {interactions}, {width}, {batch})")
        row |= {f"[{width}], s": seconds, f"[{width}], MB beyond weights, gradients and AdamW": memory}
    return row | rates()


def epoch(users: int, items: int, interactions: int, width: int, batch: int) -> tuple[float, float]:
    """Seconds of the second epoch, and MB at the peak beyond data, weights, gradients and moments; for a fresh process."""
    data = catalogue(users, items, interactions)
    before = resident_memory()
    settings = {"denoiser": {"hidden": [width]}, "training": {"batch_size": batch, "epochs": 2}}
    model = build("diffrec", settings).fit(data, Run(device="cpu", progress=False))
    return model.summary["log"][-1]["seconds"], max(peak_memory() - before - 16 * model.parameters / 2**20, 0.0)


def gowalla(width: int = 200, batch: int = 400) -> dict[str, Any]:
    """gowalla where it is at hand: an epoch and a full ranking of all users with the published test part."""
    folder = SHARED / "gowalla"
    if not folder.is_dir():
        return {"case": "gowalla: needs its files, which are not here"}
    seconds, evaluation, memory = _apart(f"gowalla_epoch({str(folder)!r}, {width}, {batch})")
    return {
        "case": f"gowalla, [{width}], batch {batch}: epoch, and evaluation of all users",
        "epoch s": seconds,
        "evaluation s": evaluation,
        "peak MB": memory,
        **rates(),
    }


def gowalla_epoch(folder: str, width: int, batch: int) -> tuple[float, float, float]:
    """Seconds of the second epoch and of an evaluation, and the peak in MB; for a fresh process."""
    with TemporaryDirectory() as made:
        data = prepare(folder, Path(made) / "gowalla")
    settings = {"denoiser": {"hidden": [width]}, "diffusion": {"steps": 5}, "training": {"batch_size": batch, "epochs": 2}}
    model = build("diffrec", settings).fit(data.train, Run(device="cpu", progress=False))
    began = time.perf_counter()
    evaluate(model, data.train, data.part("test"), mask=data.train)
    return model.summary["log"][-1]["seconds"], time.perf_counter() - began, peak_memory()


def _apart(call: str) -> list[float]:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import scale; print(*scale.{call})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return [float(number) for number in out]
