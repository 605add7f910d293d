"""The multinomial likelihood behind a linear layer, a block of rows at a time: no more of [B, I] is held than a block.

Shapes: `B` rows, `I` items, `h` width of what the layer is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recodiff.moved import old_names
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import ALL, AllItems

NUMBERS_IN_BLOCK = 2**19
LEAST_ROWS = 256
"""A block of logits should stay in the cache, yet a product of few rows would spend its time on reading the layer."""
LOG_OF_NOTHING = torch.finfo(torch.float32).min
"""Of the log of a sum of exponentials, where no item is left: finite, so that nothing times it is nothing."""
ROUNDING = 1e-12
"""By how much a probability may pass 1."""


def linear_multinomial(
    g: Tensor, weight: Tensor, bias: Tensor, target: Rows, seen: Rows | None = None, items: AllItems = ALL
) -> Tensor:
    """The loss `losses.Multinomial` of the logits V g + c, with the same gradients, a block of rows in memory at once.

    Under autocast the products alone are of its precision; the softmax and all sums are not.

    Args:
        g: what the layer is given, [B, h].
        weight: V [I, h].
        bias: c [I].
        target: weights of the target items, [B, I]; those that are `seen` count as zero.
        seen: entries left out of softmax and sum.
        items: which are here; where that is not all, I and the rows are of those here, and the figure is of all.

    Returns:
        -sum_j target_j log softmax(V g + c)_j, [B].
    """
    low = torch.get_autocast_dtype(g.device.type) if torch.is_autocast_enabled(g.device.type) else weight.dtype
    with torch.autocast(g.device.type, enabled=False):
        found: Any = _LinearMultinomial.apply(g.to(weight.dtype), weight, bias, target, seen, low)
        loss, log_total, mass = found
        if items is ALL:
            return loss
        return items.add_up(mass) * items.logsumexp(log_total) - items.add_up(mass * log_total - loss)


def sampled_multinomial(
    g: Tensor,
    weight: Tensor,
    bias: Tensor,
    target: Rows,
    seen: Rows | None,
    samples: int,
    odds: Tensor,
    generator: torch.Generator,
    items: AllItems = ALL,
) -> Tensor:
    """The loss `linear_multinomial` over some of the items: all targets of the batch, and a sample of the others.

    The others are drawn by `sample`, the same for all rows, a few more than `samples` where `even` rounds up. Each stands for 1 /
    pi_j items in the sum of exponentials, pi_j how likely it was to be drawn. So this sum, not its logarithm, is right in the
    mean; with enough samples it is the full loss. (Importance-sampled softmax: Jean et al., ACL 2015, arXiv 1412.2007.)

    Args:
        g: what the layer is given, [B, h].
        weight: V [I, h].
        bias: c [I].
        target: weights of the target items, [B, I].
        seen: entries left out.
        samples: number of others, at least; at most all.
        odds: relative probability that each item is drawn, [I], above 0; near its weight in the sum, the sum varies little.
        generator: draws them.
        items: which are here; the weights are theirs, the rows and odds are of all.

    Returns:
        [B].
    """
    others = torch.ones(target.width, dtype=torch.bool, device=g.device)
    others[target.columns] = False
    found = (~others).nonzero()[:, 0]
    number = min(even(len(found) + samples), target.width) - len(found)
    drawn, log_probability = sample(torch.where(others, odds, 0.0), number, generator)  # of all: the same in every process
    some, stands_for = items.pick(torch.cat([found, drawn]), torch.cat([g.new_zeros(len(found)), -log_probability.to(g)]))
    place = torch.full((len(bias),), -1, device=g.device).index_copy_(0, some, torch.arange(len(some), device=g.device))
    goal, hidden = (None if rows is None else items.own(rows).pick(place, len(some)) for rows in (target, seen))
    assert goal is not None
    return linear_multinomial(g, weight[some], bias[some] + stands_for, goal, hidden, items)


def sample(odds: Tensor, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw items without replacement, each with a probability in proportion to its odds: systematic sampling in random order.

    Item j is drawn with probability pi_j = min(1, c odds_j), c such that they sum up to the number. A sum over the sample, each
    term divided by its pi_j, is right in the mean, and for certain where the terms are as the odds. (Madow, *Annals of
    Mathematical Statistics* 20, 1949; Horvitz and Thompson, *JASA* 47, 1952.)

    Args:
        odds: of each item, [I]; one of 0 is not drawn.
        number: of items, at most those with odds above 0.
        generator: draws order and start.

    Returns:
        The items, int64 [number], and log pi of each.
    """
    pi = _inclusion(odds.double(), number)
    order = torch.randperm(len(odds), generator=generator, device=odds.device)
    start = torch.rand(1, generator=generator, device=odds.device, dtype=pi.dtype)
    ends = pi[order].cumsum(0)
    points = (start + torch.arange(number, device=odds.device)).minimum(ends[-1].nextafter(ends.new_zeros(())))  # of rounded sums
    drawn = order[torch.searchsorted(ends, points, right=True)]
    return drawn, pi[drawn].log()


def _inclusion(odds: Tensor, number: int) -> Tensor:
    """min(1, c odds), [I], that sum up to the number: c if only the m largest reach 1, for the least m that this is true of."""
    largest, which = odds.topk(min(number + 1, len(odds)))
    rest = odds.index_fill(0, which, 0.0).sum() + largest.flip(0).cumsum(0).flip(0)
    c = (number - torch.arange(len(largest), device=odds.device)) / rest
    first = (c * largest <= 1 + ROUNDING).to(torch.uint8).argmax(0, keepdim=True)
    return (c.gather(0, first) * odds).clamp(max=1.0)


def even(number: int) -> int:
    """Round up to one of sixteen sizes between a power of two and the next, so that memory of one batch fits the next.

    Args:
        number: of elements, 0 or more.
    """
    step = 1 << max(number.bit_length() - 5, 0)
    return -(-number // step) * step


@dataclass(frozen=True)
class _Block:
    """Some rows: which, where their hidden entries and their targets stand in the block, and what the targets weigh."""

    rows: slice
    hidden: Tensor | None
    row: Tensor
    at: Tensor
    values: Tensor


def block_rows(width: int) -> int:
    """The number of rows whose logits are in memory at once, for `width` items."""
    return max(LEAST_ROWS, NUMBERS_IN_BLOCK // max(width, 1))


@dataclass(frozen=True)
class _Cut:
    """Where the blocks end: after which rows, and after which entries of the target and of what is hidden."""

    rows: list[int]
    target: list[int]
    hidden: list[int]


def _cut(target: Rows, seen: Rows | None) -> _Cut:
    """Reads where entries end from the device, once; of a single block that is known."""
    seen = target if seen is None else seen
    bounds = [*range(0, len(target), block_rows(target.width)), len(target)]
    if len(bounds) <= 2:
        return _Cut(bounds, [0, len(target.columns)], [0, len(seen.columns)])
    return _Cut(bounds, *torch.stack([target.offsets[bounds], seen.offsets[bounds]]).tolist())


def _blocks(target: Rows, seen: Rows | None, cut: _Cut) -> Iterator[_Block]:
    row, flat = target.row_of(), target.flat()
    hidden_flat, ends, hidden_ends = None if seen is None else seen.flat(), cut.target, cut.hidden
    for k, (first, last) in enumerate(pairwise(cut.rows)):
        own = slice(ends[k], ends[k + 1])
        hidden = None if hidden_flat is None else hidden_flat[hidden_ends[k] : hidden_ends[k + 1]] - first * target.width
        yield _Block(slice(first, last), hidden, row[own] - first, flat[own] - first * target.width, target.values[own])


class _LinearMultinomial(torch.autograd.Function):
    """The loss of each row over the items that are here, the log of its sum of exponentials, and what its targets weigh."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, weight: Tensor, bias: Tensor, target: Rows, seen: Rows | None, low: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.kept, ctx.cut = None, _cut(target, seen)
        loss, log_total, mass = (g.new_empty(len(g)) for _ in range(3))
        g, weight = g.to(low), weight.to(low)
        for block in _blocks(target, seen, ctx.cut):
            logits = _logits(g, weight, bias, block)
            found = logits.view(-1)[block.at]
            there = torch.isfinite(found)
            values = torch.where(there, block.values, 0.0).to(bias)
            top = logits.amax(1).clamp_(min=LOG_OF_NOTHING)
            odds = logits.sub_(top[:, None]).exp_()
            total = (top + odds.sum(1).log_()).clamp_(min=LOG_OF_NOTHING)
            gain = torch.where(there, values * (found - total[block.row]), 0.0)
            log_total[block.rows] = total
            loss[block.rows] = -torch.zeros_like(total).index_add_(0, block.row, gain)
            mass[block.rows] = torch.zeros_like(total).index_add_(0, block.row, values)
            if len(total) == len(g):  # the only block stays, so that its logits are not made twice
                ctx.kept = odds.mul_((top - total).exp_()[:, None]), values
        ctx.save_for_backward(g, weight, bias, log_total)
        ctx.rows = target, seen
        ctx.mark_non_differentiable(mass)
        return loss, log_total, mass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        for_loss, for_total, _ = grads
        assert for_loss is not None
        g, weight, bias, log_total = ctx.saved_tensors
        d_g, d_weight, d_bias = (torch.zeros_like(made, dtype=bias.dtype) for made in (g, weight, bias))
        target, seen = ctx.rows
        for block in _blocks(target, seen, ctx.cut):
            law, values = ctx.kept or _law(_logits(g, weight, bias, block), log_total, block)
            values = values * for_loss[block.rows][block.row]
            mass = torch.zeros_like(log_total[block.rows]).index_add_(0, block.row, values)
            if for_total is not None:
                mass += for_total[block.rows]
            slope = law * mass[:, None]
            slope.view(-1).index_add_(0, block.at, values, alpha=-1)
            d_bias += slope.sum(0)
            slope = slope.to(g.dtype)
            _add_product(d_g[block.rows], slope, weight)
            _add_product(d_weight, slope.T, g[block.rows])
        return d_g, d_weight, d_bias, None, None, None


def _logits(g: Tensor, weight: Tensor, bias: Tensor, block: _Block) -> Tensor:
    own = g[block.rows]
    logits = torch.addmm(bias, own, weight.T) if own.dtype == bias.dtype else own @ weight.T + bias
    if block.hidden is not None:
        logits.view(-1)[block.hidden] = float("-inf")
    return logits


def _law(logits: Tensor, log_total: Tensor, block: _Block) -> tuple[Tensor, Tensor]:
    """The softmax of a block, and what its targets weigh where they are not hidden; the logits are written over."""
    values = torch.where(torch.isfinite(logits.view(-1)[block.at]), block.values, 0.0)
    return logits.sub_(log_total[block.rows, None]).exp_(), values


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Adds a b to the total, which may be of a greater precision than they are."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)


__getattr__ = old_names(__name__)
