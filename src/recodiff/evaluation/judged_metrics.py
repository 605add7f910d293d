"""Metrics of hits that need the ratings of the relevant items, or a ranking of every candidate.

Divisor, cut, gain and discount stand in the formula. Ties in the scores are broken before, by the ranking: any order of equal
scores. A user without relevant items gets 0; `evaluate` takes the mean over the users with relevant items, or over all.
"""

from __future__ import annotations

from recodiff.evaluation.conventions import Formula
from recodiff.evaluation.metric_kinds import JudgedMetric

JUDGED_METRICS = (
    JudgedMetric(
        "ndcg_rated",
        Formula("DCG", "ideal of min(k, R)", gain="rating"),
        "as ndcg, a hit worth its rating; the best list has the highest ratings first",
    ),
    JudgedMetric(
        "ndcg_exponential",
        Formula("DCG", "ideal of min(k, R)", gain="2^rating - 1"),
        "as ndcg_rated, a hit worth 2^rating - 1",
    ),
    JudgedMetric(
        "auc",
        Formula("pairs", "all pairs", "ranking"),
        "share of (relevant, irrelevant) pairs of candidates in the right order",
    ),
    JudgedMetric("mrr_ranking", Formula("reciprocal rank", cut="ranking"), "1 / rank of the first hit, among all candidates"),
    JudgedMetric(
        "map_ranking",
        Formula("precision at hits", "R", "ranking"),
        "sum of the precision at each relevant item / relevant, among all candidates",
    ),
)
"""In the order in which they are listed."""
