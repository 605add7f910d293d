"""Which library multiplies float32 matrices on a CPU: for AMD's processors with AVX-512, oneDNN in place of MKL.

PyTorch hands float32 products to MKL, which on those processors leaves more than half of the machine unused; the oneDNN that comes
with PyTorch does not (`benchmarks/`, case `products`). The setting that gives them to oneDNN allows it to multiply in bfloat16
too. It does that with Intel's AMX alone, and here only where a product is seen to be float32's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

UNSET, ONEDNN = "none", "bf16"
CPUINFO = Path("/proc/cpuinfo")


@contextmanager
def fast_products() -> Iterator[None]:
    """Float32 products by the faster library within; numbers are float32's either way, their rounding differs.

    Does nothing on other processors, or where `torch.backends.mkldnn.matmul.fp32_precision` has been set by somebody else.
    """
    settings = _settings()
    if getattr(settings, "fp32_precision", None) != UNSET or not _better():
        yield
        return
    settings.fp32_precision = ONEDNN
    try:
        yield
    finally:
        settings.fp32_precision = UNSET


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
