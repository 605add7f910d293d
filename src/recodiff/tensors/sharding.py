"""Shares of the catalogue: each process has the weights of some of the items, and sums over items are added up.

Between the hidden layers nothing is as wide as the catalogue: W x, W W', V'V and the loss are sums over items. So a process that
has the rows of W' and V of its items, and sees the entries that a batch has among them, makes its term of each sum; the sums
([B, h], [h, h], [B]) are all that travels. What stands between the sums is done by every process alike.

Shapes: `B` rows, `I` items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from recodiff.tensors.rows import Rows

DRAWN_AT_ONCE = 2**22
"""Of the numbers of a whole layer, to keep those of the items here."""
DRAWN_TOGETHER = 16
"""torch's normal numbers on a CPU come out sixteen at a time: blocks of such lengths continue one another."""


class AllItems:
    """The share of a process that has all items: nothing is added up."""

    def width(self, total: int) -> int:
        """The number of items here, of `total` in the catalogue."""
        return total

    def own(self, rows: Rows) -> Rows:
        """The entries of rows that are here, [B, items here].

        Args:
            rows: [B, I].
        """
        return rows

    def pick(self, items: Tensor, beside: Tensor) -> tuple[Tensor, Tensor]:
        """The items that are here.

        Args:
            items: int64 [n], of the whole catalogue.
            beside: a number for each, [n].

        Returns:
            The places of those here among the items here, int64 [m], and their numbers [m].
        """
        return items, beside

    def add_up(self, x: Tensor) -> Tensor:
        """The sum over the processes of a tensor that each has made from its items.

        Args:
            x: of the same shape in all processes.
        """
        return x

    def hand_out(self, x: Tensor) -> Tensor:
        """The tensor that all processes have alike and use with their own items: its gradients are added up.

        Args:
            x: of any shape, the same in all processes.
        """
        return x

    def logsumexp(self, x: Tensor) -> Tensor:
        """The logarithm of the sum over the processes of exp(x); the shape stays.

        Args:
            x: of the same shape in all processes.
        """
        return x

    def fill_normal(self, x: Tensor, std: float, generator: torch.Generator | None, dim: int) -> None:
        """Fill `x`, the items here along `dim` of a whole layer, with normal draws of that layer.

        Args:
            std: standard deviation, 0 or more.
            generator: of the draws; torch's own unless given.
            x: of the layer's shape, but for `dim`: there it has the items here.
            dim: that is the items'.
        """
        x.normal_(0, std, generator=generator)


ALL = AllItems()


@dataclass(frozen=True)
class Shard(AllItems):
    """The items of the catalogue that are here, where several processes share them.

    Args:
        start: the first.
        stop: one beyond the last; there is at least one.
        total: I.
        sum: makes a tensor its sum over the processes, in place.
        most: makes it the largest, number by number, over the processes, in place.
    """

    start: int
    stop: int
    total: int
    sum: Callable[[Tensor], Tensor]
    most: Callable[[Tensor], Tensor]

    def width(self, total: int) -> int:
        """See `AllItems`."""
        assert total == self.total
        return self.stop - self.start

    def own(self, rows: Rows) -> Rows:
        """See `AllItems`."""
        return rows.between(self.start, self.stop)

    def pick(self, items: Tensor, beside: Tensor) -> tuple[Tensor, Tensor]:
        """See `AllItems`."""
        here = (items >= self.start) & (items < self.stop)
        return items[here] - self.start, beside[here]

    def add_up(self, x: Tensor) -> Tensor:
        """See `AllItems`. Every process goes on to the same loss, so each term's gradient is the sum's."""
        return _AddUp.apply(x, self.sum)  # pyright: ignore[reportReturnType]

    def hand_out(self, x: Tensor) -> Tensor:
        """See `AllItems`."""
        return _HandOut.apply(x, self.sum)  # pyright: ignore[reportReturnType]

    def logsumexp(self, x: Tensor) -> Tensor:
        """See `AllItems`."""
        largest = self.most(x.detach().clone())
        return largest + self.add_up((x - largest).exp()).log()

    def fill_normal(self, x: Tensor, std: float, generator: torch.Generator | None, dim: int) -> None:
        """See `AllItems`. The numbers are those that one process draws, a block of them in memory at once."""
        if x.is_meta:  # its size alone is asked for
            return
        inner, found, filled = math.prod(x.shape[dim + 1 :]), torch.empty_like(x, memory_format=torch.contiguous_format), 0
        size = x.numel() // (self.stop - self.start) * self.total
        bounds = [*range(0, size, DRAWN_AT_ONCE), size]
        if len(bounds) > 2 and size - bounds[-2] < DRAWN_TOGETHER:
            bounds.pop(-2)
        for first, last in pairwise(bounds):
            block = torch.empty(last - first, dtype=x.dtype).normal_(0, std, generator=generator)
            item = torch.arange(first, last) // inner % self.total
            kept = block[(item >= self.start) & (item < self.stop)]
            found.view(-1)[filled : filled + len(kept)] = kept
            filled += len(kept)
        x.copy_(found)


class _AddUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, add_up: Callable[[Tensor], Tensor]) -> Tensor:
        return add_up(x.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grads[0], None


class _HandOut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, add_up: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.add_up = add_up
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.add_up(grads[0].clone(memory_format=torch.contiguous_format)), None
