"""Cornac: ranking_eval asks a model, so a model with the scores of the case stands in for one.

Cornac ranks every item that is not in the train set, so an item outside the list of a case scores less than those in it. Users
without truth are not in its test set, and users without a list are not in its train set, which is what "unknown" means there.
"""

from __future__ import annotations

import numpy as np
from cases import Case, Figures, answer
from cornac.data import Dataset
from cornac.eval_methods.base_method import ranking_eval
from cornac.metrics import AUC, MAP, MRR, NDCG, HitRatio, Precision, Recall
from cornac.models import Recommender


class Lists(Recommender):
    """Scores of the case: of a list's items its own, below them those of all others, each another one.

    Args:
        case: whose lists are given.
        train: which users and items are known.
        users: the case's user at each position.
        items: the case's item at each position.
    """

    def __init__(self, case: Case, train: Dataset, users: dict[str, int], items: dict[str, int]) -> None:
        super().__init__(name="lists")
        self.case = case
        self.user_at = {place: int(user[1:]) for user, place in users.items()}
        self.item_at = np.array([int(item[1:]) for item in items])
        self.fit(train)

    def score(self, user_idx: int, item_idx: int | None = None, **_: object) -> np.ndarray:
        row = np.array([*self.case.row(self.user_at[user_idx], -1.0), -1.0])
        unlisted = row < 0
        row[unlisted] = -1.0 - np.arange(unlisted.sum())
        return row[self.item_at - 1]


def measure(case: Case) -> Figures:
    unseen = [(f"u{user}", f"i{case.items + 1}", 1.0) for user in case.listed()]
    catalogue = [("u0", f"i{item}", 1.0) for item in range(1, case.items + 2)]
    users, items = {}, {}
    train = Dataset.build(unseen + catalogue, global_uid_map=users, global_iid_map=items)
    truth = [(f"u{user}", f"i{item}", 1.0) for user in case.seeking() for item in case.truth[user]]
    known = train.uid_map
    test = Dataset.build(
        [row for row in truth if row[0] in known], global_uid_map=users, global_iid_map=items, exclude_unknowns=True
    )
    cut = [Recall(case.k), Precision(case.k), NDCG(case.k), HitRatio(case.k)]
    whole = [MAP(), MRR(), AUC()]
    model = Lists(case, train, users, items)
    found = [value for metrics in (cut, whole) for value in ranking_eval(model, metrics, train, test)[0]]
    return dict(zip(["Recall", "Precision", "NDCG", "HitRatio", "MAP", "MRR", "AUC"], found, strict=True))


answer(measure, "cornac")
