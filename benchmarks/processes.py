"""Several processes on one machine: epochs of the released network by one process and by two, the same cores."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

PRESETS = {"dense, [600, 200, 600]": [], "hidden space, [200], batch 2048": ["denoiser.hidden=[200]", "training.batch_size=2048"]}
EPOCHS = 6


def two_processes() -> dict[str, Any]:
    """Two gloo processes of one thread each, against one process of one and of two threads: the same batches, ml-1m_clean."""
    row: dict[str, Any] = {"case": "training epoch, ml-1m_clean: two processes against one"}
    for name, overrides in PRESETS.items():
        found = {
            "one process, one thread": _epochs(1, 1, overrides),
            "one process, two threads": _epochs(1, 2, overrides),
            "two processes": _epochs(2, 1, overrides),
        }
        row |= {f"{name}: {who}, s": seconds for who, (seconds, _) in found.items()}
        first, *others = (losses for _, losses in found.values())
        row[f"{name}: losses differ by, relative"] = max(
            abs(a - b) / abs(a) for other in others for a, b in zip(first, other, strict=True)
        )
    return row


def _epochs(processes: int, threads: int, overrides: list[str]) -> tuple[float, list[float]]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    command = [*launcher, str(Path(__file__)), str(threads), json.dumps(overrides)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if run.returncode:
        raise RuntimeError(f"{processes} processes failed: {run.stderr.strip()}")
    log = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("[")))
    return statistics.median(epoch["seconds"] for epoch in log[1:]), [epoch["loss"] for epoch in log]


def _train(threads: str, overrides: str) -> None:
    from recodiff import Run, build, distributed, read_settings
    from speed import ml_1m

    settings = [*json.loads(overrides), f"training.epochs={EPOCHS}"]
    model = build(*read_settings("diffrec-ml-1m_clean", settings))
    model.fit(ml_1m().train, Run(device="cpu", threads=int(threads), progress=False))
    if distributed.leads():
        print(json.dumps(model.summary["log"]))


if __name__ == "__main__":
    _train(*sys.argv[1:])
