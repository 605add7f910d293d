#!/usr/bin/env bash
# LanceDB 0.40.0: importing it fails where any module called `datasets` has been imported before, such as a file of one's own.
#
# Expected: whether a program has a file datasets.py is its own affair; Hugging Face's package is looked for by more than its name.
# Happens: lancedb takes whatever `datasets` is already imported for Hugging Face's, and fails on `from datasets import DatasetDict`.
# Imported in the other order, or with no such module, it works.
# Matters to us: programs that compare recommenders often have a datasets.py (ours had). A guard for optional packages that
# catches ImportError then says that LanceDB is not installed.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check lancedb==0.40.0
echo 'def films(): return ["Alien", "Brazil"]' > "$folder/datasets.py"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version


def ran(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


print("lancedb", version("lancedb"))
seen = {
    "our datasets.py first": ran("import datasets, lancedb; print('imported')"),
    "lancedb first": ran("import lancedb, datasets; print('imported')"),
}
for name, said in seen.items():
    print(f"{name}: {said}")
as_described = "cannot import name 'DatasetDict'" in seen["our datasets.py first"] or "cannot import name 'Dataset'" in str(seen)
sys.exit(0 if as_described and seen["lancedb first"] == "imported" else 1)
PYTHON
