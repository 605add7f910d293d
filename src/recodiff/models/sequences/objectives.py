"""What a place learns from: how the items that follow it are compared with the others.

Shapes: `I` items, `D` width, `N` places of the batch that have a next item, `n` targets of them, `K` items that are drawn.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from recodiff.config import BaseConfig
from recodiff.tensors.losses import unrounded
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import linear_multinomial


class Softmax(BaseConfig):
    """The softmax loss over the whole catalogue: -sum_j w_j log softmax(s)_j."""

    kind: Literal["softmax"] = "softmax"

    def losses(
        self, states: Tensor, vectors: Tensor, bias: Tensor, target: Rows, shown: Rows | None, generator: torch.Generator
    ) -> Tensor:
        """The loss of each place, [N].

        Args:
            states: what is known after each place, [N, D].
            vectors: what items are scored by, [I, D].
            bias: of the items, [I].
            target: weights of the items that follow, [N, I].
            shown: items left out of the comparison, [N, I]; None for none.
            generator: draws the items to compare with.
        """
        return linear_multinomial(states, vectors, bias, target, shown)


class _Drawn(BaseConfig):
    """A comparison with a few items, drawn uniformly and anew for each batch, the same for all of its places."""

    negatives: int = Field(default=256, ge=1)
    """K, items that each target is compared with; a target among them, and items that are left out, do not count."""

    def losses(
        self, states: Tensor, vectors: Tensor, bias: Tensor, target: Rows, shown: Rows | None, generator: torch.Generator
    ) -> Tensor:
        """See `Softmax.losses`."""
        items = len(bias)
        drawn = torch.randperm(items, generator=generator, device=bias.device)[: min(self.negatives, items)]
        others = unrounded(torch.addmm(bias[drawn], states, vectors[drawn].T))
        place = torch.full((items,), -1, device=bias.device).index_copy_(0, drawn, torch.arange(len(drawn), device=bias.device))
        left_out = [rows.pick(place, len(drawn)).flat() for rows in (target, shown) if rows is not None]
        others = others.view(-1).index_fill(0, torch.cat(left_out), float("-inf")).view_as(others)
        row = target.row_of()
        found = unrounded((states[row] * vectors[target.columns]).sum(1) + bias[target.columns])
        each = target.values * self.each(found, others, row, len(drawn) / max(items - 1, 1))
        return each.new_zeros(len(target)).index_add(0, row, each)

    @abstractmethod
    def each(self, found: Tensor, others: Tensor, row: Tensor, share: float) -> Tensor:
        """The loss of each target, [n].

        Args:
            found: their scores, [n].
            others: scores of the items drawn, [N, K]; -inf for one that does not count.
            row: the place of each target, int64 [n].
            share: K / (I - 1).
        """


class SampledSoftmax(_Drawn):
    """The loss -sum_j w_j log(exp s_j / (exp s_j + sum_k exp s_k)) over K drawn items k, none of which stands for others.

    Of few items it is not the softmax over the catalogue: a target is pushed up until it is ahead of those that are drawn.
    (Klenitskiy and Vasilev, *Turning Dross Into Gold Loss*, RecSys 2023, and eSASRec draw them for each place.)
    """

    kind: Literal["sampled_softmax"] = "sampled_softmax"

    def each(self, found: Tensor, others: Tensor, row: Tensor, share: float) -> Tensor:
        """See `_Drawn`."""
        total = torch.logsumexp(others, 1).clamp(min=torch.finfo(others.dtype).min)
        return F.softplus(total[row] - found)


class GBCE(_Drawn):
    """The gBCE loss -(beta log sigma(s_j) + sum_k log sigma(-s_k)) / (K + 1), beta = a (t (1 - 1/a) + 1/a), a = K / (I - 1).

    beta makes up for the share a of the other items that is drawn: with t = 0 it is 1, the binary cross-entropy, and with t = 1
    it is a, for which sigma(s_j) is no longer overrated. (Petrov and Macdonald, *gSASRec*, RecSys 2023, Eq. 12.)
    """

    kind: Literal["gbce"] = "gbce"
    calibration: float = Field(default=0.75, ge=0, le=1)
    """t, from 0 (binary cross-entropy) to 1 (calibrated)."""

    def each(self, found: Tensor, others: Tensor, row: Tensor, share: float) -> Tensor:
        """See `_Drawn`."""
        beta = share * (self.calibration * (1 - 1 / share) + 1 / share)
        return (beta * F.softplus(-found) + F.softplus(others).sum(1)[row]) / (others.shape[1] + 1)


AnyObjective = Annotated[Softmax | SampledSoftmax | GBCE, Field(discriminator="kind")]
