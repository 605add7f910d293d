"""Which library multiplies float32 matrices on a CPU: for AMD's processors with AVX-512, oneDNN in place of MKL.

PyTorch hands float32 products to MKL, which on those processors leaves more than half of the machine unused; the oneDNN that comes
with PyTorch does not (`benchmarks/`, case `products`). The setting that gives them to oneDNN allows it to multiply in bfloat16
too. It does that with Intel's AMX alone, and here only where a product is seen to be float32's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import torch

UNSET, ONEDNN = "none", "bf16"
CPUINFO = Path("/proc/cpuinfo")


class _Within:
    """A count of the threads within `fast_products`: the first sets what holds for the whole process, the last unsets it."""

    def __init__(self) -> None:
        self.lock, self.count = Lock(), 0

    def enter(self) -> bool:
        """Whether it counts: the setting is on by our doing."""
        with self.lock:
            if not self.count:
                if getattr(_settings(), "fp32_precision", None) != UNSET or not _better():
                    return False
                _settings().fp32_precision = ONEDNN
            self.count += 1
            return True

    def leave(self) -> None:
        """After every `enter` that counted; what other code has set meanwhile stays."""
        with self.lock:
            self.count -= 1
            if not self.count and _settings().fp32_precision == ONEDNN:
                _settings().fp32_precision = UNSET


_within = _Within()
if hasattr(os, "register_at_fork"):  # a lock that another thread held would stay locked in the child
    os.register_at_fork(after_in_child=lambda: setattr(_within, "lock", Lock()))


@contextmanager
def fast_products(device: torch.device | None = None) -> Iterator[None]:
    """A context in which the faster library makes float32 products; the numbers are float32 either way, their rounding differs.

    It does nothing on other processors, or where other code has set `torch.backends.mkldnn.matmul.fp32_precision`: "ieee" keeps
    PyTorch's own. Within, `torch.get_float32_matmul_precision()` cannot answer.

    Args:
        device: where the products are made; the CPU unless given.
    """
    entered = (device is None or device.type == "cpu") and _within.enter()
    try:
        yield
    finally:
        if entered:
            _within.leave()


def _settings() -> Any:
    return getattr(torch.backends.mkldnn, "matmul", None)  # PyTorch 2.9 and later


@cache
def _better() -> bool:
    """Whether this is such a processor, and oneDNN keeps all bits of float32 on it."""
    try:
        about = CPUINFO.read_text("utf-8", "replace")
    except OSError:
        return False
    if "AuthenticAMD" not in about or "avx512f" not in about or "amx_tile" in about or not torch.backends.mkldnn.is_available():
        return False
    settings = _settings()
    settings.fp32_precision = ONEDNN
    try:
        fine = torch.full((256, 256), 1 + 2.0**-20)  # what bfloat16 and TF32 would round to 1
        return bool((fine @ torch.eye(256) == fine).all())
    finally:
        settings.fp32_precision = UNSET
