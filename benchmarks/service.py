"""The service under load, beside a plain FastAPI handler that calls `recodiff.recommend` once a request.

Server and generator have a core each. Both servers get the same requests in turns, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
from fastapi import Body

from recodiff import history_of, load_model, recommend, save_model
from scale import ITEMS

CONNECTIONS, K, LENGTH = 64, 20, 29
"""Requests under way at once, length of a list, items of a history."""
SECONDS, TURNS = 6.0, 3
"""Of load in one turn, and turns of each server."""
LONE = 100
"""Requests one after another."""
Row = dict[str, Any]
HERE = Path(__file__)


def service_large(items: int = ITEMS) -> Row:
    """Both over an untrained model with a wide network over many items."""
    from ranking_speed import WIDTH, untrained

    with TemporaryDirectory() as folder:
        save_model(untrained(items), Path(folder) / "model")
        return _compared(Path(folder) / "model", f"{items:,} items, [{WIDTH}]", items)


def service_small(items: int = 1008, width: int = 200) -> Row:
    """Both over a model of the demonstration's size."""
    from ranking_speed import untrained

    with TemporaryDirectory() as folder:
        save_model(untrained(items, width), Path(folder) / "model")
        return _compared(Path(folder) / "model", f"{items:,} items, [{width}]", items)


def _compared(model: Path, size: str, items: int) -> Row:
    g = np.random.default_rng(0)
    histories = [g.choice(items, LENGTH, replace=False).tolist() for _ in range(500)]
    rates: dict[str, list[float]] = {"service": [], "plain": []}
    late: dict[str, list[float]] = {"service": [], "plain": []}
    with _server("service", model) as service, _server("plain", model) as plain:
        ports = {"service": service, "plain": plain}
        for name, port in ports.items():
            asyncio.run(load(port, histories, 1.0, CONNECTIONS))  # warm
            _check(port, model, histories[0], name)
        for _ in range(TURNS):
            for name, port in ports.items():
                took, seconds = asyncio.run(load(port, histories, SECONDS, CONNECTIONS))
                rates[name].append(len(took) / seconds)
                late[name].append(float(np.quantile(took, 0.99)))
        lone, _ = asyncio.run(load(service, histories, 60.0, 1, LONE))
    alone = _in_process(model, histories[:LONE])
    middle = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "case": f"{CONNECTIONS} connections, {size}, k = {K}, server and generator a core each",
        "requests a second": middle["service"],
        "plain handler's": middle["plain"],
        "ratio": middle["service"] / middle["plain"],
        "p99 ms": statistics.median(late["service"]) * 1e3,
        "plain handler's p99 ms": statistics.median(late["plain"]) * 1e3,
        "a lone request, median ms": statistics.median(lone) * 1e3,
        "by recommend in process": statistics.median(lone) / alone,
        "its p99 by its median": float(np.quantile(lone, 0.99)) / statistics.median(lone),
    }


def _check(port: int, model: Path, history: list[int], name: str) -> None:
    """Both give the lists of the library, or the figures say nothing."""
    answer = json.loads(asyncio.run(_one(port, history)))
    loaded = load_model(model)
    expected = recommend(loaded, history_of(loaded, history), K).to_frame()["item"].to_list()
    found = [item["item"] for item in answer["items"]]
    assert len(set(found) & set(expected)) >= K - 1, f"{name} gives other lists"  # scores may differ in the last bit


def _in_process(model: Path, histories: list[list[int]]) -> float:
    """Median seconds of `recommend`, with one thread on the server's core."""
    code = (
        "import os, statistics, sys, time, json, torch; torch.set_num_threads(1); "
        "from recodiff import history_of, load_model, recommend; "
        f"model = load_model({str(model)!r}); found = []\n"
        "for history in json.load(sys.stdin):\n"
        f"    began = time.perf_counter(); recommend(model, history_of(model, history), {K}).to_frame(); "
        "found.append(time.perf_counter() - began)\n"
        "print(statistics.median(found))"
    )
    command = [*_pinned(0), sys.executable, "-c", code]
    done = subprocess.run(command, input=json.dumps(histories), capture_output=True, text=True, check=True, env=_environment())
    return float(done.stdout)


def _pinned(core: int) -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[min(core, len(cores) - 1)])]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "2000"}


@contextmanager
def _server(name: str, model: Path) -> Iterator[int]:
    """A server on the first core; its port."""
    if name == "service":
        store = f"sqlite:///{model.parent}/events.db"
        command = ["-m", "recodiff", "serve", str(model), "--store", store, "--port", "0", "--threads", "1"]
    else:
        command = [str(HERE), str(model)]
    process = subprocess.Popen([*_pinned(0), sys.executable, *command], stderr=subprocess.PIPE, text=True, env=_environment())
    assert process.stderr is not None
    port = next(int(line.rpartition("127.0.0.1:")[2].partition(";")[0]) for line in process.stderr if "127.0.0.1:" in line)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def _request(history: list[int]) -> bytes:
    body = json.dumps({"history": history, "k": K}).encode()
    head = (
        f"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _one(port: int, history: list[int]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(history))
    body = await _answer(reader)
    writer.close()
    return body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a request failed: {head[:100]!r}")
    length = next(int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return await reader.readexactly(length)


async def load(
    port: int, histories: list[list[int]], seconds: float, connections: int, most: int = 10**9
) -> tuple[list[float], float]:
    """Ask over several connections, each as soon as it has its answer.

    Args:
        port: of the server.
        histories: asked for in turn.
        seconds: for so long.
        connections: so many.
        most: requests at most.

    Returns:
        Seconds of each request, and of all.
    """
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    requests = [_request(history) for history in histories]
    took: list[float] = []
    began = time.perf_counter()

    async def ask(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < began + seconds and len(took) < most:
            start = time.perf_counter()
            writer.write(requests[number % len(requests)])
            await _answer(reader)
            took.append(time.perf_counter() - start)
            number += connections
        writer.close()

    await asyncio.gather(*(ask(number) for number in range(connections)))
    return took, time.perf_counter() - began


def plain(folder: str) -> None:
    """What is written in five minutes: a handler that calls `recommend`."""
    import socket

    import torch
    import uvicorn
    from fastapi import FastAPI

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
    plain(sys.argv[1])
