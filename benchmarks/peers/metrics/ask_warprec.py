"""WarpRec: metric classes only. Its package imports Ray at once, so the folders on the way to them are given as empty packages.

It names Python 3.12; the metric classes run on 3.11 too.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import torch
from cases import Case, Figures, answer

ROOT = Path(next(iter(importlib.util.find_spec("torchmetrics").submodule_search_locations))).parent / "warprec"
for name in ("warprec", "warprec.utils", "warprec.evaluation", "warprec.evaluation.metrics"):
    module = ModuleType(name)
    module.__path__ = [str(ROOT.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = module
for name in ("loguru", "ray"):
    if importlib.util.find_spec(name) is None:
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))


def measure(case: Case) -> Figures:
    accuracy = importlib.import_module("warprec.evaluation.metrics.accuracy")
    scores = torch.tensor([case.row(user, float("-inf")) for user in case.lists])
    ratings = torch.zeros(scores.shape)
    for row, user in enumerate(case.lists):
        for item, grade in case.truth[user].items():
            ratings[row, item - 1] = grade
    users = torch.arange(len(scores))

    def one(name: str, truth: torch.Tensor) -> float:
        metric = getattr(accuracy, name)(k=case.k, num_users=len(users))
        metric.update(scores, user_indices=users, ground=truth)
        values = next(iter(metric.compute().values()))
        return float(values.nanmean())

    binary = (ratings > 0).float()
    names = ("Recall", "Precision", "nDCG", "nDCGRendle2020", "MAP", "MRR", "HitRate")
    return {name: one(name, binary) for name in names} | {"nDCG, ratings": one("nDCG", ratings)}


answer(measure, "warprec")
