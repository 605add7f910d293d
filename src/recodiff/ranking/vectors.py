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
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender, batches
from recodiff.ranking.recommend import HISTORIES, refuse_foreign
from recodiff.runtime.memory import MOST_USERS


def item_vectors(model: Recommender) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Item vectors [I, H] and biases [I], in catalogue order: score = vector . user + bias.

    Raises:
        ModelError: the model's scores are no inner product.
    """
    found = model.vectors()
    return found.vectors.cpu().numpy(), found.bias.cpu().numpy()


@torch.inference_mode()
def user_vectors(model: Recommender, history: Interactions) -> NDArray[np.float32]:
    """User vectors [n, H] of histories, known to the model or not.

    Raises:
        ModelError: the model's scores are no inner product.
        DataError: `history` is over other items than the model's.
    """
    need_interactions(history, "the history", HISTORIES)
    refuse_foreign(model, history)
    return torch.cat([model.user_vectors(batch).cpu() for _, batch in batches(model, history, MOST_USERS)]).numpy()


def similar_items(model: Recommender, items: Sequence[Any], k: int) -> pl.DataFrame:
    """The `k` items whose vectors point most nearly the same way.

    Args:
        model: one with item vectors.
        items: external ids.
        k: neighbours of each, 1 to I - 1.

    Returns:
        Columns item, rank, similar, cosine.

    Raises:
        ModelError: the model is not fitted or has no item vectors, or `k` lies outside the catalogue.
        DataError: an item is unknown, or the items are one text.
    """
    _ = model.items
    if isinstance(items, str | bytes):
        raise DataError(f"give the items as a sequence of ids, for example similar_items(model, [{items!r}], k={k})")
    vectors = normalize(model.vectors().vectors)
    if not isinstance(k, int | np.integer) or not 1 <= k < len(vectors):
        raise ModelError(f"k = {k!r} lies outside 1..{len(vectors) - 1}, the other items of the catalogue")
    asked = torch.from_numpy(model.items.positions(items, what="item")).to(vectors.device)
    cosine = vectors[asked] @ vectors.T
    cosine.scatter_(1, asked[:, None], float("-inf"))
    values, found = (part.cpu().numpy() for part in cosine.topk(k))
    return pl.DataFrame(
        {
            "item": model.items.externals(np.repeat(asked.cpu().numpy(), k)),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(items)),
            "similar": model.items.externals(found.ravel()),
            "cosine": values.ravel(),
        }
    )
