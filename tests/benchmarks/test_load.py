"""The load generator counts what came back."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ANSWERS = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nboom",
    b"",  # the connection ends
]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks/ is not part of the source distribution")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("os.sched_setaffinity", lambda *_: None)
    return importlib.import_module("load")


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers with those in turn."""
    asked, ready, over = 0, threading.Event(), threading.Event()
    ports: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2].split()[0]))
                asked += 1
                writer.write(ANSWERS[(asked - 1) % len(ANSWERS)])
                if not ANSWERS[(asked - 1) % len(ANSWERS)]:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield ports[0]
    over.set()
    thread.join(10)


def test_answers_are_told_from_refusals_and_failures(generator: Any, port: int) -> None:
    found = generator.load(port, [generator.request("/x", {"a": 1})], 30.0, 1, most=5)
    assert len(found.took) == 5
    assert found.busy == 4
    assert [one[:6] for one in found.failed] == ["b'HTTP", "Incomp"] * 4
    assert "boom" in found.failed[0]


def test_a_rate_is_kept(generator: Any, port: int) -> None:
    found = generator.load(port, [generator.request("/x", {})], 1.0, 2, rate=40.0)
    assert 0 < len(found.took) + found.busy + len(found.failed) <= 42  # a connection may have one more
