"""Ranking metrics: pure functions of hits.

Shapes: `B` users, `K` list length. `hits` is boolean [B, K], True where the item at that rank is relevant; `relevant` is the
number of relevant items of each user, int [B]. Every function gives one value per user, float64 [B]; a user without
relevant items gets 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recodiff.errors import ConfigError

Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]
Values = NDArray[np.float64]


def recall(hits: Hits, relevant: Counts) -> Values:
    """hits / |relevant|: the DiffRec paper's recall."""
    return hits.sum(1) / np.maximum(relevant, 1)


def recall_min(hits: Hits, relevant: Counts) -> Values:
    """hits / min(K, |relevant|): the recall of MultiVAE's code and of GiffCF. Never put it beside the other in one column."""
    return hits.sum(1) / np.maximum(np.minimum(relevant, hits.shape[1]), 1)


def precision(hits: Hits, relevant: Counts) -> Values:
    """hits / K."""
    return hits.sum(1) / hits.shape[1]


def hit_rate(hits: Hits, relevant: Counts) -> Values:
    """1 where there is any hit."""
    return np.where(hits.any(1), 1.0, 0.0)


def mrr(hits: Hits, relevant: Counts) -> Values:
    """1 / rank of the first hit."""
    return np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)


def ndcg(hits: Hits, relevant: Counts) -> Values:
    """sum_j h_j / log2(j + 1) over its best possible value, sum_{j <= min(K, |relevant|)} 1 / log2(j + 1)."""
    discount = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    best = np.concatenate([[1.0], discount.cumsum()])  # a user without relevant items divides by 1
    return hits @ discount / best[np.minimum(relevant, hits.shape[1])]


def average_precision(hits: Hits, relevant: Counts) -> Values:
    """Mean over min(K, |relevant|) of the precision at each hit; its mean over users is MAP."""
    at_rank = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    return (at_rank * hits).sum(1) / np.maximum(np.minimum(relevant, hits.shape[1]), 1)


METRICS: dict[str, Callable[[Hits, Counts], Values]] = {
    "recall": recall,
    "recall_min": recall_min,
    "ndcg": ndcg,
    "precision": precision,
    "mrr": mrr,
    "hit_rate": hit_rate,
    "map": average_precision,
}
"""By the name that stands before the `@`."""


def parse(name: str) -> tuple[str, int]:
    """Splits `recall@20` into its function's name and K.

    Raises:
        ConfigError: there is no such metric, or K is no positive whole number.
    """
    kind, _, k = name.partition("@")
    if kind not in METRICS or not k.isdecimal() or int(k) < 1:
        raise ConfigError(f"no metric '{name}'; give one of {', '.join(METRICS)} with a length, such as recall@20")
    return kind, int(k)
