"""LibRecommender: the functions of libreco/evaluation/metrics.py, given lists of k items as its evaluate() gives them.

Only that file is loaded: the package itself imports TensorFlow.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from cases import Case, Figures, answer, attempt

ROOT = importlib.util.find_spec("libreco")
if ROOT is None or not ROOT.submodule_search_locations:
    raise ImportError("libreco is not installed")
SPEC = importlib.util.spec_from_file_location("metrics", Path(ROOT.submodule_search_locations[0]) / "evaluation" / "metrics.py")
if SPEC is None or SPEC.loader is None:
    raise ImportError("libreco has no evaluation/metrics.py")
METRICS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(METRICS)


def measure(case: Case) -> Figures:
    truth = {user: list(case.truth[user]) for user in case.lists}
    lists = {user: np.array(case.lists[user][: case.k], int) for user in case.lists}
    asked = {"recall": "recall_at_k", "precision": "precision_at_k", "ndcg": "ndcg_at_k", "map": "average_precision_at_k"}
    return {
        name: attempt(lambda f=function: METRICS.listwise_scores(getattr(METRICS, f), truth, lists, list(lists), case.k))
        for name, function in asked.items()
    }


answer(measure, "librecommender")
