"""`recodiff serve` in processes of its own, asked over a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Running:
    """A service that answers.

    Args:
        process: that was started.
        address: to ask at.
        said: lines of standard error; more come while it runs.
    """

    process: subprocess.Popen[str]
    address: str
    said: list[str] = field(default_factory=list)

    def call(self, path: str, given: Any = None, key: str | None = None) -> Any:
        """The answer to one request over a connection of its own."""
        body = None if given is None else json.dumps(given).encode()
        headers = {"content-type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        with urllib.request.urlopen(urllib.request.Request(self.address + path, body, headers), timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if "json" in answer.headers["content-type"] else text.decode()

    def workers(self) -> list[int]:
        """Processes of its workers."""
        return [worker for server in children(self.process.pid) for worker in children(server)]


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


@contextmanager
def running(*arguments: object) -> Iterator[Running]:
    """`recodiff serve` with those arguments, on a free port, from its first answer on."""
    command = [sys.executable, "-m", "recodiff", "serve", *map(str, arguments), "--port", "0", "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if "Ctrl-C" in line:
            break
    else:
        raise AssertionError("".join(said))
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()))
    reader.start()
    try:
        yield Running(process, said[-1].rpartition(" at ")[2].partition(";")[0], said)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
