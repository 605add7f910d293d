"""How a peer answers: the first line of the input holds settings, every further one a request, all JSON; so is each answer.

Run by the interpreter of a peer's environment, which has torch but not this library.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ALLOCATOR = ("can't allocate memory", "not enough memory", "alloc_cpu")
"""How torch says that the CPU's memory is spent."""


def answer_requests(begin: Callable[[dict[str, Any]], Any]) -> None:
    """Answers until the input ends.

    Args:
        begin: makes the peer from its settings; its `about` answers the first line, and what a request's `do` names the request.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the peer's library prints is not an answer
    peer = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if peer is None:
                peer = begin(asked)
                answer: dict[str, Any] = peer.about()
            else:
                answer = getattr(peer, asked.pop("do"))(**asked)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and not any(words in str(error) for words in ALLOCATOR):
                raise
            answer = {"does not fit": str(error).splitlines()[0] if str(error) else "no memory"}
        answer["MB"] = _peak_memory()
        print(json.dumps(answer), file=answers)


def _peak_memory() -> float:
    """MB, measured as `machine.peak_memory` does, which stands in the other environment."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    held = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return held[0] if held else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
