"""Losses of an estimate against its target, per row.

Shapes: `B` rows in a batch, `D` width of the vector. Targets come dense or sparse; `seen` marks entries that are left out.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recodiff.tensors.gram import squared_distance
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import AllItems
from recodiff.tensors.softmax import linear_multinomial, sampled_multinomial


class Loss(Protocol):
    """A loss of rows: estimate [B, D], target [B, D], seen -> [B]."""

    softmax: ClassVar[bool]
    """Whether it is of the estimate's softmax over the D entries, so that none can be left out of it."""

    def __call__(self, estimate: Tensor, target: Rows | Tensor, seen: Rows | None = None) -> Tensor:
        """The loss of each row, [B].

        Args:
            estimate: [B, D].
            target: [B, D].
            seen: entries that the loss leaves out, [B, D]; None where it has none.
        """
        ...

    def behind_linear(
        self,
        g: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Rows,
        seen: Rows | None,
        *,
        items: AllItems,
        sampling: torch.Generator | None,
    ) -> Tensor:
        """The loss of the estimates V g + c, none of which is formed, [B].

        Args:
            g: [B, h].
            weight: V [D, h], its rows those of the items that are here.
            bias: c [D], likewise.
            target: [B, D], of all items.
            seen: left out, of all items; None for none.
            items: which of the D items are here.
            sampling: draws the items that a loss of samples is estimated from; None for all of them.
        """
        ...


class _MeanSquare(torch.autograd.Function):
    """mean_j (estimate_j - target_j)^2 per row over the entries that are not seen, of a target that comes sparse.

    Autograd's own form makes some eight more passes over [B, D].
    """

    @staticmethod
    def forward(ctx: Any, estimate: Tensor, target: Rows, seen: Rows | None) -> Tensor:
        ctx.dtype = estimate.dtype
        wide = torch.promote_types(estimate.dtype, torch.float32)
        difference = estimate.to(wide, copy=True, memory_format=torch.contiguous_format)
        target.add_to(difference, difference.new_full((len(target),), -1.0))
        if seen is not None:
            difference.view(-1).index_fill_(0, seen.flat(), 0.0)
        ctx.save_for_backward(difference)
        return _mean_square(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (difference,) = ctx.saved_tensors
        slope = difference * (grads[0] * (2 / difference.shape[1]))[:, None]
        return slope.to(ctx.dtype), None, None


def _mean_square(difference: Tensor) -> Tensor:
    """Per row, in the difference's own precision: autocast would round it first."""
    with torch.autocast(difference.device.type, enabled=False):
        return torch.linalg.vecdot(difference, difference) / difference.shape[1]


def _zero_at(x: Tensor, where: Rows) -> Tensor:
    keep = torch.ones(x.numel(), device=x.device, dtype=x.dtype).scatter_(0, where.flat(), 0.0)
    return x * keep.view_as(x)


def unrounded(x: Tensor) -> Tensor:
    """The tensor in float32 or wider: sums of many terms need it, whatever precision autocast multiplied in.

    Args:
        x: of any shape, which is kept.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


class SquaredError:
    """The mean over the D entries of (estimate - target)^2, the released program's reduction of Eqs. (11)-(12).

    The paper writes the sum; the two differ by the constant D, to which AdamW is blind. Entries of `seen` count as zero.
    """

    softmax: ClassVar[bool] = False

    def __call__(self, estimate: Tensor, target: Rows | Tensor, seen: Rows | None = None) -> Tensor:
        """See `Loss`."""
        if isinstance(target, Rows):
            return _MeanSquare.apply(estimate, target, seen)  # pyright: ignore[reportReturnType]
        difference = unrounded(estimate) - target
        if seen is not None:
            difference = _zero_at(difference, seen)
        return _mean_square(difference)

    def behind_linear(
        self,
        g: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Rows,
        seen: Rows | None,
        *,
        items: AllItems,
        sampling: torch.Generator | None,
    ) -> Tensor:
        """See `Loss`; through V'V."""
        here = None if seen is None else items.own(seen)
        return items.add_up(squared_distance(weight, bias, g, items.own(target), here)) / target.width


class Multinomial:
    """The multinomial likelihood of MultiVAE (WWW 2018): -sum_j target_j log softmax(estimate)_j.

    The target is not normalised; entries of `seen` are left out of the softmax and of the sum.

    Args:
        samples: in the hidden space, the number of items beside the targets that the softmax is estimated from; None for all.
        odds: relative probability that each item is drawn, [I], above 0; equal unless given.
    """

    softmax: ClassVar[bool] = True

    def __init__(self, samples: int | None = None, odds: Tensor | None = None) -> None:
        self.samples, self._odds = samples, odds

    def odds(self, n_items: int, device: torch.device) -> Tensor:
        """Relative probability that each item is drawn, [I].

        Args:
            n_items: I.
            device: to make it on.
        """
        if self._odds is None or self._odds.device != device:
            self._odds = torch.ones(n_items, device=device) if self._odds is None else self._odds.to(device)
        return self._odds

    def __call__(self, estimate: Tensor, target: Rows | Tensor, seen: Rows | None = None) -> Tensor:
        """See `Loss`."""
        hidden, estimate = None, unrounded(estimate)
        if seen is not None:
            hidden = torch.zeros(estimate.numel(), dtype=torch.bool, device=estimate.device).scatter_(0, seen.flat(), True)
            estimate = estimate.masked_fill(hidden.view_as(estimate), float("-inf"))
        log_total = torch.logsumexp(estimate, 1)
        if isinstance(target, Tensor):
            weights = target if hidden is None else target.masked_fill(hidden.view_as(target), 0.0)
            return -(weights * torch.where(weights != 0, estimate - log_total[:, None], 0.0)).sum(1)
        rows, at = target.row_of(), target.flat()
        weights = target.values if hidden is None else target.values.masked_fill(hidden[at], 0.0)
        gain = weights * torch.where(weights != 0, estimate.reshape(-1)[at] - log_total[rows], 0.0)
        return -torch.zeros_like(log_total).index_add(0, rows, gain)

    def behind_linear(
        self,
        g: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Rows,
        seen: Rows | None,
        *,
        items: AllItems,
        sampling: torch.Generator | None,
    ) -> Tensor:
        """See `Loss`; by blocks of rows, or from samples."""
        if self.samples is not None and sampling is not None:
            odds = self.odds(target.width, g.device)
            return sampled_multinomial(g, weight, bias, target, seen, self.samples, odds, sampling, items)
        here = None if seen is None else items.own(seen)
        return linear_multinomial(g, weight, bias, items.own(target), here, items)


def kl_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The divergence KL(N(mean, diag(exp(log_variance))) || N(0, I)) = 1/2 sum_k (mean_k^2 + variance_k - 1 - log variance_k).

    Args:
        mean: [B, D].
        log_variance: [B, D].

    Returns:
        [B].
    """
    mean, log_variance = unrounded(mean), unrounded(log_variance)
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


LOSSES: dict[str, type[SquaredError] | type[Multinomial]] = {"squared": SquaredError, "multinomial": Multinomial}
