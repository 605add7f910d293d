"""RePlay: metric classes, asked with pandas frames of lists and truth."""

from __future__ import annotations

import pandas as pd
from cases import Case, Figures, answer


def measure(case: Case) -> Figures:
    from replay.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall

    lists = pd.DataFrame(
        [(u, item, score) for u in case.listed() for item, score in zip(case.lists[u], case.scores(u), strict=True)],
        columns=["query_id", "item_id", "rating"],
    )
    truth = pd.DataFrame([(u, item) for u in case.seeking() for item in case.truth[u]], columns=["query_id", "item_id"])
    metrics = (Recall, Precision, NDCG, MAP, MRR, HitRate)
    return {metric.__name__: metric(case.k)(lists, truth)[f"{metric.__name__}@{case.k}"] for metric in metrics}


answer(measure, "replay-rec")
