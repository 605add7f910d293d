"""iALS: matrix factorisation of implicit feedback by alternating least squares.

Shapes: `B` users in a batch, `I` items, `n` rows solved for, `m` rows of the other side, `k` factors, `L` entries of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.linear.sparse import counts_of
from recodiff.models.registry import title
from recodiff.runtime import progress
from recodiff.runtime.memory import need_memory
from recodiff.runtime.run import Run
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.traits import Traits

NUMBERS_AT_ONCE = 2**23
"""Of the vectors [n, L, k] gathered for the rows that are solved together."""


class IalsConfig(ModelConfig):
    """Settings of iALS."""

    factors: int = Field(default=64, ge=1)
    """k, the width of the vectors."""
    unobserved: float = Field(default=0.3, gt=0)
    """alpha_0, the weight of every cell's pull towards 0; an interaction's pull towards 1 has its own weight."""
    l2: float = Field(default=0.01, gt=0)
    """lambda, the ridge, times a row's frequency to the power below."""
    frequency_exponent: float = Field(default=1.0, ge=0, le=1)
    """nu: 0 regularises all rows alike, 1 in proportion to their weight in the loss."""
    epochs: int = Field(default=10, ge=1)
    """How often the items' and the users' vectors are solved for."""
    init_std: float = Field(default=0.1, gt=0)
    """How long users' first vectors are, about; each number of one is drawn with this over sqrt(k)."""


class Ials(Recommender):
    """Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, ICDM 2008.

    With the parameters of Rendle et al., *Revisiting the Performance of iALS on Item Recommendation Benchmarks*, RecSys 2022:

        min  sum_(u,i) seen w_ui (1 - p_u.q_i)^2 + alpha_0 sum_(u,i) (p_u.q_i)^2
             + lambda (sum_u (w_u + alpha_0 I)^nu |p_u|^2 + sum_i (w_i + alpha_0 n_users)^nu |q_i|^2)

    where w_u and w_i are sums of weights (counts on 0/1 data). Each side is a ridge regression given the other, and the users'
    vectors are not kept: that of any history, known or new, is one linear solve. Users' vectors start at random and the items'
    are solved for first, so the order of the catalogue plays no part.
    """

    Config = IalsConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        config: IalsConfig = self.config
        refuse_if_too_wide(config.factors, train)
        by_user = Rows.from_csr(counts_of(self.config.weighting.for_fit(train), title(self.registered)), run.torch_device)
        by_item = by_user.transposed()
        generator = keyed_generator(run.seed, "init")
        users = torch.randn(train.n_users, config.factors, generator=generator) * (config.init_std / config.factors**0.5)
        users = users.to(run.torch_device)
        with progress.bar("alternating", config.epochs, show=run.progress) as advance:
            for epoch in range(config.epochs):
                if epoch:
                    users = solve(by_user, self.q, config)
                self.q = solve(by_item, users, config)
                advance(1, "")

    def score(self, batch: Batch) -> Tensor:
        """Inner products p_u.q_i, [B, I]."""
        return inner_products(self.user_vectors(batch), self.q)

    def vectors(self) -> ItemVectors:
        """The items' q [I, k], without biases."""
        return ItemVectors(self.q, self.q.new_zeros(len(self.q)))

    def user_vectors(self, batch: Batch) -> Tensor:
        """The users' p [B, k], solved for from the histories."""
        return solve(batch.history, self.q, self.config)

    def state(self) -> dict[str, Tensor]:
        """The items' vectors q [I, k]."""
        _ = self.items
        return {"q": self.q}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.q = state["q"]


def refuse_if_too_wide(factors: int, train: Interactions) -> None:
    """Raise ConfigError where vectors of `factors` numbers, float32, of all users and items are larger than the memory.

    Args:
        train: what is learned from.
    """
    size = 4 * factors * (train.n_users + train.n_items + 3 * factors)
    need_memory(size, f"factors = {factors:,}", "take fewer factors")


def solve(rows: Rows, factors: Tensor, config: IalsConfig) -> Tensor:
    """The vectors that minimise the loss, given those of the other side.

    Args:
        rows: weights [n, m].
        factors: of the other side, [m, k].
        config: the settings.

    Returns:
        [n, k].

    Raises:
        ModelError: a system is singular in float32.
    """
    out = factors.new_empty(len(rows), factors.shape[1])
    everywhere = config.unobserved * (factors.T @ factors)
    order = rows.offsets.diff().argsort(descending=True, stable=True)
    lengths = rows.offsets.diff()[order].tolist()
    start = 0
    while start < len(order):  # the longest row of a group comes first, and the group is padded to it
        stop = start + max(1, NUMBERS_AT_ONCE // max(1, lengths[start] * factors.shape[1]))
        chosen = order[start:stop]
        out[chosen] = _solve_together(rows.take(chosen), lengths[start], factors, everywhere, config)
        start = stop
    return out


def _solve_together(rows: Rows, longest: int, factors: Tensor, everywhere: Tensor, config: IalsConfig) -> Tensor:
    row = rows.row_of()
    place = row * longest + torch.arange(len(row), device=row.device) - rows.offsets[row]
    columns = torch.zeros(len(rows) * longest, dtype=torch.int64, device=row.device).scatter_(0, place, rows.columns)
    weights = factors.new_zeros(len(rows) * longest).scatter_(0, place, rows.values).view(len(rows), longest, 1)
    gathered = factors[columns].view(len(rows), longest, factors.shape[1])
    weighted = gathered * weights
    systems = torch.baddbmm(everywhere.expand(len(rows), -1, -1), weighted.mT, gathered)
    frequency = weights.sum((1, 2)) + config.unobserved * len(factors)
    systems.diagonal(dim1=1, dim2=2).add_((config.l2 * frequency**config.frequency_exponent)[:, None])
    lower, failed = torch.linalg.cholesky_ex(systems)
    if failed.any():
        raise ModelError(f"l2 = {config.l2} is too small to solve for the vectors on this data; raise it, for example to 0.01")
    return torch.cholesky_solve(weighted.sum(1)[:, :, None], lower)[:, :, 0]
