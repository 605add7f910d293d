"""RecPack: metric classes, asked with sparse matrices of users and items."""

from __future__ import annotations

import numpy as np
from cases import Case, Figures, answer
from recpack import metrics
from scipy.sparse import csr_matrix


def measure(case: Case) -> Figures:
    lists, truth = np.zeros((len(case.lists), case.items)), np.zeros((len(case.lists), case.items))
    for user in case.lists:
        lists[user - 1] = case.row(user, 0.0)
        truth[user - 1, np.array(list(case.truth[user]), int) - 1] = 1
    names = ("RecallK", "CalibratedRecallK", "PrecisionK", "NDCGK", "ReciprocalRankK", "HitK")
    figures = {}
    for name in names:
        metric = getattr(metrics, name)(case.k)
        metric.calculate(csr_matrix(truth), csr_matrix(lists))
        figures[name] = metric.value
    return figures


answer(measure, "recpack")
