"""Runs the speed and memory cases, each in a process of its own, and rewrites results.json and results.md.

python benchmarks/run.py              every case
python benchmarks/run.py chain_long   one case; the others keep their last row
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SPEED, QUALITY, PAGE = HERE / "results.json", HERE / "quality.json", HERE / "results.md"

BARS = {
    "chain_wide": "ratio at least 8",
    "chain_long": "ratio at least 15",
    "chain_released": "ratio at least 4",
    "train_step": "at least .60 of the matrix rate",
    "scoring": "at most 3.5 epochs, metrics under a tenth",
    "train_memory": "under 600 MB",
    "import_time": "under 2 s of CPU",
    "prepare_csv": "under 60 s and 4,000 MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names of cases; all unless given")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a case in this very process
    asked = parser.parse_args()
    from speed import CASES

    os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line has it
    unknown = set(asked.cases) - CASES.keys()
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; cases are: {', '.join(CASES)}")
    if asked.one:
        from machine import machine

        print(json.dumps(CASES[asked.cases[0]]() | {"machine": machine()}))
        return
    found = json.loads(SPEED.read_text()) if SPEED.exists() else {}
    for name in asked.cases or CASES:
        print(f"{name} ...", end=" ", flush=True)
        run = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True, check=False)
        if run.returncode:
            sys.exit(f"{name} failed:\n{run.stderr}")
        found[name] = json.loads(run.stdout.splitlines()[-1])
        print(", ".join(f"{key} {_short(value)}" for key, value in found[name].items() if key not in ("case", "machine")))
        SPEED.write_text(json.dumps(found, indent=2) + "\n")
    write_page()


def write_page() -> None:
    """results.md from the two JSON files."""
    text = [
        "# Measurements",
        "",
        "Made by `make bench` (speed, memory) and `python benchmarks/quality.py` (accuracy); do not edit.",
        "",
    ]
    if QUALITY.exists():
        text += _quality(json.loads(QUALITY.read_text()))
    if SPEED.exists():
        text += _speed(json.loads(SPEED.read_text()))
    PAGE.write_text("\n".join(text) + "\n")


def _quality(rows: list[dict[str, Any]]) -> list[str]:
    from quality import table

    return ["## Accuracy", "", *table(rows), ""]


def _speed(found: dict[str, Any]) -> list[str]:
    text = ["## Speed and memory", "", "Medians of repeated runs; ratios are of things timed in the same process.", ""]
    text += ["| case | measured | bar | commit, date |", "|---|---|---|---|"]
    for name, row in found.items():
        measured = "<br>".join(f"{key}: {_short(value)}" for key, value in row.items() if key not in ("case", "machine"))
        text.append(f"| {row['case']} | {measured} | {BARS.get(name, '')} | {row['machine']['commit']}, {row['machine']['date']} |")
    where = next(iter(found.values()))["machine"]
    versions = f"torch {where['torch']}, Python {where['python']}"
    return [*text, "", f"Machine: {where['processor']}, {where['cores']} cores, {where['threads']} threads, {versions}.", ""]


def _short(value: Any) -> str:
    return (
        f"{value:.3g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}" if isinstance(value, float) else str(value)
    )


if __name__ == "__main__":
    main()
