#!/usr/bin/env bash
# pandas 3.1.1: one missing id in a CSV makes one user of two.
#
# Expected: a column of whole numbers with a gap keeps its numbers, or is refused.
# Seen: the column becomes float64, whose numbers from 2^53 on stand 2 apart. The ids 9007199254740993 and 9007199254740992 are then
# one id, without a word. Without the gap both are kept; with dtype="Int64" both are kept, gap or none.
# It matters for every log whose ids are 64-bit hashes or snowflakes: users and items merge, and the counts stay plausible.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import io

import pandas as pd

whole = "user,item\n9007199254740993,1\n9007199254740992,2\n"
gap = whole + ",3\n"
seen = {
    "no gap": pd.read_csv(io.StringIO(whole))["user"],
    "a gap": pd.read_csv(io.StringIO(gap))["user"],
    "a gap, Int64": pd.read_csv(io.StringIO(gap), dtype={"user": "Int64"})["user"],
}
print("pandas", pd.__version__)
for name, users in seen.items():
    print(f"{name}: {users.dtype}, {users.nunique()} users of 2: {users.dropna().tolist()}")
if {name: users.nunique() for name, users in seen.items()} != {"no gap": 2, "a gap": 1, "a gap, Int64": 2}:
    raise SystemExit("this is no longer how pandas reads ids")
PYTHON
