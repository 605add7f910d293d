"""The forecasting pair in closed form: a linear item-item model from what came before to what came after.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_array
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch
from recodiff.models.linear.ease import DOUBLE_UP_TO_ITEMS, dense_work, refuse_if_too_large
from recodiff.models.linear.sparse import products_by_users
from recodiff.models.registry import title
from recodiff.runtime import progress
from recodiff.runtime.run import Run
from recodiff.runtime.work import Work
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Forecast, users_to_learn_from


class ForecastRidgeConfig(ModelConfig):
    """Settings of the forecast ridge."""

    pairs: Forecast = Forecast()
    """How histories are cut, and what counts after the cut."""
    cuts: int = Field(default=10, ge=1)
    """Cuts drawn for each user."""
    l2: float = Field(default=300.0, gt=0)
    """The ridge, lambda."""


class ForecastRidge(Recommender):
    """B = (sum x x' + lambda I)^-1 sum x y' over a few cuts (x, y) of each user; scores are x B (ours).

    The linear sibling of F-DiffRec, on the same pairs (`pairs.Forecast`): x is what came before a cut, weighted by age, y what came
    after, weighted by distance. No epochs, no validation. Dense: [I, I] in memory, refused where that does not fit.
    """

    Config = ForecastRidgeConfig

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        config: ForecastRidgeConfig = self.config
        n, device = train.n_items, run.torch_device
        dtype = torch.float64 if n <= DOUBLE_UP_TO_ITEMS else torch.float32
        refuse_if_too_large(n, dtype, device, title(self.registered), more=1)
        draw = config.pairs.bind(train, config.weighting, torch.device("cpu"))
        users = torch.from_numpy(users_to_learn_from(train, config.pairs))
        gram, cross = (torch.zeros(n, n, dtype=dtype) for _ in range(2))
        with progress.bar("forecast ridge", config.cuts + 1, show=run.progress) as advance:
            for cut in range(config.cuts):
                pair = draw(users, keyed_generator(run.seed, "cut", cut))
                assert pair.target is not None
                x, y = _sparse(pair.source, dtype), _sparse(pair.target, dtype)
                _add(gram, csr_array(x.T @ x))
                _add(cross, csr_array(x.T @ y))
                advance(1, f"cut {cut + 1} of {config.cuts}")
            gram.diagonal().add_(config.l2)
            factor, failed = torch.linalg.cholesky_ex(gram.to(device))
            if failed:
                raise ModelError(
                    f"l2 = {config.l2} is too small to solve for the weights on this data; raise it, for example to 300"
                )
            self.weights = torch.cholesky_solve(cross.to(device), factor).to(torch.float32).contiguous()
            advance(1, "")

    def work(self, train: Interactions) -> Work:
        """See `Recommender`: two products for each cut, and a solution that takes about as long as an inversion."""
        cuts = Work(sparse=self.config.cuts * products_by_users(train))
        return dense_work(train.n_items**3, train.n_items) + cuts

    def score(self, batch: Batch) -> Tensor:
        """The product x B, [B, I]."""
        return batch.history.matmul(self.weights)

    def state(self) -> dict[str, Tensor]:
        """B [I, I]."""
        _ = self.items
        return {"weights": self.weights}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.weights = state["weights"]


def _sparse(rows: Rows, dtype: torch.dtype) -> csr_array:
    parts = rows.values.to(dtype).numpy(), rows.columns.numpy(), rows.offsets.numpy()
    return csr_array(parts, shape=(len(rows), rows.width))


def _add(table: Tensor, product: csr_array) -> None:
    """Adds a sparse [I, I] to a dense one without a dense copy."""
    rows = np.repeat(np.arange(table.shape[0]), np.diff(product.indptr))
    table.numpy()[rows, product.indices] += product.data
