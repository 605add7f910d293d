"""Load on an HTTP server: requests over connections that stay open, as fast as answers come or at a given rate.

The generator keeps to the last core, so that a server on the first has that to itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Loaded:
    """What came of some load.

    Args:
        took: seconds of each request that was answered with 200.
        failed: first lines of other answers, and errors of connections.
        busy: answers of 503 with Retry-After.
        seconds: of the whole.
    """

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    busy: int = 0
    seconds: float = 0.0


def request(path: str, body: dict[str, Any]) -> bytes:
    """A POST of JSON."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to a request."""
    writer.write(what)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return head, await reader.readexactly(length)


async def one(port: int, what: bytes) -> bytes:
    """The body of one answer, over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, body = await exchange(reader, writer, what)
    writer.close()
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a request failed: {head[:60]!r} {body[:200]!r}")
    return body


def load(
    port: int, requests: Sequence[bytes], seconds: float, connections: int, *, most: int = 10**9, rate: float | None = None
) -> Loaded:
    """Ask over several connections.

    Args:
        port: of the server.
        requests: asked in turn.
        seconds: for so long.
        connections: so many.
        most: requests at most.
        rate: requests a second over all connections; each follows the answer before it unless given. A request that is late
            counts from when it was due.
    """
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    return asyncio.run(_load(port, requests, seconds, connections, most, rate))


async def _load(port: int, requests: Sequence[bytes], seconds: float, connections: int, most: int, rate: float | None) -> Loaded:
    found, began = Loaded(), time.perf_counter()

    async def ask(number: int) -> None:
        reader = writer = None
        step = None if rate is None else connections / rate
        due = began if step is None else began + step * number / connections
        while due < began + seconds and time.perf_counter() < began + seconds and len(found.took) < most:
            if step is not None:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert reader is not None
                start = time.perf_counter() if step is None else due
                head, body = await exchange(reader, writer, requests[number % len(requests)])
            except (OSError, asyncio.IncompleteReadError) as error:
                found.failed.append(repr(error))
                reader = writer = None
            else:
                _note(found, head, body, time.perf_counter() - start)
            number += connections
            due = time.perf_counter() if step is None else due + step
        if writer is not None:
            writer.close()

    await asyncio.gather(*(ask(number) for number in range(connections)))
    found.seconds = time.perf_counter() - began
    return found


def _note(found: Loaded, head: bytes, body: bytes, took: float) -> None:
    if head.startswith(b"HTTP/1.1 200"):
        found.took.append(took)
    elif head.startswith(b"HTTP/1.1 503") and b"retry-after" in head.lower():
        found.busy += 1
    else:
        found.failed.append(f"{head[:40]!r} {body[:200]!r}")
