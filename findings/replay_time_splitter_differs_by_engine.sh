#!/usr/bin/env bash
# RePlay 0.22.0: TimeSplitter with a share gives pandas and Polars frames other test parts.
#
# Expected: one rule whatever the frame is made of, and a cut between two times, since the splitter is one by time.
# Seen: of ten interactions, six of them at the last time, TimeSplitter(.2) on pandas puts all six into test. On Polars it puts two
# there, and the other four of the very same user and time into train. The same holds for shares of .1 to .5.
# It matters wherever times repeat (days, baskets): the test part, and so every figure, depends on the frame's library, and on Polars
# the order of rows of one time decides.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check replay-rec==0.22.0 pandas==2.3.3
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import pandas as pd
import polars as pl
from replay.splitters import TimeSplitter

times = [1, 1, 2, 2, 3, 3, 3, 3, 3, 3]
log = pd.DataFrame({"query_id": 1, "item_id": range(10), "timestamp": times})
seen = {}
for share in (0.1, 0.2, 0.5):
    _, of_pandas = TimeSplitter(share).split(log)
    _, of_polars = TimeSplitter(share).split(pl.from_pandas(log))
    seen[share] = (sorted(of_pandas["item_id"]), sorted(of_polars["item_id"]))
print("replay-rec", importlib.metadata.version("replay-rec"))
for share, (of_pandas, of_polars) in seen.items():
    print(f"TimeSplitter({share}): test on pandas {of_pandas}, on Polars {of_polars}")
last = [4, 5, 6, 7, 8, 9]
if seen != {0.1: (last, [9]), 0.2: (last, [8, 9]), 0.5: (last, [5, 6, 7, 8, 9])}:
    raise SystemExit("this is no longer how RePlay splits")
PYTHON
