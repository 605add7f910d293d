"""implicit: ranking_metrics_at_k asks a model, so a model that gives the lists of the case stands in for one."""

from __future__ import annotations

import numpy as np
from cases import Case, Figures, answer
from scipy.sparse import csr_matrix


class Lists:
    """Answers as a model of implicit does: ids and scores, -1 where a list ends early.

    Args:
        case: whose lists are given.
    """

    def __init__(self, case: Case) -> None:
        self.case = case

    def recommend(self, userid: np.ndarray, user_items: csr_matrix, N: int, **_: object) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        ids, scores = np.full((len(userid), N), -1, np.int32), np.full((len(userid), N), -1e9, np.float32)
        for row, user in enumerate(userid):
            ranked = self.case.lists[int(user) + 1][:N]
            ids[row, : len(ranked)] = np.asarray(ranked, int) - 1
            scores[row, : len(ranked)] = self.case.scores(int(user) + 1)[:N]
        return ids, scores


def measure(case: Case) -> Figures:
    from implicit.evaluation import ranking_metrics_at_k

    truth = np.zeros((len(case.lists), case.items), np.float32)
    for user in case.seeking():
        truth[user - 1, np.asarray(list(case.truth[user])) - 1] = 1
    train = csr_matrix(truth.shape, dtype=np.float32)
    return ranking_metrics_at_k(Lists(case), train, csr_matrix(truth), K=case.k, show_progress=False)


answer(measure, "implicit")
