"""Peak memory of a training, measured in a process of its own."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

from recodiff.errors import ModelError, RecodiffError
from recodiff.moved import old_names

MB = 2**20
LATE_IMPORTS = ("scipy.linalg", "scipy.sparse.linalg", "sklearn.cluster")
"""Imported by some models when they first need them: their code is no memory of the model's."""
SAFE_PATH = "PYTHONSAFEPATH"
LEAVE_SECONDS = 10
"""How long a process that has answered may take to end."""
T = TypeVar("T")


class Peak(NamedTuple):
    """Memory.

    Args:
        megabytes: at the peak.
        of: what, in words.
    """

    megabytes: float
    of: str


def memory_kind(device: str) -> str:
    """The meaning of peak memory where a model trains on `device`, in words."""
    return "CUDA allocator" if _on_gpu(device) else "resident beyond the imports"


def call_in_process(
    call: Callable[..., T], *arguments: object, device: str, imports: Sequence[str] = LATE_IMPORTS
) -> tuple[T, Peak]:
    """The answer of `call` in a fresh process, and the peak memory of that process.

    Args:
        call: a function of a module, its arguments and its answer such as can be pickled.
        arguments: its arguments.
        device: where it works.
        imports: modules to have before, where they are installed.

    Raises:
        ModelError: the process was killed.
        Exception: what `call` raised.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, call, arguments, device, imports), daemon=True)
    with _ignore_interrupts(), _without_this_folder():  # inherited: this process alone reports an interruption
        process.start()
    theirs.close()
    try:
        error, answer = ours.recv()
        process.join(LEAVE_SECONDS)
    except (EOFError, OSError):  # it ended before its answer, or within it
        process.join()
        killed = process.exitcode == -signal.SIGKILL
        why = (
            "was killed, most likely because memory ran out; free some memory"
            if killed
            else f"ended with {process.exitcode}; run it again"
        )
        raise ModelError(f"its process {why}") from None
    finally:
        process.terminate()
        process.join()
    if error is not None:
        raise error from RuntimeError(f"in a process of its own:\n{answer}")
    return answer


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _without_this_folder() -> Iterator[None]:
    """A new Python looks for modules in the folder of the call first, until it is given the path of the one that began it."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _answer(
    to: Connection, call: Callable[..., object], arguments: tuple[object, ...], device: str, imports: Sequence[str]
) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it is writing is cleared away
    try:
        to.send((None, _measured(call, arguments, device, imports)))
    except Exception as error:  # whatever it is, the process that asked raises it again
        to.send((_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error, or one of ours in place of a class that may not survive the way between processes."""
    known = isinstance(error, RecodiffError) or type(error).__module__ == "builtins"
    return error if known else ModelError(f"{type(error).__name__}: {error}")


def _measured(call: Callable[..., T], arguments: tuple[object, ...], device: str, imports: Sequence[str]) -> tuple[T, Peak]:
    """The answer and its peak. Unpickling `call` has imported what it needs, the late imports follow: that is the baseline."""
    for name in imports:
        with suppress(ImportError):
            importlib.import_module(name)
    baseline = _resident("VmRSS")
    answer = call(*arguments)
    peak = _allocated(device) if _on_gpu(device) else _resident("VmHWM") - baseline
    return answer, Peak(round(peak, 1), memory_kind(device))


def _on_gpu(device: str) -> bool:
    return device.startswith("cuda")


def _allocated(device: str) -> float:
    import torch

    return torch.cuda.max_memory_allocated(device) / MB


def _resident(field: str) -> float:
    """Resident memory of this process, MB: `VmRSS` now, `VmHWM` at its peak; the peak for both where there is no Linux.

    On Linux ru_maxrss will not do: it begins with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) / 1024 for line in status.read_text("ascii").splitlines() if line.startswith(f"{field}:"))
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MB if sys.platform == "darwin" else peak / 1024


__getattr__ = old_names(__name__)
