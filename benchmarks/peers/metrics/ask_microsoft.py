"""Microsoft's recommenders: the pandas functions of python_evaluation."""

from __future__ import annotations

import pandas as pd
from cases import Case, Figures, answer


def measure(case: Case) -> Figures:
    from recommenders.evaluation import python_evaluation as metrics

    truth = pd.DataFrame(
        [(user, item, float(r)) for user in case.seeking() for item, r in case.truth[user].items()],
        columns=["userID", "itemID", "rating"],
    )
    lists = pd.DataFrame(
        [(u, i, score) for u in case.listed() for i, score in zip(case.lists[u], case.scores(u), strict=True)],
        columns=["userID", "itemID", "prediction"],
    )
    names = ("recall_at_k", "precision_at_k", "ndcg_at_k", "map_at_k", "map")
    figures = {name: getattr(metrics, name)(truth, lists, k=case.k) for name in names}
    return figures | {
        "ndcg_at_k, score_type=raw": metrics.ndcg_at_k(truth, lists, k=case.k, score_type="raw"),
        "ndcg_at_k, score_type=exp": metrics.ndcg_at_k(truth, lists, k=case.k, score_type="exp"),
    }


answer(measure, "recommenders")
