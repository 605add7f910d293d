#!/usr/bin/env bash
# USearch 2.26.6: a batch search pads missing results with the key 0, which may be an item's, and a float32 index is half precision.
#
# Expected: a place without a result has a key that no item has, as faiss's -1; an index of float32 vectors keeps float32.
# Happens: in a batch, places beyond the size of the index have the key 0 and the distance NaN; `counts` says how many are real. And the
# dtype of an index is not float32 unless it is asked for, though the vectors are (which one depends on the processor).
# Matters to whoever serves lists: read by keys alone, item 0 would end every short list.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet usearch==2.26.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
from usearch.index import Index

print("usearch", version("usearch"))
vectors = np.eye(3, 4, dtype=np.float32)
index = Index(ndim=4, metric="ip")
index.add(np.arange(3, dtype=np.uint64), vectors)
found = index.search(vectors[:2], 5)
print("dtype", index.dtype)
print("keys", found.keys.tolist(), "distances", found.distances.tolist(), "counts", found.counts.tolist())
padded = bool((found.keys[:, 3:] == 0).all()) and found.counts.tolist() == [3, 3]
print("missing results have the key 0:", padded)
sys.exit(0 if padded and "32" not in str(index.dtype) else 1)
PY
