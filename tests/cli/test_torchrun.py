"""Training under torchrun: one worker is killed while the other waits for it, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commands import call
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG, LOG

EPOCHS = 100
SETTINGS = f"""model = "t-diffrec"
[diffusion]
steps = 3
[denoiser]
hidden = [8]
[training]
batch_size = 10
epochs = {EPOCHS}
check_every_epochs = 1
patience_epochs = {EPOCHS}
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "recodiff"]


def start(*arguments: object) -> subprocess.Popen[bytes]:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*TORCHRUN, *map(str, arguments)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_what_stops_all_is_said_once_and_leaves_no_folder(data: Path, tmp_path: Path) -> None:
    wrong = ("--set", "diffusion.prediction=eps", "--set", "diffusion.space=hidden")
    command = [*TORCHRUN, "train", "diffrec", "--data", str(data), "--out", str(tmp_path / "new" / "run"), *wrong]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode
    assert ran.stderr.count("recodiff: ") == 1
    assert not (tmp_path / "new").exists()


def worker(launcher: int, rank: int) -> int:
    """The process that torchrun started with this rank."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return next(int(child) for child in children if f"RANK={rank}\0" in "\0" + Path(f"/proc/{child}/environ").read_text())


def logged(out: Path) -> list[str]:
    """Lines of the log; each tells its epoch's seconds, so that an epoch trained again does not pass for the first."""
    found = [out / name for name in (LOG, GROWING_LOG) if (out / name).exists()]
    return found[0].read_text().splitlines() if found else []


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in logged(out)]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the worker through Linux's /proc")
def test_a_worker_killed_by_a_signal_loses_no_more_than_since_the_last_checkpoint(data: Path, tmp_path: Path) -> None:
    (settings := tmp_path / "settings.toml").write_text(SETTINGS)
    train = ("train", settings, "--data", data, "--out")
    running = start(*train, tmp_path / "two")
    try:
        until = time.monotonic() + 120
        while len(logged(tmp_path / "two")) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(worker(running.pid, 1), signal.SIGKILL)  # not the one that writes
        assert running.wait(120) != 0
    finally:
        running.kill()
    kept = logged(tmp_path / "two")
    assert 3 <= len(kept) < EPOCHS
    assert (tmp_path / "two" / CHECKPOINT).exists()
    assert start(*train, tmp_path / "two", "--resume").wait(300) == 0
    assert call(*train, tmp_path / "one", "--threads", 1) == 0
    assert logged(tmp_path / "two")[: len(kept)] == kept
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)
