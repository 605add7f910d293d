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
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from recodiff.errors import RecodiffError

T = TypeVar("T")
POOLS = re.compile(r"polars-\d|async-executo|tokio-rt")
"""Names of the threads that polars works with, from the first time it works."""
TASKS = Path("/proc/self/task")
DECODE = "import sys, polars\nfor path in sys.argv[1:]:\n    polars.scan_parquet(path, glob=False).collect()"


def crash_checked(paths: Sequence[Path], read: Callable[[], T], error: type[RecodiffError], remedy: str) -> T:
    """The answer of `read`, unless it would end the process.

    Args:
        paths: the Parquet files that it reads.
        read: reads them; it is called twice, the first time in another process.
        error: what is raised.
        remedy: how the sentence ends.

    Raises:
        RecodiffError: of the kind `error`: reading would end the process; whatever else `read` raises.
    """
    if _in_a_copy(read) if _may_fork() else _in_a_new_one(paths):
        raise error(f"'{paths[0]}' is damaged in a way that ends the program that reads it; {remedy}")
    return read()


def _may_fork() -> bool:
    """Whether a copy of this process can work: its threads are not copied, and polars would wait for those that it has begun."""
    try:
        return not any(POOLS.match((task / "comm").read_text()) for task in TASKS.iterdir())
    except OSError:
        return False


def _in_a_copy(read: Callable[[], object]) -> bool:
    """Whether a signal ends a copy of this process that reads."""
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
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _in_a_new_one(paths: Sequence[Path]) -> bool:
    """Whether a new process that decodes the files ends otherwise than a Python program does."""
    if not sys.executable:
        return False
    done = subprocess.run([sys.executable, "-c", DECODE, *map(str, paths)], capture_output=True, check=False)
    return done.returncode not in (0, 1)
