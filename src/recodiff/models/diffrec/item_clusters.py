"""Item embeddings, and the clusters that a latent model's items fall into.

Shapes: `I` items, `E` size of an embedding, `C` clusters.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from recodiff.config import BaseConfig
from recodiff.data.interactions import Interactions
from recodiff.errors import ConfigError, ModelError
from recodiff.runtime import files
from recodiff.runtime.run import Run
from recodiff.training.settings import TrainingConfig


class SvdEmbeddings(BaseConfig):
    """Truncated SVD of the train matrix, R = Du^-1/2 X Di^-1/2 ~ U S V': the items' rows of V S."""

    kind: Literal["svd"] = "svd"
    dimensions: int = Field(default=64, ge=1)
    """E; at most the smaller of users and items less one is used."""

    def vectors(self, train: Interactions, run: Run) -> NDArray[np.float32]:
        """Embeddings of the items, [I, E].

        Args:
            train: what is learned from.
            run: its seed is that of random draws.

        Raises:
            ModelError: there are fewer than 2 users or 2 items.
        """
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import svds

        least = min(train.n_users, train.n_items)
        if least < 2:
            raise ModelError(f"item embeddings need 2 users and 2 items, and the data has {train.n_users} and {train.n_items}")
        x = train.with_values(np.ones(train.nnz)).matrix.astype(np.float64)
        users, items = (np.maximum(np.asarray(x.sum(axis)).ravel(), 1.0) ** -0.5 for axis in (1, 0))
        scaled = diags_array(users) @ x @ diags_array(items)
        start = np.random.default_rng(run.seed).random(least)
        _, values, vt = svds(scaled, k=min(self.dimensions, least - 1), v0=start)
        return (vt.T * values).astype(np.float32)


class LightGCNEmbeddings(BaseConfig):
    """Item vectors of a LightGCN trained first, as the paper has them."""

    kind: Literal["lightgcn"] = "lightgcn"
    dimensions: int = Field(default=64, ge=1)
    """E."""
    layers: int = Field(default=3, ge=1, le=1000)
    """K of LightGCN."""
    epochs: int = Field(default=20, ge=1)
    """Passes over the users."""
    lr: float = Field(default=0.02, gt=0)
    """Learning rate."""

    def vectors(self, train: Interactions, run: Run) -> NDArray[np.float32]:
        """Embeddings of the items, [I, E].

        Args:
            train: what is learned from.
            run: device and seed.
        """
        from recodiff.models.factors.lightgcn import LightGCN, LightGCNConfig

        training = TrainingConfig(epochs=self.epochs, lr=self.lr, batch_size=1024)
        model = LightGCN(LightGCNConfig(width=self.dimensions, layers=self.layers, training=training))
        model.fit(train.with_values(np.ones(train.nnz)), replace(run, out=None, resume=False))
        return model.item_embeddings().numpy(force=True)


class FileEmbeddings(BaseConfig):
    """Embeddings made elsewhere."""

    kind: Literal["file"] = "file"
    path: Path = Field(default=...)
    """A `.npy` file of floats [I, E], one row per item in the order of the data's items; not needed once the model is fitted."""

    def vectors(self, train: Interactions, run: Run) -> NDArray[np.float32]:
        """Embeddings of the items, [I, E].

        Args:
            train: whose catalogue they are for.
            run: not used.

        Raises:
            ConfigError: the file cannot be read, or does not hold one row of finite numbers per item.
        """
        with files.reading(self.path, ConfigError, "give a .npy file of floats [items, size]"):
            found = files.read_array(self.path)
        real = isinstance(found, np.ndarray) and (np.issubdtype(found.dtype, np.floating) or np.issubdtype(found.dtype, np.integer))
        if not real or found.ndim != 2 or not found.shape[1]:
            raise ConfigError(f"item embeddings '{self.path}' are not a matrix of numbers; give a .npy file of shape [items, size]")
        if len(found) != train.n_items:
            raise ConfigError(
                f"item embeddings '{self.path}' have {len(found)} rows for {train.n_items} items; give one row per item of the data"
            )
        if not np.isfinite(found).all():
            raise ConfigError(f"item embeddings '{self.path}' hold numbers that are not finite; make them again")
        return found.astype(np.float32)


AnyEmbeddings = Annotated[SvdEmbeddings | LightGCNEmbeddings | FileEmbeddings, Field(discriminator="kind")]


def cluster(vectors: NDArray[np.floating], clusters: int, seed: int) -> Tensor:
    """The cluster of each item by k-means on item embeddings, int64 [I].

    Args:
        vectors: [I, E].
        clusters: C.
        seed: of the initial centres.

    Raises:
        ConfigError: there are fewer items, or fewer different embeddings, than clusters.
    """
    if clusters == 1:
        return torch.zeros(len(vectors), dtype=torch.int64)
    different = len(np.unique(vectors, axis=0)) if len(vectors) < 50 * clusters else clusters
    if different < clusters:
        raise ConfigError(
            f"{len(vectors)} items with {different} different embeddings cannot fall into {clusters} clusters; ask for fewer"
        )
    from sklearn.cluster import KMeans

    means = KMeans(clusters, n_init=10, random_state=seed)  # pyright: ignore[reportArgumentType]  (its stub says str)
    found, labels = np.unique(means.fit_predict(vectors), return_inverse=True)
    if len(found) < clusters:
        raise ConfigError(f"the item embeddings fall into {len(found)} clusters, not {clusters}; ask for fewer")
    return torch.from_numpy(labels.astype(np.int64))
