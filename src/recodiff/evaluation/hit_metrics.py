"""Metrics of hits: pure functions.

Shapes: `n` users, `K` list length. `hits` is boolean [n, K], True where the item at that rank is relevant, False where a list ends
early; `relevant` is the number of relevant items of each user, int [n], masked ones included. Every function gives one value per
user, float64 [n], in 0..1: 0 for a user without relevant items. `evaluate` leaves such users out of the mean, or counts them as 0.
"""

from __future__ import annotations

import numpy as np

from recodiff.evaluation.metric_kinds import Counts, HitMetric, Hits, Values


def recall(hits: Hits, relevant: Counts) -> Values:
    """Divide hits by |relevant|: the DiffRec paper's recall.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return hits.sum(1) / np.maximum(relevant, 1)


def recall_min(hits: Hits, relevant: Counts) -> Values:
    """Divide hits by min(K, |relevant|): the recall of MultiVAE's code and of GiffCF. Not for one column with `recall`.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return hits.sum(1) / np.maximum(np.minimum(relevant, hits.shape[1]), 1)


def precision(hits: Hits, relevant: Counts) -> Values:
    """Divide hits by K, also where a list ends early.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return hits.sum(1) / hits.shape[1]


def hit_rate(hits: Hits, relevant: Counts) -> Values:
    """Give 1 where there is any hit, else 0.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return np.where(hits.any(1), 1.0, 0.0)


def mrr(hits: Hits, relevant: Counts) -> Values:
    """Divide 1 by the rank of the first hit, from 1; 0 where none is among the first K.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)


def ndcg(hits: Hits, relevant: Counts) -> Values:
    """Divide sum_j h_j / log2(j + 1) by its best value, sum_{j <= min(K, |relevant|)} 1 / log2(j + 1).

    Ranks j are from 1, gains h_j 0 or 1.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    discount = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    best = np.concatenate([[1.0], discount.cumsum()])  # a user without relevant items divides by 1
    return hits @ discount / best[np.minimum(relevant, hits.shape[1])]


def ndcg_k(hits: Hits, relevant: Counts) -> Values:
    """Divide sum_j h_j / log2(j + 1) by that of hits at all K ranks, also where fewer items are relevant: RecTools' NDCG.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    discount = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    return hits @ discount / discount.sum()


def average_precision(hits: Hits, relevant: Counts) -> Values:
    """Divide the sum of the precision at each hit by min(K, |relevant|); its mean over users is MAP.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return _precision_at_hits(hits) / np.maximum(np.minimum(relevant, hits.shape[1]), 1)


def map_relevant(hits: Hits, relevant: Counts) -> Values:
    """Divide the sum of the precision at each hit by |relevant|, also where K is smaller: trec_eval's map, cut at K.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return _precision_at_hits(hits) / np.maximum(relevant, 1)


def map_hits(hits: Hits, relevant: Counts) -> Values:
    """Divide the sum of the precision at each hit by the number of hits: one hit at rank 1 gives 1 whatever is missed.

    Cut at K. Equal scores stand in the ranking's order, which is arbitrary. The mean is over users with relevant items.

    Args:
        hits: whether the item at each place is relevant, boolean [n, K].
        relevant: number of relevant items of each user, int [n].
    """
    return _precision_at_hits(hits) / np.maximum(hits.sum(1), 1)


def _precision_at_hits(hits: Hits) -> Values:
    return (hits.cumsum(1) / np.arange(1, hits.shape[1] + 1) * hits).sum(1)


HIT_METRICS = (
    HitMetric("recall", recall, "hits / relevant"),
    HitMetric("recall_min", recall_min, "hits / min(K, relevant)"),
    HitMetric("ndcg", ndcg, "sum of 1 / log2(rank + 1) of the hits / that of min(K, relevant) hits in front"),
    HitMetric("precision", precision, "hits / K"),
    HitMetric("mrr", mrr, "1 / rank of the first hit, 0 where it is not among K"),
    HitMetric("hit_rate", hit_rate, "1 where there is any hit"),
    HitMetric("map", average_precision, "sum of the precision at each hit / min(K, relevant)"),
    HitMetric("map_relevant", map_relevant, "sum of the precision at each hit / relevant"),
    HitMetric("map_hits", map_hits, "sum of the precision at each hit / hits"),
    HitMetric("ndcg_k", ndcg_k, "sum of 1 / log2(rank + 1) of the hits / that of K hits, also where fewer items are relevant"),
)
"""In the order in which they are listed."""
