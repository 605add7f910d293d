#!/usr/bin/env bash
# DuckDB 2.0.1 and pandas 3.1.1 read other days from the same dates.
#
# Expected: dates such as 03/04/2020, which may be the 3rd of April or the 4th of March, are read alike or left as text.
# Seen: DuckDB's read_csv takes them for day/month/year, pandas' to_datetime for month/day/year. Both say nothing.
# It matters for a split in time: of the three interactions below, another one is the newest, so the test part is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import duckdb
import pandas as pd

Path("log.csv").write_text("user,item,date\n1,10,05/01/2020\n1,11,03/04/2020\n1,12,02/03/2020\n")
of_duckdb = [day.isoformat() for (day,) in duckdb.read_csv("log.csv").select("date").fetchall()]
of_pandas = [day.date().isoformat() for day in pd.to_datetime(pd.read_csv("log.csv")["date"])]
print("duckdb", duckdb.__version__, "pandas", pd.__version__)
print("items 10, 11, 12 by DuckDB:", of_duckdb, "newest:", 10 + of_duckdb.index(max(of_duckdb)))
print("items 10, 11, 12 by pandas:", of_pandas, "newest:", 10 + of_pandas.index(max(of_pandas)))
if of_duckdb != ["2020-01-05", "2020-04-03", "2020-03-02"] or of_pandas != ["2020-05-01", "2020-03-04", "2020-02-03"]:
    raise SystemExit("this is no longer how the two read dates")
PYTHON
