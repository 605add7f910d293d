#!/usr/bin/env bash
# RecTools 0.19.0: PartialAUC(k) of a whole ranking grows with k.
#
# Expected: k bounds how many irrelevant items are looked at, so with k of the catalogue's size or more PartialAUC is the AUC.
# Seen: past the number of irrelevant items it goes on growing towards 1. A catalogue of ten items is ranked to the end, and the
# two relevant ones stand last: AUC 0. PartialAUC(k=8) is 0, PartialAUC(k=10) .2 and PartialAUC(k=100) .92.
# insufficient_handling="raise" does not raise.
# It matters where figures of small catalogues, or of users with few candidates, are compared at one k: the worst ranking looks good.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check rectools==0.19.0 numpy==1.26.4 pandas==2.3.3
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import pandas as pd
from rectools.metrics import PartialAUC

items = 10
ranking = pd.DataFrame({"user_id": 1, "item_id": range(items), "rank": range(1, items + 1)})
relevant = pd.DataFrame({"user_id": 1, "item_id": [8, 9]})
seen = {k: round(PartialAUC(k).calc(ranking, relevant), 4) for k in (8, 10, 100)}
strict = round(PartialAUC(100, insufficient_handling="raise").calc(ranking, relevant), 4)
print("rectools", importlib.metadata.version("rectools"))
print("the two relevant of ten items are ranked last; PartialAUC by k:", seen, "with insufficient_handling='raise':", strict)
if seen != {8: 0.0, 10: 0.2, 100: 0.92} or strict != 0.92:
    raise SystemExit("this is no longer what RecTools answers")
PYTHON
