"""Random draws that depend on a key and on nothing else.

A generator keyed by (seed, purpose, step) makes a resumed run draw what the uninterrupted run would have drawn, and lets several
processes agree without a message. Shapes: `B` rows of a batch, `D` width of a row.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from recodiff.moved import old_names

PIECE, LEAST_PIECES = 2**16, 4
"""Numbers that one generator draws of an array with at least so many such pieces."""


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is a function of a key and the kind of device.

    Args:
        key: numbers and words in their order, for example (seed, "step", 3).
        device: where it draws.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@dataclass(frozen=True)
class BatchSlice:
    """The rows of a batch that this process has, where several processes share the batch.

    Args:
        start: the first row.
        stop: one beyond the last row; at least `start` + 1.
        total: B, rows of the whole batch.
        counts: False where there are fewer rows than processes and the one row here belongs to another process.
        join: makes of one number per row here [b] the numbers of the whole batch [B]; all processes call it.
    """

    start: int
    stop: int
    total: int
    counts: bool
    join: Callable[[Tensor], Tensor]


class SliceGenerator(torch.Generator):
    """A generator for a batch of which this process has a slice.

    `by_row` draws for the whole batch, so the processes together draw what one process would have drawn.
    """

    batch_slice: BatchSlice


def batch_slice_of(generator: object) -> BatchSlice | None:
    """The rows of the batch that this process has; None where it has all of them.

    Args:
        generator: of the batch, or None.
    """
    return getattr(generator, "batch_slice", None)


def by_row(shape: Sequence[int], generator: object, draw: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
    """Draw for the rows here, cut from draws for the whole batch.

    Args:
        shape: of the result; its first number is that of the rows here, or a multiple of it.
        generator: the one that `draw` draws from.
        draw: shape -> draws.

    Returns:
        The draws of `shape`.
    """
    here = batch_slice_of(generator)
    if here is None:
        return draw(tuple(shape))
    each, rest = divmod(shape[0], here.stop - here.start)
    assert rest == 0
    return draw((each * here.total, *shape[1:]))[each * here.start : each * here.stop]


def filled(x: Tensor, generator: torch.Generator | None, fill: Callable[[Tensor, torch.Generator | None], object]) -> Tensor:
    """Fill `x` with random numbers; on a CPU all threads fill a large array together.

    The numbers follow from the generator and the shape, not from the number of threads. Each PIECE of a large array has a
    generator of its own, whose seed is drawn from the given one. Torch's generator of a CPU takes 32 bits of it.

    Args:
        x: contiguous, any shape; written over.
        generator: on the same device; torch's own where None.
        fill: fills a tensor from a generator.

    Returns:
        `x`.
    """
    pieces = x.view(-1).split(PIECE)
    if len(pieces) < LEAST_PIECES or generator is None or x.device.type != "cpu":
        fill(x, generator)
        return x
    seeds = torch.empty(len(pieces), dtype=torch.int64).random_(generator=generator).tolist()
    inference = torch.is_inference_mode_enabled()

    def one(piece: Tensor, seed: int) -> None:
        with torch.inference_mode(inference):  # which other threads know nothing of
            fill(piece, torch.Generator().manual_seed(seed))

    threads = torch.get_num_threads()
    for _ in _pool(threads).map(one, pieces, seeds) if threads > 1 else map(one, pieces, seeds):
        pass
    return x


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recodiff-draws")


if hasattr(os, "register_at_fork"):  # a forked child has the pool and not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def normal_like(x: Tensor, generator: torch.Generator | Sequence[torch.Generator] | None) -> Tensor:
    """Standard normal draws of the shape of `x`.

    Args:
        x: [B, D]; its device and type are those of the draws.
        generator: one for all rows, or one for each row.

    Returns:
        [B, D].
    """
    if isinstance(generator, Sequence):
        return torch.stack([torch.empty_like(row).normal_(generator=own) for row, own in zip(x, generator, strict=True)])
    return by_row(
        x.shape, generator, lambda shape: filled(x.new_empty(shape), generator, lambda part, own: part.normal_(generator=own))
    )


def keep_mask(shape: tuple[int, int], p: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """A boolean mask for dropout that is True with probability 1 - p.

    Four 16-bit numbers are cut from each 64-bit draw, which is some ten times cheaper on a CPU than a Bernoulli draw
    per element; p is thereby rounded to a multiple of 2^-16.

    Args:
        shape: of the mask, (B, D).
        p: share of False, in [0, 1).
        like: a tensor on the device where the mask is made.
        generator: on the same device.

    Returns:
        bool [B, D].
    """
    n = shape[0] * shape[1]
    bits = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device)
    filled(bits, generator, lambda part, own: part.random_(-(2**63), None, generator=own))
    threshold = min(round(p * 2**16), 2**16 - 1) - 2**15  # 2^15 would wrap round in 16 bits and keep all
    return (bits.view(torch.int16)[:n] >= threshold).view(shape)


@dataclass(frozen=True)
class Kept:
    """The entries of rows that dropout keeps.

    Args:
        mask: True at the entries that stay, bool [B, D].
        p: share of the entries that are zeroed, in [0, 1).
    """

    mask: Tensor
    p: float

    def of(self, x: Tensor) -> Tensor:
        """The rows with zero at the dropped entries; the kept ones are yet to be multiplied by `growth`.

        Args:
            x: [B, D].
        """
        return x * self.mask.view(torch.int8)  # a CPU takes four times as long over `torch.where` on a mask that follows no rule

    @property
    def growth(self) -> float:
        """The factor 1 / (1 - p) of what is kept."""
        return 1 / (1 - self.p)


def keep_rows(x: Tensor, p: float, generator: torch.Generator) -> Kept:
    """Draw which entries of rows dropout keeps.

    Args:
        x: the rows, [B, D].
        p: share of the entries that are zeroed, in [0, 1).
        generator: on the rows' device.
    """
    return Kept(by_row(x.shape, generator, lambda shape: keep_mask((shape[0], shape[1]), p, x, generator)), p)


__getattr__ = old_names(__name__)
