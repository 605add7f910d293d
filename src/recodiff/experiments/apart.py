"""A training in a process of its own, for its peak memory."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from recodiff.errors import ModelError

MB = 2**20
LATE_IMPORTS = ("scipy.linalg", "scipy.sparse.linalg", "sklearn.cluster")
"""Imported by some models when they first need them: their code is no memory of the model's."""
T = TypeVar("T")


class Peak(NamedTuple):
    """Memory.

    Args:
        megabytes: at the peak.
        of: what, in words.
    """

    megabytes: float
    of: str


def kind_of(device: str) -> str:
    """What is measured where a model trains on `device`."""
    return "CUDA allocator" if _on_gpu(device) else "resident beyond the imports"


def call_apart(call: Callable[..., T], *arguments: object, device: str, imports: Sequence[str] = LATE_IMPORTS) -> tuple[T, Peak]:
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
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_measured, call, arguments, device, imports).result()
    except BrokenProcessPool:
        raise ModelError("its process was killed, most likely for want of memory; free some of it") from None


def _measured(call: Callable[..., T], arguments: tuple[object, ...], device: str, imports: Sequence[str]) -> tuple[T, Peak]:
    """Unpickling `call` has imported what it needs at once, and the rest follows: what stands here then is the baseline."""
    for name in imports:
        with suppress(ImportError):
            importlib.import_module(name)
    baseline = _resident("VmRSS")
    answer = call(*arguments)
    peak = _allocated(device) if _on_gpu(device) else _resident("VmHWM") - baseline
    return answer, Peak(round(peak, 1), kind_of(device))


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
