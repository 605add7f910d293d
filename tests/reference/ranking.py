"""Metrics of one list, and weights of one history."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# Metrics of one user: the list, best first, and the set of relevant items


def recall(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / len(relevant) if relevant else 0.0


def recall_min(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / min(len(ranked), len(relevant)) if relevant else 0.0


def precision(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / len(ranked)


def hit_rate(ranked: Sequence[int], relevant: set[int]) -> float:
    return float(any(item in relevant for item in ranked))


def mrr(ranked: Sequence[int], relevant: set[int]) -> float:
    for rank, item in enumerate(ranked, 1):
        if item in relevant:
            return 1 / rank
    return 0.0


def ndcg(ranked: Sequence[int], relevant: set[int]) -> float:
    if not relevant:
        return 0.0
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked, 1) if item in relevant)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(ranked), len(relevant)) + 1))


def average_precision(ranked: Sequence[int], relevant: set[int]) -> float:
    if not relevant:
        return 0.0
    at_hits = [precision(ranked[: k + 1], relevant) for k in range(len(ranked)) if ranked[k] in relevant]
    return sum(at_hits) / min(len(ranked), len(relevant))


def ndcg_k(ranked: Sequence[int], relevant: set[int]) -> float:
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked, 1) if item in relevant)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, len(ranked) + 1))


def map_relevant(ranked: Sequence[int], relevant: set[int]) -> float:
    at_hits = [precision(ranked[: k + 1], relevant) for k in range(len(ranked)) if ranked[k] in relevant]
    return sum(at_hits) / len(relevant) if relevant else 0.0


def map_hits(ranked: Sequence[int], relevant: set[int]) -> float:
    at_hits = [precision(ranked[: k + 1], relevant) for k in range(len(ranked)) if ranked[k] in relevant]
    return sum(at_hits) / len(at_hits) if at_hits else 0.0


METRICS: dict[str, Callable[[Sequence[int], set[int]], float]] = {
    "recall": recall,
    "recall_min": recall_min,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "ndcg": ndcg,
    "map": average_precision,
    "map_relevant": map_relevant,
    "map_hits": map_hits,
    "ndcg_k": ndcg_k,
}


# Weightings of one user's history, oldest first


def linear_recency(count: int, w_min: float, w_max: float) -> list[float]:
    """w_m = w_min + (m-1)/(M-1) (w_max - w_min), m = 1..M; w_min where M = 1."""
    if count == 1:
        return [w_min]
    return [w_min + (m - 1) / (count - 1) * (w_max - w_min) for m in range(1, count + 1)]


def half_life(ages: Sequence[float], h: float, floor: float) -> list[float]:
    return [max(floor, 2 ** (-a / h)) for a in ages]


def power_law(ages: Sequence[float], q: float, floor: float) -> list[float]:
    return [max(floor, (1 + a) ** -q) for a in ages]
