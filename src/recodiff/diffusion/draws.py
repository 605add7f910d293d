"""Random draws that depend on a key and on nothing else.

A generator keyed by (seed, what for, step) makes a resumed run draw what the uninterrupted run would have drawn, and
lets several processes agree without talking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is a function of `key` (and the kind of device)."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def normal_like(x: Tensor, generator: torch.Generator | Sequence[torch.Generator] | None) -> Tensor:
    """Standard normal draws of the shape of `x` [B, D], all from one generator or each row from its own."""
    if isinstance(generator, Sequence):
        return torch.stack([torch.empty_like(row).normal_(generator=own) for row, own in zip(x, generator, strict=True)])
    return torch.empty_like(x).normal_(generator=generator)


def keep_mask(shape: tuple[int, int], p: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """A boolean mask that is True with probability 1 - p, for dropout.

    Four 16-bit numbers are cut from each 64-bit draw, which is some ten times cheaper on a CPU than a Bernoulli draw
    per element; p is thereby rounded to a multiple of 2^-16.

    Args:
        shape: of the mask.
        p: share of False, in [0, 1).
        like: a tensor on the device wanted.
        generator: on the same device.
    """
    n = shape[0] * shape[1]
    bits = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device).random_(-(2**63), None, generator=generator)
    threshold = min(round(p * 2**16), 2**16 - 1) - 2**15  # 2^15 would wrap round in 16 bits and keep all
    return (bits.view(torch.int16)[:n] >= threshold).view(shape)
