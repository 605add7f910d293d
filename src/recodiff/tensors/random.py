"""Random draws that depend on a key and on nothing else.

A generator keyed by (seed, what for, step) makes a resumed run draw what the uninterrupted run would have drawn, and
lets several processes agree without talking.
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

PIECE, LEAST_PIECES = 2**16, 4
"""Numbers that one generator draws of an array with at least so many such pieces."""


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose stream is a function of `key` (and the kind of device)."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@dataclass(frozen=True)
class Part:
    """Which rows of a batch are here, where several processes share it.

    Args:
        start: the first of them.
        stop: one beyond the last; there is at least one.
        total: B, rows of the whole batch.
        counts: False where there were too few rows for everybody, and the one here stands in for none.
        join: numbers of the rows here [b] -> those of the whole batch [B], from every process.
    """

    start: int
    stop: int
    total: int
    counts: bool
    join: Callable[[Tensor], Tensor]


class PartGenerator(torch.Generator):
    """The generator of a batch of which only a part is here: `by_row` draws for all of it, so that the processes together
    draw what one alone would have drawn.
    """

    part: Part


def part_of(generator: object) -> Part | None:
    """Which rows of the batch are here; None where all of them are."""
    return getattr(generator, "part", None)


def by_row(shape: Sequence[int], generator: object, draw: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
    """What `draw` makes for every row of the batch, of which the rows that are here are kept.

    Args:
        shape: of what is kept; the first number is that of the rows, or a multiple of it.
        generator: the one that `draw` draws from.
        draw: shape -> draws.
    """
    part = part_of(generator)
    if part is None:
        return draw(tuple(shape))
    each, rest = divmod(shape[0], part.stop - part.start)
    assert rest == 0
    return draw((each * part.total, *shape[1:]))[each * part.start : each * part.stop]


def filled(x: Tensor, generator: torch.Generator | None, fill: Callable[[Tensor, torch.Generator | None], object]) -> Tensor:
    """Random numbers in the place of those of `x`; on a CPU large arrays are filled by all threads.

    The numbers follow from the generator and the shape, not from how many threads there are: each PIECE of a large array has a
    generator of its own, whose seed is drawn from the given one (torch's generator of a CPU takes 32 bits of it).

    Args:
        x: contiguous; written over.
        generator: on the same device.
        fill: fills a tensor from a generator.
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
    """Standard normal draws of the shape of `x` [B, D], all from one generator or each row from its own."""
    if isinstance(generator, Sequence):
        return torch.stack([torch.empty_like(row).normal_(generator=own) for row, own in zip(x, generator, strict=True)])
    return by_row(
        x.shape, generator, lambda shape: filled(x.new_empty(shape), generator, lambda part, own: part.normal_(generator=own))
    )


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
    bits = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device)
    filled(bits, generator, lambda part, own: part.random_(-(2**63), None, generator=own))
    threshold = min(round(p * 2**16), 2**16 - 1) - 2**15  # 2^15 would wrap round in 16 bits and keep all
    return (bits.view(torch.int16)[:n] >= threshold).view(shape)


@dataclass(frozen=True)
class Kept:
    """What dropout leaves of rows [B, D].

    Args:
        mask: True at the entries that stay, [B, D].
        p: share of those that are taken away, in [0, 1).
    """

    mask: Tensor
    p: float

    def of(self, x: Tensor) -> Tensor:
        """The rows with nought for what is taken away; what stays has yet to grow by `growth`."""
        return x * self.mask.view(torch.int8)  # a CPU takes four times as long over `torch.where` on a mask that follows no rule

    @property
    def growth(self) -> float:
        """1 / (1 - p)."""
        return 1 / (1 - self.p)


def keep_rows(x: Tensor, p: float, generator: torch.Generator) -> Kept:
    """Dropout for the rows of `x` [B, D]."""
    return Kept(by_row(x.shape, generator, lambda shape: keep_mask((shape[0], shape[1]), p, x, generator)), p)
