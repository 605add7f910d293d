#!/usr/bin/env bash
# daisyRec 2.3.0: of items at a user's last time, leave-one-out tests the first row of the log, the split by ratio the last rows.
#
# Expected: both of its time-aware splits of a user, 'tloo' and 'utfo', take the end of the log as the newest.
# Seen: a user's newest basket stands in the log as 30, 10, 20. 'tloo' puts 30 into test and trains on the rows after it. 'utfo' puts
# 20 there. In a log of distinct times both agree.
# It matters on logs of baskets, and on MovieLens, where many ratings share a second: the leave-one-out item is the one that was
# written first, and the two protocols of one study disagree on what is newest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==1.26.4 pandas==2.3.3 scikit-learn==1.9.1
# Its splitter needs no more than these; torch and the rest are for its models.
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps daisyrec==2.3.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import pandas as pd
from daisy.utils.splitter import split_test


def tested(times, method):
    log = pd.DataFrame({"user": 1, "item": [5, 6, 30, 10, 20], "timestamp": times})
    _, test = split_test(log, method, test_size=0.2)
    return [int(item) for item in log.loc[list(test)]["item"]]


basket, distinct = [100, 101, 200, 200, 200], [100, 101, 200, 201, 202]
seen = {(name, method): tested(times, method) for name, times in (("basket", basket), ("distinct", distinct)) for method in ("tloo", "utfo")}
print("daisyrec", importlib.metadata.version("daisyrec"))
for (name, method), items in seen.items():
    print(f"{name} times, {method}: test {items}")
if seen != {("basket", "tloo"): [30], ("basket", "utfo"): [20], ("distinct", "tloo"): [20], ("distinct", "utfo"): [20]}:
    raise SystemExit("this is no longer how daisyRec splits")
PYTHON
