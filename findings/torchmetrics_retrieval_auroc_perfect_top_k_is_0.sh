#!/usr/bin/env bash
# TorchMetrics 1.9.0: RetrievalAUROC(top_k=k) of a perfect list is 0, and gets better when a relevant item is moved down.
#
# Expected: the AUC within the first k, 1 (or nothing) where all k are relevant.
# Seen: a query whose first two documents are the two relevant ones scores 0 at top_k=2. With the second relevant document moved
# from place 2 to place 3 it scores 1. The mean over queries counts the perfect ones as 0.
# It matters when a model is chosen by this metric: the better it ranks, the lower the figure.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import torch
from torchmetrics.retrieval import RetrievalAUROC

scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
queries = {"perfect": [1, 1, 0, 0, 0], "second relevant at place 3": [1, 0, 1, 0, 0], "both last": [0, 0, 0, 1, 1]}
seen = {}
for name, relevant in queries.items():
    metric = RetrievalAUROC(top_k=2)
    metric.update(scores, torch.tensor(relevant), torch.zeros(5, dtype=torch.long))
    seen[name] = float(metric.compute())
print("torchmetrics", importlib.metadata.version("torchmetrics"))
print("RetrievalAUROC(top_k=2):", seen)
if seen != {"perfect": 0.0, "second relevant at place 3": 1.0, "both last": 0.0}:
    raise SystemExit("this is no longer what TorchMetrics answers")
PYTHON
