"""LightFM: its evaluation functions ask a model for the ranks of the truth, so one that knows the ranks stands in for it."""

from __future__ import annotations

import numpy as np
from cases import Case, Figures, answer
from scipy.sparse import csr_matrix


class Ranks:
    """The rank of every relevant item, from 0, among the whole catalogue; an item outside the list stands below it.

    Args:
        case: whose lists are given.
    """

    def __init__(self, case: Case) -> None:
        self.case = case

    def predict_rank(self, test_interactions: csr_matrix, **_: object) -> csr_matrix:
        ranks = test_interactions.copy().astype(np.float32)
        for user in range(ranks.shape[0]):
            ranked = self.case.lists[user + 1]
            order = ranked + [item for item in range(1, self.case.items + 1) if item not in set(ranked)]
            for place in range(ranks.indptr[user], ranks.indptr[user + 1]):
                ranks.data[place] = order.index(int(ranks.indices[place]) + 1)
        return ranks


def measure(case: Case) -> Figures:
    from lightfm.evaluation import auc_score, precision_at_k, recall_at_k, reciprocal_rank

    truth = np.zeros((len(case.lists), case.items), np.float32)
    for user in case.seeking():
        truth[user - 1, np.array(list(case.truth[user]), int) - 1] = 1
    model, test = Ranks(case), csr_matrix(truth)
    return {
        "precision_at_k": precision_at_k(model, test, k=case.k).mean(),
        "recall_at_k": recall_at_k(model, test, k=case.k).mean(),
        "reciprocal_rank": reciprocal_rank(model, test).mean(),
        "auc_score": auc_score(model, test).mean(),
    }


answer(measure, "lightfm")
