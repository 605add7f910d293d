"""RecBole: its metric classes, given the hits of the first k places and the number of relevant items.

They need numpy.float, which numpy 1.24 dropped and which RecBole's Config puts back: so one is made first.
"""

from __future__ import annotations

import logging

import numpy as np
from cases import Case, Figures, answer, attempt
from recbole.config import Config
from recbole.evaluator import metrics

logging.disable(logging.CRITICAL)


def measure(case: Case) -> Figures:
    settings = {"topk": [case.k], "metric_decimal_place": 8, "state": "CRITICAL"}
    config = Config(model="Pop", dataset="lists", config_dict=settings)
    # Its loader makes neither a row of a user without truth nor lists that end early: a short one is filled with misses here.
    users = case.seeking()
    hits = np.zeros((len(users), case.k), dtype=int)
    for row, user in enumerate(users):
        for place, item in enumerate(case.lists[user][: case.k]):
            hits[row, place] = item in case.truth[user]
    relevant = np.array([len(case.truth[user]) for user in users])
    figures = {}
    for name in ("Recall", "Precision", "NDCG", "MAP", "MRR", "Hit"):
        metric = getattr(metrics, name)(config)
        given = (hits, relevant) if name in {"Recall", "NDCG", "MAP"} else (hits,)
        figures[name] = attempt(lambda metric=metric, given=given: metric.metric_info(*given)[:, case.k - 1].mean())
    return figures


answer(measure, "recbole")
