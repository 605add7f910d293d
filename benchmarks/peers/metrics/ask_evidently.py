"""Evidently: a Report over rows of (user, item, score, target), best first.

Truth that no list holds stands below the lists as rows of its own: without them Evidently takes the hits for all there is to find.
Its `rank` column counts from 1 in some metrics and from 2 in others, so the k-th value is taken.
"""

from __future__ import annotations

import warnings

import pandas as pd
from cases import Case, Figures, answer
from evidently import DataDefinition, Dataset, Recsys, Report
from evidently.metrics import MAP, MRR, NDCG, HitRate, PrecisionTopK, RecallTopK

warnings.filterwarnings("ignore")


def rows(case: Case, *, ratings: bool) -> pd.DataFrame:
    found = []
    for user, truth in case.truth.items():
        for item, score in zip(case.lists[user], case.scores(user), strict=True):
            found.append((user, item, score, truth.get(item, 0)))
        missed = [item for item in truth if item not in set(case.lists[user])]
        found += [(user, item, -float(place), truth[item]) for place, item in enumerate(missed, 1)]
    frame = pd.DataFrame(found, columns=["user_id", "item_id", "prediction", "target"])
    return frame if ratings else frame.assign(target=(frame["target"] > 0).astype(int))


def measure(case: Case) -> Figures:
    definition = DataDefinition(ranking=[Recsys(user_id="user_id", item_id="item_id", prediction="prediction", target="target")])

    def one(metric: type, *, ratings: bool = False) -> float:
        data = Dataset.from_pandas(rows(case, ratings=ratings), data_definition=definition)
        found = Report([metric(k=case.k)]).run(data, None)
        (result,) = found.metric_results.values()
        return float(result.value["value"].iloc[case.k - 1])

    metrics = (RecallTopK, PrecisionTopK, NDCG, MAP, MRR, HitRate)
    return {metric.__name__: one(metric) for metric in metrics} | {"NDCG, ratings": one(NDCG, ratings=True)}


answer(measure, "evidently")
