"""The service under load, in memory and over minutes, beside a plain FastAPI handler and beside recotem.

Server and generator have a core each. Servers that are compared get the same requests in turns, in the same run.

    python benchmarks/run.py service_small service_large service_peer service_workers service_lasting
    python benchmarks/service.py service_lasting --minutes 1      prints its row, and keeps nothing
    python benchmarks/service.py service_large --items 5000       the same with a small catalogue
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from load import Loaded, load, one, request
from recodiff import history_of, load_model, recommend, save_model
from scale import ITEMS
from servers import Server, environment, pinned, plain, recotem, service

CONNECTIONS, K, LENGTH = 64, 20, 29
"""Requests under way at once, length of a list, items of a history."""
SECONDS, TURNS = 6.0, 3
"""Of load in one turn, and turns of each server."""
LONE = 300
"""Requests one after another."""
WORKERS = (2, 4)
"""Numbers of workers whose memory is compared."""
SHARE, RELOAD_SECONDS, EVENTS_A_SECOND = 0.8, 30.0, 20.0
"""Of the peak rate; between newer models; requests with events."""
Row = dict[str, Any]


def service_large(items: int = ITEMS) -> Row:
    """Both over an untrained model with a wide network over many items."""
    from ranking_speed import WIDTH

    return _beside_plain(items, WIDTH)


def service_small(items: int = 1008, width: int = 200) -> Row:
    """Both over a model of the demonstration's size."""
    return _beside_plain(items, width)


def _beside_plain(items: int, width: int) -> Row:
    histories = _histories(items)
    with TemporaryDirectory() as folder:
        model = _model(Path(folder) / "model", items, width)
        with service(model) as ours, plain(model) as other:
            for server in (ours, other):
                _check(server, model, histories[0])
            rates, late = _in_turns({"service": ours, "plain": other}, dict.fromkeys(("service", "plain"), _ours(histories)))
            lone = load(ours.port, _ours(histories), 60.0, 1, most=LONE).took
        alone = _in_process(model, histories[:LONE])
    return {
        "case": f"{CONNECTIONS} connections, {items:,} items, [{width}], k = {K}, server and generator a core each",
        "requests a second": rates["service"],
        "plain handler's": rates["plain"],
        "ratio": rates["service"] / rates["plain"],
        "p99 ms": late["service"] * 1e3,
        "plain handler's p99 ms": late["plain"] * 1e3,
        "a lone request, median ms": statistics.median(lone) * 1e3,
        "recommend in process, ms": alone * 1e3,
        "by recommend in process": statistics.median(lone) / alone,
        "its p99 by its median": float(np.quantile(lone, 0.99)) / statistics.median(lone),
    }


def service_peer(items: int = ITEMS, width: int = 200) -> Row:
    """Ours over DiffRec beside recotem 2.1 over IALS, vectors equally wide, the same histories of users whom neither knows.

    recotem needs Python 3.12 or later: `peer_env.sh recotem` looks for `python3.12`, or takes what PYTHON names. It answers at
    `:recommend-related`, which solves for the user of the items that are given and leaves these out.
    """
    histories = _histories(items)
    theirs = [
        request("/v1/recipes/bench:recommend-related", {"seed_items": [str(item) for item in one], "limit": K}) for one in histories
    ]
    with TemporaryDirectory() as folder:
        model = _model(Path(folder) / "model", items, width)
        with service(model) as ours, recotem(items, width, Path(folder)) as other:
            _check(ours, model, histories[0])
            answer = json.loads(asyncio.run(one(other.port, theirs[0])))
            found = {str(item["item_id"]) for item in answer["items"]}
            assert len(found) == K, f"recotem gives {len(found)} items"
            assert not found & {str(item) for item in histories[0]}, "recotem recommends what was seen"
            rates, late = _in_turns({"service": ours, "recotem": other}, {"service": _ours(histories), "recotem": theirs})
    return {
        "case": f"{CONNECTIONS} connections, {items:,} items, [{width}] beside recotem 2.1 with IALS of {width} factors, k = {K}",
        "requests a second": rates["service"],
        "recotem's": rates["recotem"],
        "ratio": rates["service"] / rates["recotem"],
        "p99 ms": late["service"] * 1e3,
        "recotem's p99 ms": late["recotem"] * 1e3,
    }


def service_workers(items: int = ITEMS, width: int | None = None) -> Row:
    """Memory of two and of four workers after some load, every page counted once (PSS)."""
    from ranking_speed import WIDTH

    width, histories = width or WIDTH, _histories(items)
    taken = {}
    with TemporaryDirectory() as folder:
        model = _model(Path(folder) / "model", items, width)
        weights = sum(file.stat().st_size for file in model.iterdir()) / 2**20
        for workers in WORKERS:
            with service(model, workers=workers, core=None) as server:
                load(server.port, _ours(histories), SECONDS * workers, CONNECTIONS)
                taken[workers] = server.memory()
    fewer, more = WORKERS
    return {
        "case": f"recodiff serve --workers, {items:,} items, [{width}], after {CONNECTIONS} connections",
        "MB of the model folder": weights,
        **{f"MB with {workers} workers": taken[workers] for workers in WORKERS},
        "MB that a further worker adds": (taken[more] - taken[fewer]) / (more - fewer),
    }


def service_lasting(minutes: float = 10.0, items: int = ITEMS, width: int = 200) -> Row:
    """A service for minutes at 80 % of its peak, with a newer model every 30 s and events written all along."""
    histories = _histories(items)
    with TemporaryDirectory() as folder:
        model = _model(Path(folder) / "model", items, width)
        with service(model) as server:
            load(server.port, _ours(histories), 1.0, CONNECTIONS)  # warm
            peak = load(server.port, _ours(histories), min(SECONDS, 10 * minutes), CONNECTIONS)
            rate = SHARE * len(peak.took) / peak.seconds
            beside = _Beside(server, model, items, width, 60 * minutes)
            loaded = load(server.port, _ours(histories), 60 * minutes, CONNECTIONS, rate=rate)
            beside.join()
    assert not beside.failed, f"{len(beside.failed)} requests with events failed, the first: {beside.failed[0]}"
    return {
        "case": f"{minutes:g} min at {SHARE:.0%} of the peak, {items:,} items, [{width}], a newer model every {beside.wait:g} s",
        "requests a second": rate,
        "requests": len(loaded.took),
        "failed": len(loaded.failed),
        "503 with Retry-After": loaded.busy,
        "p99 ms": float(np.quantile(loaded.took, 0.99)) * 1e3,
        "newer models taken up": beside.taken,
        "requests with events": beside.events,
        "resident MB after the first minute": beside.resident[0],
        "at the end": beside.resident[-1],
        "grows by": beside.resident[-1] / beside.resident[0] - 1,
    }


class _Beside(threading.Thread):
    """What goes on beside the load: newer models, events, and looks at the memory."""

    def __init__(self, server: Server, model: Path, items: int, width: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.server, self.model, self.items, self.width, self.seconds = server, model, items, width, seconds
        self.wait = min(RELOAD_SECONDS, seconds / 4)
        self.events, self.failed, self.resident, self.versions = 0, list[str](), list[float](), set[str]()
        self.start()

    def run(self) -> None:
        began, minute = time.monotonic(), min(60.0, self.seconds / 4)
        newer = began + self.wait
        while (now := time.monotonic()) < began + self.seconds:
            if now >= newer:
                newer, command = (
                    now + self.wait,
                    [*pinned(1), sys.executable, __file__, "--write", str(self.model)],
                )
                again = [*command, "--items", str(self.items), "--width", str(self.width), "--seed", str(int(now))]
                subprocess.run(again, check=True, env=environment(), capture_output=True)
            self._write_events()
            self.versions.add(json.loads(asyncio.run(_get(self.server.port, "/v1/model")))["version"])
            if now >= began + minute:
                self.resident.append(self.server.memory("Rss"))
            time.sleep(1 / EVENTS_A_SECOND)

    @property
    def taken(self) -> int:
        """How many newer models answered."""
        return len(self.versions) - 1

    def _write_events(self) -> None:
        given = {"events": [{"user": f"u{self.events % 1000}", "item": self.events % self.items}]}
        try:
            asyncio.run(one(self.server.port, request("/v1/events", given)))
            self.events += 1
        except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
            self.failed.append(repr(error))


async def _get(port: int, path: str) -> bytes:
    return await one(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())


def _model(folder: Path, items: int, width: int, seed: int = 0) -> Path:
    from ranking_speed import untrained

    save_model(untrained(items, width, seed), folder, overwrite=True)
    return folder


def _histories(items: int) -> list[list[int]]:
    g = np.random.default_rng(0)
    return [g.choice(items, LENGTH, replace=False).tolist() for _ in range(500)]


def _ours(histories: list[list[int]]) -> list[bytes]:
    return [request("/v1/recommend", {"history": history, "k": K}) for history in histories]


def _in_turns(servers: Mapping[str, Server], requests: Mapping[str, list[bytes]]) -> tuple[dict[str, float], dict[str, float]]:
    """Medians over the turns of requests a second, and of the 99th percentile of seconds."""
    runs: dict[str, list[Loaded]] = {name: [] for name in servers}
    for name, server in servers.items():
        load(server.port, requests[name], 1.0, CONNECTIONS)  # warm
    for _ in range(TURNS):
        for name, server in servers.items():
            found = load(server.port, requests[name], SECONDS, CONNECTIONS)
            assert not found.failed, f"{name}: {found.failed[0]}"
            runs[name].append(found)
    rates = {name: statistics.median(len(one.took) / one.seconds for one in found) for name, found in runs.items()}
    return rates, {name: statistics.median(float(np.quantile(one.took, 0.99)) for one in found) for name, found in runs.items()}


def _check(server: Server, model: Path, history: list[int]) -> None:
    """The server gives the lists of the library, or the figures say nothing."""
    answer = json.loads(asyncio.run(one(server.port, _ours([history])[0])))
    loaded = load_model(model)
    expected = recommend(loaded, history_of(loaded, history), K).to_frame()["item"].to_list()
    found = [item["item"] for item in answer["items"]]
    assert len(set(found) & set(expected)) >= K - 1, "it gives other lists"  # scores may differ in the last bit


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
    command = [*pinned(0), sys.executable, "-c", code]
    done = subprocess.run(command, input=json.dumps(histories), capture_output=True, text=True, check=True, env=environment())
    return float(done.stdout)


CASES = (service_small, service_large, service_peer, service_workers, service_lasting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", choices=[case.__name__ for case in CASES])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--items", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)  # another model, in a process of its own
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write is not None:
        _model(asked.write, asked.items, asked.width, asked.seed)
        return
    case = next((case for case in CASES if case.__name__ == asked.case), None)
    if case is None:
        parser.error("name a case")
    given = {name: value for name, value in vars(asked).items() if name in inspect.signature(case).parameters and value is not None}
    print(json.dumps(case(**given), indent=1))


if __name__ == "__main__":
    main()
