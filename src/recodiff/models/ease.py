"""EASE: a linear item-item model in closed form.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from recodiff.allocator import available_memory
from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import Batch, ModelConfig, Recommender, Validate
from recodiff.training import Run

DOUBLE_UP_TO_ITEMS = 12_000
"""Catalogues up to this size are solved in float64, larger ones in float32."""


class EaseConfig(ModelConfig):
    """Settings of EASE."""

    l2: float = Field(default=500.0, gt=0)
    """The ridge, lambda."""


class Ease(Recommender):
    """Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, WWW 2019.

    P = (X'X + lambda I)^-1, B_ij = -P_ij / P_jj off the diagonal and 0 on it; scores are x B. Dense: [I, I] twice over in
    memory while fitting, refused where that does not fit.
    """

    Config = EaseConfig

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        n = train.n_items
        dtype = torch.float64 if n <= DOUBLE_UP_TO_ITEMS else torch.float32
        _refuse_if_too_large(n, dtype.itemsize)
        matrix = self.config.weighting.for_fit(train).matrix
        gram = torch.from_numpy((matrix.T @ matrix).toarray()).to(run.torch_device, dtype)
        gram.diagonal().add_(self.config.l2)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if failed:
            raise ModelError(f"l2 = {self.config.l2} is too small to invert X'X + l2 I on this data; raise it, for example to 100")
        inverse = torch.cholesky_inverse(factor)
        del gram
        weights = inverse.div_(-inverse.diagonal().clone()).to(torch.float32)
        weights.fill_diagonal_(0)
        self.weights = weights.contiguous()

    def score(self, batch: Batch) -> Tensor:
        """x B, [B, I]."""
        return batch.history.matmul(self.weights)

    def state(self) -> dict[str, Tensor]:
        """B [I, I]."""
        _ = self.items
        return {"weights": self.weights}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.weights = state["weights"]


def _refuse_if_too_large(n_items: int, itemsize: int) -> None:
    need = 3 * n_items**2 * itemsize
    free = available_memory()
    if free is not None and need > free:
        most = int((free / (3 * itemsize)) ** 0.5)
        raise ModelError(
            f"EASE on {n_items} items needs about {need / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
            f"keep at most some {most} items (a larger item core) or use diffrec, whose memory grows with the items alone"
        )
