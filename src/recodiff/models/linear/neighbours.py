"""Neighbourhood models: ItemKNN, UserKNN and RP3beta.

Shapes: `B` users in a batch, `I` items, `n_users` users trained on, `k` neighbours kept. Degrees are sums of weights, lengths
sums of squared weights; both are plain counts where all weights are 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch
from recodiff.models.linear.sparse import (
    counts_of,
    degrees,
    item_table,
    power,
    products_by_users,
    scaled,
    state_of,
    table_of,
    weights_of,
)
from recodiff.models.registry import title
from recodiff.runtime.run import Run
from recodiff.runtime.work import Work
from recodiff.tensors.rows import Rows
from recodiff.training.traits import Traits

DENSE_UP_TO_ITEMS, DENSE_ABOVE_SHARE = 8192, 1 / 3
"""Histories are multiplied by a dense copy of the table, which is many times faster, where that takes at most 256 MiB, or less
memory than the sparse one."""
FOR_A_PRODUCT = 2
"""Of a table: what scaling and choosing the largest take, as a multiple of the product itself."""
SIMILARITIES_AT_ONCE = 2**25
"""Between histories and stored rows."""


class ItemTableModel(Recommender):
    """Base of the models whose scores are x S, with S [I, I] sparse."""

    @abstractmethod
    def table(self, train: Interactions, *, show: bool) -> csr_array:
        """The table S, [I, I]; `show` tells whether a progress bar may be shown.

        Args:
            train: weighted interactions.
        """

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        table = self.table(self.config.weighting.for_fit(train), show=run.progress)
        self._take(Rows.from_csr(table, run.torch_device))

    def work(self, train: Interactions) -> Work:
        """See `Recommender`."""
        return Work(sparse=FOR_A_PRODUCT * products_by_users(train))

    def _take(self, table: Rows) -> None:
        self.similarities = table
        dense = table.width <= DENSE_UP_TO_ITEMS or len(table.columns) > DENSE_ABOVE_SHARE * table.width**2
        self._factor = table.dense() if dense else table

    def score(self, batch: Batch) -> Tensor:
        """The product x S, [B, I]."""
        return batch.history.matmul(self._factor)

    def state(self) -> dict[str, Tensor]:
        """The table S [I, I] as offsets, columns and values."""
        _ = self.items
        return state_of(self.similarities)

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self._take(table_of(state, len(self.items)))


class ItemKnnConfig(ModelConfig):
    """Settings of ItemKNN."""

    neighbours: int = Field(default=100, ge=1)
    """k, the similar items kept for each scored item; as many as the catalogue has, or more, keeps all."""
    alpha: float = Field(default=0.5, ge=0, le=1)
    """How the length is shared between the item of the history (alpha) and the scored one (1 - alpha); 0.5 is the cosine."""
    shrink: float = Field(default=0.0, ge=0)
    """Added to the product of the lengths: holds back similarities that rest on few users."""


class ItemKnn(ItemTableModel):
    """Item neighbourhoods: Deshpande and Karypis, *Item-Based Top-N Recommendation Algorithms*, TOIS 2004.

    The asymmetric cosine is Aiolli's, *Efficient Top-N Recommendation for Very Large Scale Binary Rated Datasets*, RecSys
    2013. With C = X'X and n_j = C_jj, item j's squared length (its count on 0/1 data):

        S_ij = C_ij / (n_i^alpha n_j^(1 - alpha) + shrink),  S_jj = 0;  scores are x S

    and of each *column* j only the k largest entries stay: each scored item has its own k neighbours.
    """

    Config = ItemKnnConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False)

    def table(self, train: Interactions, *, show: bool) -> csr_array:
        """See `ItemTableModel`."""
        config: ItemKnnConfig = self.config
        matrix = weights_of(train)
        length = np.asarray((matrix**2).sum(axis=0))
        source, scored = length**config.alpha, length ** (1 - config.alpha)

        def cosine(common: NDArray[Any], i: NDArray[Any], j: NDArray[Any]) -> NDArray[Any]:
            return common / (source[i] * scored[j] + config.shrink)

        return item_table(csr_array(matrix.T), matrix, config.neighbours, rescale=cosine, show=show)


class Rp3BetaConfig(ModelConfig):
    """Settings of RP3beta."""

    neighbours: int = Field(default=100, ge=1)
    """k, the entries kept for each scored item; as many as the catalogue has, or more, keeps all."""
    alpha: float = Field(default=0.6, ge=0)
    """Exponent of the transition probabilities."""
    beta: float = Field(default=0.4, ge=0)
    """How strongly popular items are held back."""


class Rp3Beta(ItemTableModel):
    """Walks of three steps: Paudel et al., *Updatable, Accurate, Diverse, and Scalable Recommendations*, TiiS 2017.

    With Du and Di the degrees of users and items, and A^{o a} every entry to the power a:

        W = (Di^-1 X')^{o alpha} (Du^-1 X)^{o alpha},  column j divided by Di_j^beta,  W_jj = 0;  scores are x W

    and of each column only the k largest entries stay.
    """

    Config = Rp3BetaConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False)

    def table(self, train: Interactions, *, show: bool) -> csr_array:
        """See `ItemTableModel`."""
        config: Rp3BetaConfig = self.config
        matrix = counts_of(train, title(self.registered))
        user, item = degrees(matrix)
        ones = np.ones_like(user), np.ones_like(item)
        to_user = scaled(matrix, ones[0], power(item, -1))
        to_item = scaled(matrix, power(user, -1), ones[1])
        to_user.data **= config.alpha
        to_item.data **= config.alpha
        to_item = scaled(to_item, ones[0], power(item, -config.beta))
        return item_table(csr_array(to_user.T), to_item, config.neighbours, show=show)


class UserKnnConfig(ModelConfig):
    """Settings of UserKNN."""

    neighbours: int = Field(default=100, ge=1)
    """k, the similar users whose rows are summed; as many as were trained on, or more, takes all."""
    alpha: float = Field(default=0.5, ge=0, le=1)
    """How the length is shared between the history (alpha) and the stored row (1 - alpha); 0.5 is the cosine."""
    shrink: float = Field(default=0.0, ge=0)
    """Added to the product of the lengths: holds back similarities that rest on few items."""


class UserKnn(Recommender):
    """User neighbourhoods: Herlocker et al., *An Algorithmic Framework for Performing Collaborative Filtering*, SIGIR 1999.

    The rows trained on are kept, and a history x, known or new, is compared with each of them, x_v; n is a row's squared
    length (its count on 0/1 data):

        s_v = x.x_v / (n_x^alpha n_v^(1 - alpha) + shrink);  scores are the sum of s_v x_v over the k largest s_v

    A user trained on is among the k too; that row speaks only for items already seen.
    """

    Config = UserKnnConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), seeded=False)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        self._take(Rows.from_csr(weights_of(self.config.weighting.for_fit(train)), run.torch_device))

    def _take(self, rows: Rows) -> None:
        self.rows, self._by_item = rows, rows.transposed()
        self._lengths = _squared_lengths(rows)

    def score(self, batch: Batch) -> Tensor:
        """Sum of s_v x_v, [B, I]."""
        users = torch.arange(len(batch.history), device=self.device)
        size = max(1, SIMILARITIES_AT_ONCE // len(self.rows))
        return torch.cat([self._neighbours(batch.history.take(part)).matmul(self.rows) for part in users.split(size)])

    def _neighbours(self, history: Rows) -> Rows:
        """s_v of the k nearest stored rows, [B, n_users]."""
        config: UserKnnConfig = self.config
        own = _squared_lengths(history)[:, None]
        length = own**config.alpha * self._lengths ** (1 - config.alpha) + config.shrink
        # Where the length is zero nothing is shared either.
        similarity = history.matmul(self._by_item) / length.clamp_min(torch.finfo(length.dtype).tiny)
        k = min(config.neighbours, len(self.rows))
        values, users = similarity.topk(k)
        offsets = torch.arange(0, users.numel() + 1, k, device=users.device)
        return Rows(offsets, users.flatten(), values.flatten(), len(self.rows))

    def state(self) -> dict[str, Tensor]:
        """The rows trained on [n_users, I] as offsets, columns and values."""
        _ = self.items
        return state_of(self.rows)

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self._take(table_of(state, len(self.items)))


def _squared_lengths(rows: Rows) -> Tensor:
    out = torch.zeros(len(rows), device=rows.values.device)
    return out.index_add_(0, rows.row_of(), rows.values**2)
