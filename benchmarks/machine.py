"""What every measurement needs: the machine, its matrix rate, and time taken by the median of repeats."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from recodiff.experiments.runs.provenance import commit
from recodiff.runtime.float32 import fast_products

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real data, where it stands beside the checkout."""


def machine() -> dict[str, Any]:
    """Name of the processor, cores, versions, commit and date."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def matrix_rate(size: int = 2048, repeats: int = 5, dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations a second of the best of five products of square matrices, as the library makes them."""
    with fast_products():
        return plain_rate(size, repeats, dtype)


def plain_rate(size: int = 2048, repeats: int = 5, dtype: torch.dtype = torch.float32) -> float:
    """The same as PyTorch makes them unless told otherwise."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return 2 * size**3 / min(times(lambda: a @ b, repeats))


_noted: dict[int, list[float]] = defaultdict(list)


def note_rate() -> None:
    """Measures the matrix rate now, for `rates` to know what it was before a case: a guest's changes with its neighbours."""
    _noted[torch.get_num_threads()].append(matrix_rate())


def rates(flops_a_second: float | None = None, *, along: bool = False) -> dict[str, float]:
    """The best matrix rate noted so far with as many threads, and what share of it something reached.

    With `along` the median in place of the best, for a case that noted it all along.

    Beside it the lowest, where it was a tenth or more below, and PyTorch's own rate, where it is another (see
    `recodiff.runtime.float32`).
    """
    note_rate()
    noted = _noted[torch.get_num_threads()]
    best, worst = statistics.median(noted) if along else max(noted), min(noted)
    found = {"matrix rate GFLOP/s": best / 1e9}
    found |= {"matrix rate at its lowest, GFLOP/s": worst / 1e9} if worst < 0.9 * best else {}
    own = plain_rate() if _is_another() else None
    found |= {} if own is None else {"PyTorch's own GFLOP/s": own / 1e9}
    if flops_a_second is not None:
        found["of matrix rate"] = flops_a_second / best
        found |= {} if own is None else {"of PyTorch's own matrix rate": flops_a_second / own}
    return found


def _is_another() -> bool:
    setting: Any = getattr(torch.backends.mkldnn, "matmul")  # noqa: B009 (unknown to its stubs)
    before = setting.fp32_precision
    with fast_products():
        return setting.fp32_precision != before


def times(call: Callable[[], object], repeats: int, *, warm_up: int = 1) -> list[float]:
    """Seconds of each of `repeats` calls."""
    for _ in range(warm_up):
        call()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


def median(call: Callable[[], object], repeats: int, *, warm_up: int = 1) -> float:
    """Median seconds of a call."""
    return statistics.median(times(call, repeats, warm_up=warm_up))


def peak_memory() -> float:
    """Peak resident memory of this program so far, MB of 2^20 bytes.

    Not of the one that started it, whose peak `getrusage` hands on.
    """
    return _of_status("VmHWM")


def forget_peak() -> None:
    """From here on `peak_memory` tells of what comes; where the system lets a program ask for that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def resident_memory() -> float:
    """Resident memory of this program now, MB of 2^20 bytes."""
    return _of_status("VmRSS")


def _of_status(name: str) -> float:
    import resource

    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    held = [int(line.split()[1]) / 1024 for line in lines if line.startswith(name)]
    return held[0] if held else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
