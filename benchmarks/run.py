"""Runs the speed and memory cases, each in a process of its own, and rewrites results.json and results.md.

python benchmarks/run.py              every case; the last, a million users and items, takes an hour and 10 GB
python benchmarks/run.py chain_long   one case; the others keep their last row, and so do all of other machines
python benchmarks/run.py cold_start --before 0c1bfcc     beside the commands of that commit
python benchmarks/run.py exact_lists --before 3cb9096    beside the lists of that commit, the last that wrote all scores
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import subprocess
import sys

from page import SPEED, short, write_page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names of cases; all unless given")
    parser.add_argument("--before", metavar="COMMIT", help="compares cold_start, preparing and exact_lists with this commit")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a case in this very process
    asked = parser.parse_args()
    from speed import CASES

    os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the command line has it
    unknown = set(asked.cases) - CASES.keys()
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; cases are: {', '.join(CASES)}")
    if asked.one:
        from machine import machine, note_rate

        note_rate()
        case = CASES[asked.cases[0]]
        row = case(asked.before) if "before" in inspect.signature(case).parameters else case()
        print(json.dumps(row | {"machine": machine()}))
        return
    found = json.loads(SPEED.read_text()) if SPEED.exists() else {}
    failed: list[str] = []
    for name in asked.cases or CASES:
        print(f"{name} ...", end=" ", flush=True)
        before = ["--before", asked.before] if asked.before else []
        run = subprocess.run([sys.executable, __file__, "--one", name, *before], capture_output=True, text=True, check=False)
        if run.returncode:
            failed.append(name)
            print(f"failed:\n{run.stderr}")
            continue
        row = json.loads(run.stdout.splitlines()[-1])
        found.setdefault("{processor}, {cores} cores".format(**row["machine"]), {})[name] = row
        print(", ".join(f"{key} {short(value)}" for key, value in row.items() if key not in ("case", "machine")))
        SPEED.write_text(json.dumps(found, indent=2) + "\n")
    write_page()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the others are written")


if __name__ == "__main__":
    main()
