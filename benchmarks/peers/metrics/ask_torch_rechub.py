"""torch-rechub: topk_metrics of torch_rechub/basic/metric.py, loaded alone; it rounds to 4 digits, and gives text."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cases import Case, Figures, answer, attempt

ROOT = importlib.util.find_spec("torch_rechub")
if ROOT is None or not ROOT.submodule_search_locations:
    raise ImportError("torch_rechub is not installed")
SPEC = importlib.util.spec_from_file_location("metric", Path(ROOT.submodule_search_locations[0]) / "basic" / "metric.py")
if SPEC is None or SPEC.loader is None:
    raise ImportError("torch_rechub has no basic/metric.py")
METRIC = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(METRIC)


def measure(case: Case) -> Figures:
    truth = {str(user): list(case.truth[user]) for user in case.lists}
    lists = {str(user): case.lists[user] for user in case.lists}
    names = ("Recall", "Precision", "NDCG", "MRR", "Hit")
    found = attempt(lambda: METRIC.topk_metrics(truth, lists, [case.k]))
    return {name: found if isinstance(found, str) else float(found[name][0].split(": ")[1]) for name in names}


answer(measure, "torch-rechub")
