"""What `recodiff prepare` costs, and what opening a data folder and a model folder does: CPU time and peak memory of processes.

What was saved since 0c1bfcc: torch is not imported where no model is; rows are sorted by user and time once, by counting, and what
follows sees that they stand so; ids become positions before anything is compared; fingerprints are computed once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from ranking_speed import untrained
from recodiff import save_model
from unchanged import ROOT, sources_at

ROWS, USERS, ITEMS, REPEATS = 2_000_000, 50_000, 20_000, 5
SECONDS = 3 * 365 * 86_400
MODEL_ITEMS, WIDTH = 2_810, 600
TOLD = """
import json, resource, sys
from pathlib import Path
try:
{body}
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    held = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(json.dumps([used.ru_utime + used.ru_stime, int(held[0]) / 1024]))
"""
"""A process that says what it used: CPU seconds, user and system, and peak resident memory in MB of 2^20 bytes."""
PREPARE = "    from recodiff.cli import main\n    main(['prepare', *sys.argv[1:], '--json'])"
OPEN_DATA = "    import recodiff\n    recodiff.load_dataset(sys.argv[1])"
OPEN_MODEL = "    import recodiff\n    recodiff.load_model(sys.argv[1])"


def preparing(before: str | None = None) -> dict[str, Any]:
    """CPU seconds and peak memory of preparing 2,000,000 rows and of opening folders; medians of five runs by turns.

    Args:
        before: a commit that does the same in the same turns, to be compared with; none unless given.
    """
    with TemporaryDirectory() as at:
        trees = {"": ROOT}
        if before is not None:
            trees[f" at {before}"] = sources_at(before, Path(at) / "before")
        write_logs(Path(at))
        save_model(untrained(MODEL_ITEMS, WIDTH), Path(at) / "model")
        taken: dict[str, list[list[float]]] = {}
        for turn in range(REPEATS + 1):
            for said, tree in trees.items():
                for name, code, arguments in _steps(Path(at), f"{turn}{said.split()[-1] if said else ''}"):
                    used = _used(code, arguments, tree, Path(at) / "compiled")
                    if turn:  # the first has Python compile the modules
                        taken.setdefault(name + said, []).append(used)
    row: dict[str, Any] = {"case": f"preparing {ROWS:,} rows of {USERS:,} users and {ITEMS:,} items, and opening folders"}
    for place, what in enumerate(("CPU s", "peak MB")):
        row |= {f"{name}, {what}": statistics.median(used[place] for used in runs) for name, runs in taken.items()}
    for key in [key for key in row if before is not None and f" at {before}, " in key]:
        row[key.replace(" at ", " by ")] = row[key.replace(f" at {before}", "")] / row[key]
    return row


def write_logs(folder: Path) -> None:
    """`log.csv` and `log.parquet`: Zipf's law of items, users of very different activity, times by the second, unsorted."""
    g = np.random.default_rng(0)
    activity, popularity = g.lognormal(0, 1, USERS), 1 / np.arange(1, ITEMS + 1)
    log = pl.DataFrame(
        {
            "user_id": 1 + g.choice(USERS, ROWS, p=activity / activity.sum()),
            "item_id": 1 + g.choice(ITEMS, ROWS, p=popularity / popularity.sum()),
            "timestamp": 1_500_000_000 + g.integers(0, SECONDS, ROWS),
        }
    )
    log.write_csv(folder / "log.csv")
    log.write_parquet(folder / "log.parquet")


def _steps(at: Path, turn: str) -> list[tuple[str, str, list[str]]]:
    out = {kind: str(at / f"{kind}-{turn}") for kind in ("csv", "parquet")}
    prepare = [(f"prepare {kind}", PREPARE, [str(at / f"log.{kind}"), path]) for kind, path in out.items()]
    return [*prepare, ("open data", OPEN_DATA, [out["csv"]]), ("open model", OPEN_MODEL, [str(at / "model")])]


def _used(body: str, arguments: Sequence[str], tree: Path, compiled: Path) -> list[float]:
    """CPU seconds and peak memory of one process that finds recodiff in a tree's `src`."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(tree / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
    code = [sys.executable, "-W", "ignore", "-c", TOLD.format(body=body), *arguments]
    said = subprocess.run(code, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(said.splitlines()[-1])
