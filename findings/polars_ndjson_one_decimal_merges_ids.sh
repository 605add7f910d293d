#!/usr/bin/env bash
# Polars 2.1.0: one id that is written 7.0 makes one user of two others, in JSON lines.
#
# Expected: 64-bit ids keep their digits, as JSON has them, or the mixed column is text or refused (with a text id it is text).
# Seen: read_ndjson makes the column Float64 for the sake of one 7.0, so that 9007199254740993 and 9007199254740992 become one id.
# With a schema of text, all three ids are kept.
# It matters for logs that several programs wrote: those that passed a table with gaps write whole numbers as 7.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check polars==2.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl

lines = b'{"user": 9007199254740993}\n{"user": 9007199254740992}\n{"user": 7.0}\n'
seen = {
    "as it comes": pl.read_ndjson(lines)["user"],
    "without the 7.0": pl.read_ndjson(lines.replace(b"7.0", b"7"))["user"],
    "as text": pl.read_ndjson(lines, schema={"user": pl.String})["user"],
}
print("polars", pl.__version__)
for name, users in seen.items():
    print(f"{name}: {users.dtype}, {users.n_unique()} users of 3: {users.to_list()}")
if {name: users.n_unique() for name, users in seen.items()} != {"as it comes": 2, "without the 7.0": 3, "as text": 3}:
    raise SystemExit("this is no longer how Polars reads ids")
PYTHON
