"""The C allocator, told to keep freed memory for the next batch.

glibc gives large blocks back to the system when they are freed, so that every batch pays for its pages anew: some 5,500 page
faults a training step at the released ML-1M network, a sixth of the step.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 2**30
"""Freed memory up to this much stays with the process."""


@cache
def keep_freed_memory() -> bool:
    """Asks for it once per process; whether that was possible (glibc only, and not where the user has set thresholds)."""
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
    except (AttributeError, OSError, TypeError):  # another C library
        return False
