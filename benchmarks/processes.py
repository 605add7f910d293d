"""Several processes on one machine: epochs of the released network by one process and by two, the same cores."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import rates

DENSE, HIDDEN = "dense, [600, 200, 600]", "hidden space, [200], batch 2048"
PRESETS = {DENSE: [], HIDDEN: ["denoiser.hidden=[200]", "training.batch_size=2048"]}
EPOCHS = 6


def two_processes() -> dict[str, Any]:
    """Two gloo processes of one thread each, against one process of one and of two threads: the same batches, ml-1m_clean."""
    from datasets import ml_1m

    row: dict[str, Any] = {"case": f"training epoch, {ml_1m().name}: two processes against one"}
    for name, overrides in PRESETS.items():
        found = {
            "one process, one thread": _epochs(1, 1, overrides),
            "one process, two threads": _epochs(1, 2, overrides),
            "two processes": _epochs(2, 1, overrides),
        }
        if name == HIDDEN:
            found["two processes that share the items"] = _epochs(2, 1, overrides, shard="items")
        row |= _told(name, found)
    return row | rates()


def shared_items(shape: tuple[int, int, int] | None = None) -> dict[str, Any]:
    """The same at the shape of Amazon-book, [200] in the hidden space, one thread each: users shared, and items shared."""
    from scale import INTERACTIONS, ITEMS, USERS

    shape = shape or (USERS, ITEMS, INTERACTIONS)
    overrides = ["denoiser.hidden=[200]", "training.batch_size=2048"]
    name = "epoch, {:,} users x {:,} items, {:,} interactions, [200], batch 2048".format(*shape)
    found = {
        "one process": _epochs(1, 1, overrides, shape=shape, epochs=3),
        "two that share the users": _epochs(2, 1, overrides, shape=shape, epochs=3),
        "two that share the items": _epochs(2, 1, overrides, shape=shape, epochs=3, shard="items"),
    }
    return {"case": f"{name}: two processes against one, one thread each"} | _told("", found) | rates()


def _told(name: str, found: dict[str, tuple[float, list[float]]]) -> dict[str, float]:
    prefix = f"{name}: " if name else ""
    first, *others = (losses for _, losses in found.values())
    apart = max(abs(a - b) / abs(a) for other in others for a, b in zip(first, other, strict=True))
    return {f"{prefix}{who}, s": seconds for who, (seconds, _) in found.items()} | {f"{prefix}losses differ by, relative": apart}


def _epochs(
    processes: int, threads: int, overrides: list[str], *, shape: Any = None, epochs: int = EPOCHS, shard: str = "none"
) -> tuple[float, list[float]]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    command = [*launcher, str(Path(__file__)), str(threads), json.dumps([*overrides, f"training.epochs={epochs}"])]
    command += [json.dumps(shape), shard]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if run.returncode:
        raise RuntimeError(f"{processes} processes failed: {run.stderr.strip()}")
    log = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("[")))
    return statistics.median(epoch["seconds"] for epoch in log[1:]), [epoch["loss"] for epoch in log]


def _train(threads: str, overrides: str, shape: str, shard: Any) -> None:
    from datasets import ml_1m
    from recodiff import Run, build, read_settings
    from recodiff.runtime import distributed
    from scale import catalogue

    data = catalogue(*json.loads(shape)) if json.loads(shape) else ml_1m().train
    model = build(*read_settings("diffrec-ml-1m_clean", json.loads(overrides)))
    model.fit(data, Run(device="cpu", threads=int(threads), progress=False, shard=shard))
    if distributed.leads():
        print(json.dumps(model.summary["log"]))


if __name__ == "__main__":
    _train(*sys.argv[1:])
