"""Spectral models: PureSVD and GF-CF.

Shapes: `B` users in a batch, `I` items, `n_users` users trained on, `k` factors. Degrees are sums of weights: counts where all
weights are 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_array
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.models.base import ModelConfig, Recommender, Validate
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.linear.sparse import Array, counts_of, degrees, power, scaled, size_of, state_of, table_of, through_users
from recodiff.models.registry import title
from recodiff.moved import old_names
from recodiff.runtime import progress
from recodiff.runtime.run import Run
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows
from recodiff.training.traits import Traits

DENSE_SIDE_UP_TO = 500
"""The smaller side of a matrix up to which all its singular vectors are found at once."""


def right_singular_vectors(matrix: csr_array, factors: int, seed: int) -> Array:
    """The right singular vectors of the largest singular values, orthonormal, [I, k].

    They are exact to rounding, so the seed shows only where the last singular value kept equals the first left out.

    Args:
        matrix: [n_users, I].
        factors: how many; fewer come back where the rank is lower.
        seed: of the vector that the Lanczos iteration starts from.
    """
    from scipy.linalg import eigh  # here, for a model that is loaded to start sooner
    from scipy.sparse.linalg import LinearOperator, eigsh

    if matrix.nnz == 0:
        return np.zeros((size_of(matrix)[1], 0))
    n_users, n_items = size_of(matrix)
    tall, n = n_users >= n_items, min(n_users, n_items)
    side = matrix if tall else csr_array(matrix.T)
    other, k = csr_array(side.T), min(factors, n)
    if n <= DENSE_SIDE_UP_TO or 2 * k > n:
        values, vectors = eigh(csr_array(other @ side).toarray(), subset_by_index=(n - k, n - 1))
    else:
        gram = LinearOperator((n, n), matvec=lambda v: other @ (side @ v), dtype=np.float64)  # pyright: ignore[reportCallIssue]
        values, vectors = eigsh(gram, k, v0=np.random.default_rng(seed).standard_normal(n))
    kept = values > n * np.finfo(np.float64).eps * values.max()
    vectors = vectors[:, kept]
    return vectors if tall else (side @ vectors) / np.sqrt(values[kept])


class PureSvdConfig(ModelConfig):
    """Settings of PureSVD."""

    factors: int = Field(default=64, ge=1)
    """k, the singular vectors kept."""
    gamma: float = Field(default=0.0, ge=0, le=2)
    """How strongly items are scaled by popularity before the decomposition; 0 is plain PureSVD."""


class PureSvd(Recommender):
    """Cremonesi et al., *Performance of Recommender Algorithms on Top-N Recommendation Tasks*, RecSys 2010.

    X = U S V' truncated to k factors; scores are x V V'. With gamma, X Di^(-gamma/2) is decomposed in place of X, Di the items'
    degrees, and scores are x Di^(-gamma/2) V V' Di^(gamma/2).
    """

    Config = PureSvdConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        config: PureSvdConfig = self.config
        matrix = counts_of(self.config.weighting.for_fit(train), title(self.registered))
        user, item = degrees(matrix)
        down, up = power(item, -config.gamma / 2), power(item, config.gamma / 2)
        with progress.bar("singular vectors", None, show=run.progress):
            vectors = right_singular_vectors(scaled(matrix, np.ones_like(user), down), config.factors, run.seed)
        self.encoder, self.decoder = _tables(vectors, down, up, run.torch_device)

    def score(self, batch: Batch) -> Tensor:
        """The product x Di^(-gamma/2) V V' Di^(gamma/2), [B, I]."""
        return inner_products(self.user_vectors(batch), self.decoder)

    def vectors(self) -> ItemVectors:
        """Di^(gamma/2) V [I, k]."""
        return ItemVectors(self.decoder, self.decoder.new_zeros(len(self.decoder)))

    def user_vectors(self, batch: Batch) -> Tensor:
        """The product x Di^(-gamma/2) V, [B, k]."""
        return batch.history.matmul(self.encoder)

    def state(self) -> dict[str, Tensor]:
        """Di^(-gamma/2) V and Di^(gamma/2) V, both [I, k]."""
        _ = self.items
        return {"encoder": self.encoder, "decoder": self.decoder}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.encoder, self.decoder = state["encoder"], state["decoder"]


class GfCfConfig(ModelConfig):
    """Settings of GF-CF."""

    factors: int = Field(default=128, ge=1)
    """k, the singular vectors of the ideal low-pass filter."""
    low_pass: float = Field(default=0.3, ge=0)
    """w, the weight of that filter beside the linear one."""


class GfCf(Recommender):
    """Shen et al., *How Powerful is Graph Convolution for Recommendation?*, CIKM 2021.

    With R = Du^(-1/2) X Di^(-1/2), Du and Di the degrees, and V its k top right singular vectors:

        scores are x (R'R + w Di^(-1/2) V V' Di^(1/2))

    R'R is never formed: x R' R is two sparse products. The history x itself is not scaled.
    """

    Config = GfCfConfig

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        config: GfCfConfig = self.config
        matrix = counts_of(self.config.weighting.for_fit(train), title(self.registered))
        user, item = degrees(matrix)
        down, up = power(item, -0.5), power(item, 0.5)
        normalised = scaled(matrix, power(user, -0.5), down)
        with progress.bar("singular vectors", None, show=run.progress):
            vectors = right_singular_vectors(normalised, config.factors, run.seed)
        self.encoder, self.decoder = _tables(vectors, down, up, run.torch_device)
        self._take(Rows.from_csr(normalised, run.torch_device))

    def _take(self, normalised: Rows) -> None:
        self.normalised, self._by_item = normalised, normalised.transposed()

    def score(self, batch: Batch) -> Tensor:
        """The product x (R'R + w Di^(-1/2) V V' Di^(1/2)), [B, I]."""
        scores = batch.history.matmul(self.encoder) @ self.decoder.T * self.config.low_pass
        return scores + through_users(batch.history, self._by_item)

    def state(self) -> dict[str, Tensor]:
        """R [n_users, I] as offsets, columns and values; Di^(-1/2) V and Di^(1/2) V, both [I, k]."""
        _ = self.items
        return {"encoder": self.encoder, "decoder": self.decoder} | state_of(self.normalised)

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.encoder, self.decoder = state["encoder"], state["decoder"]
        self._take(table_of(state, len(self.items)))


def _tables(vectors: Array, down: Array, up: Array, device: torch.device) -> tuple[Tensor, Tensor]:
    """What histories and what latent vectors are multiplied by, both float32 [I, k]."""
    encoder, decoder = (torch.from_numpy((vectors * scale[:, None]).astype(np.float32)) for scale in (down, up))
    return encoder.to(device), decoder.to(device)


__getattr__ = old_names(__name__)
