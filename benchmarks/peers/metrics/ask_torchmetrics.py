"""TorchMetrics: retrieval metrics over (score, target, user) of the whole catalogue, items outside the list scored 0.

Given only the items of the list it takes the hits for all there is to find.
"""

from __future__ import annotations

import torch
from cases import Case, Figures, answer
from torchmetrics import retrieval


def measure(case: Case) -> Figures:
    users = list(case.lists)
    scores = torch.tensor([case.row(user, 0.0) for user in users])
    grades = torch.zeros(scores.shape, dtype=torch.long)
    for row, user in enumerate(users):
        for item, grade in case.truth[user].items():
            grades[row, item - 1] = grade
    index = torch.arange(len(users))[:, None].expand(scores.shape).flatten()

    def one(name: str, target: torch.Tensor, **settings: object) -> float:
        metric = getattr(retrieval, name)(top_k=case.k, **settings)
        metric.update(scores.flatten(), target.flatten(), indexes=index)
        return float(metric.compute())

    names = ("Recall", "Precision", "NormalizedDCG", "MAP", "MRR", "HitRate")
    figures = {name: one(f"Retrieval{name}", (grades > 0).long()) for name in names}
    figures["NormalizedDCG, ratings"] = one("RetrievalNormalizedDCG", grades)
    figures["Recall, empty_target_action=skip"] = one("RetrievalRecall", (grades > 0).long(), empty_target_action="skip")
    return figures


answer(measure, "torchmetrics")
