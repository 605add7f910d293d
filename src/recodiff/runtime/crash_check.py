"""Reading that may end its whole process, tried in another one first.

A Parquet file whose pages are damaged can have polars ask for more memory than any machine has, and a Rust program then aborts:
no `except` sees it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from recodiff.errors import RecodiffError

T = TypeVar("T")
POOLS = re.compile(r"polars-\d|async-executo|tokio-rt")
"""Names of the threads that polars works with, from the first time it works."""
TASKS = Path("/proc/self/task")
LEAST, BYTES_A_SECOND = 30.0, 10_000_000
_PAUSE = 0.005
"""Seconds between two looks at the other process."""
DECODE = """import sys, polars
for path in sys.argv[1:]:
    scan = polars.scan_parquet if path.lower().endswith((".parquet", ".pq")) else polars.scan_ipc
    for batch in scan(path, glob=False).collect_batches():
        pass"""


def crash_checked(paths: Sequence[Path], read: Callable[[], T], error: type[RecodiffError], remedy: str) -> T:
    """The answer of `read`, unless it would end the process.

    Reading twice is the price: nothing else sees the damage before polars decodes the pages, and it costs about a twentieth of
    what `prepare` takes. The other process has `LEAST` seconds and one for each `BYTES_A_SECOND` bytes; then it is killed, and the
    file is read here, since slowness is no damage.

    Args:
        paths: the files that it reads, of Parquet or Arrow.
        read: reads them; it is called twice, the first time in another process.
        error: what is raised.
        remedy: how the sentence ends.

    Raises:
        RecodiffError: of the kind `error`: reading would end the process; whatever else `read` raises.
    """
    limit = LEAST + sum(path.stat().st_size for path in paths if path.is_file()) / BYTES_A_SECOND
    if _in_a_copy(read, limit) if _may_fork() else _in_a_new_one(paths, limit):
        raise error(f"'{paths[0]}' is damaged in a way that ends the program that reads it; {remedy}")
    return read()


def _may_fork() -> bool:
    """Whether a copy of this process can work: its threads are not copied, and polars would wait for those that it has begun."""
    try:
        return not any(POOLS.match((task / "comm").read_text()) for task in TASKS.iterdir())
    except OSError:
        return False


def _in_a_copy(read: Callable[[], object], limit: float) -> bool:
    """Whether a signal ends a copy of this process that reads, other than ours after so many seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: those that matter have not begun
        child = os.fork()
    if child == 0:
        code = 1
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            read()
            code = 0
        finally:
            os._exit(code)
    try:
        until = time.monotonic() + limit
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return False
            time.sleep(_PAUSE)
        return os.WIFSIGNALED(ended[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _in_a_new_one(paths: Sequence[Path], limit: float) -> bool:
    """Whether a new process that decodes the files ends otherwise than a Python program does, within so many seconds."""
    if not sys.executable:
        return False
    try:
        done = subprocess.run([sys.executable, "-c", DECODE, *map(str, paths)], capture_output=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode not in (0, 1)
