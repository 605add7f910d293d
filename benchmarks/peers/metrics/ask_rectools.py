"""RecTools: metric classes, asked through calc_metrics."""

from __future__ import annotations

import pandas as pd
from cases import Case, Figures, answer


def measure(case: Case) -> Figures:
    from rectools.metrics import MAP, MRR, NDCG, HitRate, PartialAUC, Precision, Recall, calc_metrics

    k = case.k
    lists = pd.DataFrame(
        [(u, item, rank) for u in case.listed() for rank, item in enumerate(case.lists[u], 1)],
        columns=["user_id", "item_id", "rank"],
    )
    truth = pd.DataFrame([(u, item) for u in case.seeking() for item in case.truth[u]], columns=["user_id", "item_id"])
    asked = {
        "Recall": Recall(k),
        "Precision": Precision(k),
        "Precision, r_precision=True": Precision(k, r_precision=True),
        "NDCG": NDCG(k),
        "NDCG, divide_by_achievable=True": NDCG(k, divide_by_achievable=True),
        "MAP": MAP(k),
        "MAP, divide_by_k=True": MAP(k, divide_by_k=True),
        "MRR": MRR(k),
        "HitRate": HitRate(k),
        "PartialAUC": PartialAUC(k),
    }
    return calc_metrics(asked, reco=lists, interactions=truth)


answer(measure, "rectools")
