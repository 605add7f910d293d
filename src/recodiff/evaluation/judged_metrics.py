"""Metrics of hits that need the ratings of the relevant items, or a ranking of every candidate.

Divisor, cut, gain and discount stand in the formula, and in words in the meaning of each. Equal scores stand in the order of the
ranking, which is arbitrary: none is averaged or credited by half. The mean is over users with relevant items; others get 0.
"""

from __future__ import annotations

from recodiff.evaluation.conventions import Formula
from recodiff.evaluation.metric_kinds import JudgedMetric

JUDGED_METRICS = (
    JudgedMetric(
        "ndcg_rated",
        Formula("DCG", "ideal of min(k, R)", gain="rating"),
        "sum of rating / log2(rank + 1) of the hits / that of the best list, the min(K, relevant) highest ratings first",
    ),
    JudgedMetric(
        "ndcg_exponential",
        Formula("DCG", "ideal of min(k, R)", gain="2^rating - 1"),
        "as ndcg_rated, a hit and the best list's items worth 2^rating - 1",
    ),
    JudgedMetric(
        "auc",
        Formula("pairs", "all pairs", "ranking"),
        "pairs of candidates, one relevant and one not, in the right order / all such pairs; masked items are no candidates, all "
        "others must be in the list",
    ),
    JudgedMetric(
        "mrr_ranking",
        Formula("reciprocal rank", cut="ranking"),
        "1 / rank of the first hit among all candidates, not cut; masked items are no candidates",
    ),
    JudgedMetric(
        "map_ranking",
        Formula("precision at hits", "R", "ranking"),
        "sum of the precision at each relevant item / relevant, among all candidates, not cut; masked items are no candidates",
    ),
)
"""In the order in which they are listed."""
