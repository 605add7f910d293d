"""What a place learns from: how the items that follow it are compared with the others.

Shapes: `B` users in a batch, `I` items, `D` width, `N` places of the batch that have a next item, `n` targets of them, `K` items
that are drawn for a user.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from recodiff.config import BaseConfig
from recodiff.tensors.losses import unrounded
from recodiff.tensors.random import by_row
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import linear_multinomial


@dataclass(frozen=True)
class Places:
    """The chosen places of a batch, and what is asked of them.

    Args:
        states: what is known after each, [N, D].
        users: the user of each, in ascending order; int64 [N].
        n_users: B, users of the batch that are here.
        target: weights of the items that follow, [N, I].
        shown: items left out of the comparison, [N, I]; None for none.
    """

    states: Tensor
    users: Tensor
    n_users: int
    target: Rows
    shown: Rows | None = None


class Softmax(BaseConfig):
    """The softmax loss over the whole catalogue: -sum_j w_j log softmax(s)_j."""

    kind: Literal["softmax"] = "softmax"

    def losses(self, places: Places, vectors: Tensor, bias: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of each place, [N].

        Args:
            places: which, and what follows them.
            vectors: what items are scored by, [I, D].
            bias: of the items, [I].
            generator: draws the items to compare with.
        """
        return linear_multinomial(places.states, vectors, bias, places.target, places.shown)


class _Drawn(BaseConfig):
    """A comparison with a few items, drawn uniformly and with replacement for each user of a batch, whose places share them."""

    negatives: int = Field(default=256, ge=1)
    """K, items that each target is compared with; a target among them, and items that are left out, do not count."""

    def losses(self, places: Places, vectors: Tensor, bias: Tensor, generator: torch.Generator) -> Tensor:
        """See `Softmax.losses`."""
        items, target = len(bias), places.target
        drawn = by_row(
            (places.n_users, self.negatives),
            generator,
            lambda shape: torch.randint(items, shape, generator=generator, device=bias.device),
        )
        others = _scores(places, drawn, vectors, bias).masked_fill(_left_out(places, drawn), float("-inf"))
        row = target.row_of()
        found = unrounded((places.states[row] * vectors[target.columns]).sum(1) + bias[target.columns])
        each = target.values * self.each(found, others, row, min(self.negatives / max(items - 1, 1), 1.0))
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
    (Klenitskiy and Vasilev, *Turning Dross Into Gold Loss*, RecSys 2023, and eSASRec, which draw them for each place.)
    """

    kind: Literal["sampled_softmax"] = "sampled_softmax"

    def each(self, found: Tensor, others: Tensor, row: Tensor, share: float) -> Tensor:
        """See `_Drawn`."""
        total = torch.logsumexp(others, 1).clamp(min=torch.finfo(others.dtype).min)
        return F.softplus(total[row] - found)


class GBCE(_Drawn):
    """The gBCE loss -(beta log sigma(s_j) + sum_k log sigma(-s_k)) / (K + 1), beta = a (t (1 - 1/a) + 1/a), a = K / (I - 1).

    beta makes up for the share a of the other items that is drawn. With t = 0 it is 1, the binary cross-entropy. With t = 1 it is
    a, for which sigma(s_j) is no longer overrated. (Petrov and Macdonald, *gSASRec*, RecSys 2023, Eq. 12.)
    """

    kind: Literal["gbce"] = "gbce"
    calibration: float = Field(default=0.75, ge=0, le=1)
    """t, from 0 (binary cross-entropy) to 1 (calibrated)."""

    def each(self, found: Tensor, others: Tensor, row: Tensor, share: float) -> Tensor:
        """See `_Drawn`."""
        beta = share * (self.calibration * (1 - 1 / share) + 1 / share)
        return (beta * F.softplus(-found) + F.softplus(others).sum(1)[row]) / (others.shape[1] + 1)


def _scores(places: Places, drawn: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
    """Of each place the scores of its user's drawn items [B, K], [N, K]."""
    counts = torch.bincount(places.users, minlength=places.n_users)
    most = int(counts.max()) if len(places.users) else 1
    begins = counts.cumsum(0) - counts
    at = places.users * most + torch.arange(len(places.users), device=drawn.device) - begins[places.users]
    padded = places.states.new_zeros(places.n_users * most, places.states.shape[1]).index_copy(0, at, places.states)
    own = F.embedding(drawn, vectors)
    scores = padded.view(places.n_users, most, -1) @ own.transpose(1, 2) + bias[drawn][:, None]
    return unrounded(scores.flatten(0, 1)[at])


def _left_out(places: Places, drawn: Tensor) -> Tensor:
    """Which of the drawn items [B, K] are targets of a place or not compared with it, boolean [N, K]."""
    wanted = torch.arange(len(places.users), device=drawn.device)[:, None] * places.target.width + drawn[places.users]
    left_out = torch.zeros_like(wanted, dtype=torch.bool)
    for rows in (places.target, places.shown):
        if rows is not None and len(rows.columns):
            known = rows.flat().sort().values
            left_out |= known[torch.searchsorted(known, wanted).clamp(max=len(known) - 1)] == wanted
    return left_out


AnyObjective = Annotated[Softmax | SampledSoftmax | GBCE, Field(discriminator="kind")]
