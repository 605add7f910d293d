"""LensKit: RunAnalysis over the lists, and over the lists of users with truth where it raises otherwise.

LensKit 2026 imports torch at once although its metrics use none of it: where it is not installed, an empty module stands in.
"""

from __future__ import annotations

import importlib.util
import sys
from unittest.mock import MagicMock

if importlib.util.find_spec("torch") is None:
    from importlib.machinery import ModuleSpec

    for name in ("torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.sparse", "torch.multiprocessing"):
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None), __version__="0", Tensor=type("Tensor", (), {}))

import pandas as pd
from cases import Case, Figures, answer, attempt
from lenskit.data import ItemList, ItemListCollection, UserIDKey
from lenskit.metrics import NDCG, Hit, Precision, Recall, RecipRank, RunAnalysis
from lenskit.metrics.ranking import AveragePrecision


def measure(case: Case) -> Figures:
    lists, truth = ItemListCollection(UserIDKey), ItemListCollection(UserIDKey)
    for user in case.listed():
        lists.add(ItemList(item_ids=case.lists[user], scores=case.scores(user), ordered=True), user_id=user)
    for user in case.seeking():
        truth.add(ItemList(item_ids=list(case.truth[user]), rating=list(map(float, case.truth[user].values()))), user_id=user)

    def one(metric: object, label: str) -> float:
        analysis = RunAnalysis()
        analysis.add_metric(metric, label=label)
        found: pd.DataFrame = analysis.measure(lists, truth).list_summary()
        return found.loc[label, "mean"]

    k = case.k
    asked = {
        "Recall": Recall(k),
        "Precision": Precision(k),
        "NDCG": NDCG(k),
        "NDCG, gain=rating": NDCG(k, gain="rating"),
        "AveragePrecision": AveragePrecision(k),
        "RecipRank": RecipRank(k),
        "Hit": Hit(k),
    }
    return {label: attempt(lambda label=label, metric=metric: one(metric, label)) for label, metric in asked.items()}


answer(measure, "lenskit")
