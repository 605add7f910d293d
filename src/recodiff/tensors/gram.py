"""Item-sized layers and sparse rows: exact losses and gradients without an array of users x items.

Shapes: `B` rows in a batch, `D` their width, `h` width of the hidden layer beside it, `nnz` entries of the rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recodiff.tensors.rows import Rows, waits_to_count

ENTRIES_AT_ONCE = 2**16
"""Of the estimates at single entries; bounds their memory to this times 2 h numbers."""


def exactly(like: Tensor) -> torch.autocast:
    """A context without autocast on the device of `like`, of any shape: its rounding would drown differences of Gram products."""
    return torch.autocast(like.device.type, enabled=False)


class _SquaredDistance(torch.autograd.Function):
    """|V g + c - y|^2 of each row over the entries that are not seen, [B].

    Let G = V'V. The sum over all entries is g'G g + 2 g'V'c + c'c, to which each entry of y adds y_j^2 - 2 y_j (V_j g + c_j);
    the seen entries' squares are taken off. Its gradient for V is 2 V (sum_b d_b g_b g_b') and terms of the entries alone. So two
    products of D h^2 and one array of the size of V are all there is of the size of the catalogue.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, g: Tensor, target: Rows, seen: Rows | None) -> Tensor:
        values = target.values.to(weight.dtype)
        if seen is not None:
            values = values.masked_fill(torch.isin(target.flat(), seen.flat()), 0.0)
        target = replace(target, values=values)
        linear = weight.T @ bias - target.matmul(weight)  # V'(c - y)
        half = g @ (weight.T @ weight) + linear  # V'(V g + c - y), half the gradient for g
        lone = replace(target, values=values * (values - 2 * bias[target.columns])).sums()
        total = ((half + linear) * g).sum(1) + bias @ bias + lone
        if seen is not None:
            estimates = _at(seen, weight, bias, g)
            seen = replace(seen, values=estimates)
            total = total - replace(seen, values=estimates.square()).sums()
            half = half - seen.matmul(weight)
        ctx.save_for_backward(weight, bias, g, half)
        ctx.entries = [target] if seen is None else [target, seen]
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight, bias, g, half = ctx.saved_tensors
        d = 2 * grads[0]
        scaled = d[:, None] * g
        for_bias = weight @ scaled.sum(0) + bias * d.sum()
        for_weight = (weight @ (g.T @ scaled)).addr_(bias, scaled.sum(0))
        for rows in ctx.entries:
            pulled = replace(rows, values=-rows.values * d[rows.row_of()])
            for_bias.index_add_(0, rows.columns, pulled.values)
            _add_transposed(for_weight, pulled, g)
        return for_weight, for_bias, d[:, None] * half, None, None


def _add_transposed(total: Tensor, rows: Rows, g: Tensor) -> None:
    """Adds rows' g [D, h] to the total.

    A batch has few of the items of a large catalogue, so a CPU writes to those alone; a GPU would have to stop and count them.
    """
    by_column, g = rows.transposed(), g.contiguous()
    if waits_to_count(total):
        total.add_(by_column.matmul(g))
        return
    present = torch.nonzero(by_column.offsets.diff()).flatten()
    total.index_add_(0, present, by_column.take(present).matmul(g))


def squared_distance(weight: Tensor, bias: Tensor, g: Tensor, target: Rows, seen: Rows | None = None) -> Tensor:
    """The squared distance sum_j (V_j g + c_j - y_j)^2 of each row over the unseen entries, without forming V g + c.

    Costs D h^2 and the rows' entries in place of B D h; value and gradients are those of the plain sum to rounding.

    Args:
        weight: V [D, h].
        bias: c [D].
        g: [B, h].
        target: y, [B, D].
        seen: entries left out of the sum.

    Returns:
        [B].
    """
    with exactly(g):
        return _SquaredDistance.apply(weight, bias, g.to(weight.dtype), target, seen)  # pyright: ignore[reportReturnType]


def _at(rows: Rows, weight: Tensor, bias: Tensor, g: Tensor) -> Tensor:
    """V_j g + c_j at the entries of some rows, [nnz]."""
    pieces = zip(rows.columns.split(ENTRIES_AT_ONCE), rows.row_of().split(ENTRIES_AT_ONCE), strict=True)
    parts = [torch.linalg.vecdot(weight[columns], g[row]) + bias[columns] for columns, row in pieces]
    return torch.cat(parts) if parts else bias[:0]


class _RowsAndGram(torch.autograd.Function):
    """x W' [B, h] of sparse rows, and W W' [h, h], their gradients gathered in one array of the size of W."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, x: Rows, covariance: bool) -> tuple[Tensor, Tensor | None]:
        ctx.save_for_backward(table)
        ctx.x = x
        return x.matmul(table), table.T @ table if covariance else None

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (table,) = ctx.saved_tensors
        for_product, for_gram = grads
        found = torch.zeros_like(table) if for_gram is None else table @ (for_gram + for_gram.T)
        _add_transposed(found, ctx.x, for_product)
        return found, None, None


def rows_and_gram(table: Tensor, x: Rows, *, covariance: bool = True) -> tuple[Tensor, Tensor | None]:
    """Products of sparse rows with a first layer, and the covariance of standard normal noise behind that layer.

    Args:
        table: W' [D, h].
        x: [B, D].
        covariance: whether W W' is wanted.

    Returns:
        x W' [B, h] and W W' [h, h], or None.
    """
    with exactly(table):
        return _RowsAndGram.apply(table, x, covariance)  # pyright: ignore[reportReturnType]


RIDGE = 1e-7
"""Of the covariance's trace: above the rounding of a float32 product, far below any noise that would be noticed."""


def factor(covariance: Tensor) -> Tensor:
    """A lower triangle L with L L' = the covariance and a small ridge, factored in float64.

    Where there is none, because training diverged, all of it and the loss are NaN: to ask here would stop a GPU at every step.

    Args:
        covariance: symmetric, [h, h].
    """
    wide = covariance.to(torch.float64)
    ridge = RIDGE * wide.diagonal().sum().detach() + torch.finfo(torch.float32).tiny
    found, failed = torch.linalg.cholesky_ex(wide + ridge * torch.eye(len(wide), dtype=wide.dtype, device=wide.device))
    return found.masked_fill(failed > 0, float("nan")).to(covariance.dtype)
