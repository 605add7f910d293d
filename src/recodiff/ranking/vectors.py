"""Users and items as vectors whose inner product is the score: what a vector index or database needs to serve a model.

Shapes: `n` users, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from recodiff.data.interactions import Interactions, need_interactions
from recodiff.errors import DataError
from recodiff.models.base import Recommender, batches, need_model
from recodiff.ranking.recommend import HISTORIES, need_length, refuse_foreign
from recodiff.runtime.memory import MOST_USERS

SMALL = 1e-12
"""The least norm that is divided by; a vector of zeros is as far from all others as from itself."""


def item_vectors(model: Recommender) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Take a model's item vectors [I, H] and biases [I], in catalogue order: score = item vector . user vector + bias.

    Args:
        model: a fitted model.

    Raises:
        ModelError: the model's scores are no inner product.
    """
    need_model(model)
    items = model.vectors()
    return items.vectors.cpu().numpy(), items.bias.cpu().numpy()


@torch.inference_mode()
def user_vectors(model: Recommender, history: Interactions) -> NDArray[np.float32]:
    """Make user vectors [n, H] of histories; the users need not be known to the model.

    Args:
        model: a fitted model.
        history: one row per user.

    Raises:
        ModelError: the model's scores are no inner product.
        DataError: `history` is no Interactions, or over other items than the model's.
    """
    need_model(model)
    need_interactions(history, "the history", HISTORIES)
    refuse_foreign(model, history)
    return torch.cat([model.user_vectors(batch).cpu() for _, batch in batches(model, history, MOST_USERS)]).numpy()


def similar_items(model: Recommender, items: Sequence[Any], k: int) -> pl.DataFrame:
    """Find the `k` items whose vectors have the greatest cosine with those of given items.

    Args:
        model: a fitted model with item vectors.
        items: external ids.
        k: neighbours of each, 1 to I - 1.

    Returns:
        Columns item, rank (from 1), similar (an external id) and cosine (-1 to 1).

    Raises:
        ModelError: the model is not fitted or has no item vectors, or `k` lies outside the catalogue.
        DataError: an item is unknown, or the items are one text.
    """
    need_model(model)
    _ = model.items
    if isinstance(items, str | bytes):
        raise DataError(f"give the items as a sequence of ids, for example similar_items(model, [{items!r}], k={k})")
    vectors = model.vectors().vectors
    need_length(k, len(vectors) - 1, "the other items of the catalogue")
    chosen = torch.from_numpy(model.items.positions(items, what="item")).to(vectors.device)
    cosine = normalize(vectors[chosen]) @ vectors.T  # a copy of all vectors, normalised, would be as large as the model
    cosine /= torch.linalg.vector_norm(vectors, dim=1).clamp_min(SMALL)
    cosine.scatter_(1, chosen[:, None], float("-inf"))
    values, nearest = (part.cpu().numpy() for part in cosine.topk(k))
    return pl.DataFrame(
        {
            "item": model.items.externals(np.repeat(chosen.cpu().numpy(), k)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(items)),
            "similar": model.items.externals(nearest.ravel()),
            "cosine": values.ravel(),
        }
    )
