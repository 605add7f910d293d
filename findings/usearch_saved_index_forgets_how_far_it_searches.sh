#!/usr/bin/env bash
# USearch 2.26.6: an index that is saved and restored searches less far than before, so the same query finds less.
#
# Expected: a restored index answers as the saved one did; its settings are part of it, as metric, dtype and connectivity are.
# Happens: `expansion_search` and `expansion_add` go back to their defaults (64 and 128), and nothing says so. Whoever raised them
# until the lists were good serves worse lists after a restart. They must be set again after `restore` or `load`.
# Matters to us: how far a graph looks is measured once and kept beside it, since the file does not keep it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
from importlib.metadata import version

import numpy as np
from usearch.index import Index

ITEMS, WIDTH, K = 10_000, 32, 20
draw = np.random.default_rng(0)
items = (draw.normal(size=(ITEMS, WIDTH)) * np.exp(draw.uniform(-1.5, 1.5, (ITEMS, 1)))).astype(np.float32)
users = draw.normal(size=(200, WIDTH)).astype(np.float32)
best = np.argsort(-(users @ items.T), axis=1)[:, :K]


def recall(index: Index) -> float:
    found = index.search(users, K).keys
    return float(np.mean([np.isin(keys, wanted).mean() for keys, wanted in zip(found, best, strict=True)]))


made = Index(ndim=WIDTH, metric="ip", dtype="f32", connectivity=8, expansion_add=300, expansion_search=1000)
made.add(np.arange(ITEMS, dtype=np.uint64), items, threads=1)
made.save(f"{sys.argv[1]}/items.usearch")
restored = Index.restore(f"{sys.argv[1]}/items.usearch")
print("usearch", version("usearch"))
for name, index in (("as made", made), ("restored", restored)):
    print(f"{name}: expansion_search {index.expansion_search}, expansion_add {index.expansion_add}, recall@{K} {recall(index):.4f}")
same = restored.connectivity == made.connectivity and str(restored.dtype) == str(made.dtype)
forgot = (restored.expansion_search, restored.expansion_add) == (64, 128)
sys.exit(0 if same and forgot and recall(restored) < recall(made) - 0.005 else 1)
PY
