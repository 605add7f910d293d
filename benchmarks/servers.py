"""The servers that `service.py` compares, each in processes of its own on the first core."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body

HERE = Path(__file__).resolve()
PEER = HERE.parents[1] / ".venv-peer-recotem"
MARK, UP_SECONDS = "127.0.0.1:", 300


@dataclass
class Server:
    """A server that answers.

    Args:
        process: that was started.
        port: on loopback.
    """

    process: subprocess.Popen[str]
    port: int

    def processes(self) -> list[int]:
        """It and all that it started, by their numbers."""
        found = [self.process.pid]
        for process in found:  # grows meanwhile
            listed = Path(f"/proc/{process}/task/{process}/children")
            found += [int(child) for child in listed.read_text().split()] if listed.exists() else []
        return found

    def memory(self, what: str = "Pss") -> float:
        """MB of 2^20 bytes over all its processes; a page that two share counts as half for each."""
        lines = [line for process in self.processes() for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def pinned(core: int | None) -> list[str]:
    """The command that keeps a program to a core; nothing where it may have all."""
    cores = sorted(os.sched_getaffinity(0))
    return [] if core is None else ["taskset", "-c", str(cores[min(core, len(cores) - 1)])]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "2000"}


@contextmanager
def started(command: list[str], core: int | None = 0) -> Iterator[Server]:
    """A server whose standard error names its address, from when it takes connections."""
    process = subprocess.Popen(
        [*pinned(core), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if MARK in line:
                break
        else:
            raise RuntimeError("the server did not start:\n" + "".join(said[-20:]))
        port = int(said[-1].rpartition(MARK)[2].partition(";")[0])
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
        _wait_for(port, process)
        yield Server(process, port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + UP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the server did not come up") from None
            time.sleep(0.2)


def service(model: Path, *, workers: int = 1, core: int | None = 0) -> Any:
    """`recodiff serve`."""
    store = f"sqlite:///{model.parent}/events.db"
    asked = ["serve", str(model), "--store", store, "--port", "0", "--threads", "1", "--workers", str(workers)]
    return started([sys.executable, "-m", "recodiff", *asked], core)


def plain(model: Path) -> Any:
    """What is written in five minutes: a handler that calls `recommend`."""
    return started([sys.executable, str(HERE), str(model)])


def recotem(items: int, factors: int, folder: Path) -> Any:
    """recotem 2.1 with IALS; see `peer_recotem.py`."""
    if not PEER.exists() or not (PEER / ".ready").exists():
        subprocess.run([str(HERE.parent / "peer_env.sh"), "recotem"], check=True)
    python = str(PEER / "bin" / "python")
    return started([python, str(HERE.with_name("peer_recotem.py")), str(items), str(factors), str(folder)])


def answer_plainly(folder: str) -> None:
    """Run the plain handler."""
    import torch
    import uvicorn
    from fastapi import FastAPI

    from recodiff import history_of, load_model, recommend

    torch.set_num_threads(1)
    model, app = load_model(folder), FastAPI()

    @app.post("/v1/recommend")
    def answer(history: Annotated[list[int], Body()], k: Annotated[int, Body()] = 10) -> dict[str, Any]:
        frame = recommend(model, history_of(model, history), k).to_frame()
        return {"items": frame.select("item", "score").to_dicts()}

    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"127.0.0.1:{listening.getsockname()[1]};", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listening])


if __name__ == "__main__":
    answer_plainly(sys.argv[1])
