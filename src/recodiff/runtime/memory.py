"""Memory: how much is free, and the C allocator asked to keep freed blocks for the next batch.

glibc gives large blocks back to the system when they are freed, so that every batch pays for its pages anew. At the released
ML-1M network that is some 5,500 page faults a training step, a sixth of it.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from recodiff.errors import ConfigError

GIB = 2**30
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 2**30
"""Freed memory up to this much stays with the process."""
LARGE_BYTES = 2**27
"""Blocks from here on are the system's: kept among smaller ones they leave holes that the next of them does not fit, and a training
over a million items grew from 8 GB to more than 20."""

MOST_USERS, FEW_USERS = 1024, 128
"""Users whose scores are made at once, at most; and fewer than which a product spends its time on reading the items."""
SCORING_BYTES, MOST_SCORING_BYTES = 2**28, 2**30
"""That the scores of one batch and a copy of them may take; and up to what there may be FEW_USERS in it."""


@cache
def keep_freed_memory() -> bool:
    """Ask the C allocator, once per process, to keep freed blocks.

    Returns:
        Whether that was possible: with glibc alone, and not where the user has set thresholds.
    """
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
    except (AttributeError, OSError, TypeError):  # another C library
        return False


def give_freed_memory_back() -> bool:
    """Ask the C allocator to give the system what it keeps of freed blocks, of every thread.

    Returns:
        Whether that was possible: with glibc alone.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return True


def available_memory() -> int | None:
    """Bytes free without swapping, by Linux and within the limit of a container; None where the system does not say."""
    try:
        lines = (PROC / "meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    try:
        most, taken = (int((CGROUP / f"memory.{name}").read_text("ascii")) for name in ("max", "current"))
    except (OSError, ValueError):  # no container, or "max"
        return free
    return min(free, max(most - taken + _given_back_at_need(), 0))


def need_memory(size: int, what: str, remedy: str) -> None:
    """Refuse what cannot fit into the memory that is free, before any of it is made.

    Args:
        size: bytes that it takes, 0 or more; a system that does not say what is free refuses nothing.
        what: takes them, with its value, as the beginning of the sentence.
        remedy: how the sentence ends.

    Raises:
        ConfigError: more than is free.
    """
    free = available_memory()
    if free is not None and size > free:
        raise ConfigError(f"{what} takes about {size / GIB:,.2f} GiB, and {free / GIB:,.2f} GiB are free; {remedy}")


def _given_back_at_need() -> int:
    """Bytes of files that were read, which a container's `memory.current` counts and the system drops where room is wanted."""
    try:
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text("ascii").splitlines())
        return int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


def users_at_once(n_items: int, *, products: bool) -> int:
    """The number of users whose scores are made at once, 1 to MOST_USERS.

    Args:
        n_items: I, the items that are scored here.
        products: whether scores are inner products, so that nothing else is as large as the scores [B, I].
    """
    each = 8 * max(n_items, 1)
    usual, roomy = SCORING_BYTES // each, MOST_SCORING_BYTES // each if products else 0
    return max(1, min(MOST_USERS, max(usual, min(FEW_USERS, roomy))))
