"""What a command costs from nothing: CPU time of a process that loads a model folder and answers, or that prints help.

Most of what is left is `import torch` (some 1.2 of 1.8 s on an EPYC 9V74, of which our commands leave out the garbage collection)
and polars, SciPy's sparse arrays, pydantic and cyclopts (together .5 s). What was saved since 0c1bfcc: torch._dynamo and sympy,
which PyTorch 2.13 imports to draw normal numbers on the meta device and to copy a transposed meta tensor's layout; the collector's
walks over all that imports make; and modules that only some commands need.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ranking_speed import untrained
from recodiff import save_model
from unchanged import ROOT, sources_at

ITEMS, WIDTH, REPEATS = 2_810, 600, 5
ENTRY = "from recodiff.cli import main; main()"
"""What the installed script `recodiff` runs."""


def cold_start(before: str | None = None) -> dict[str, Any]:
    """CPU seconds, user and system, of three commands; medians of runs by turns.

    Args:
        before: a commit whose commands are run in the same turns, to be compared with; none unless given.
    """
    with TemporaryDirectory() as at:
        model, trees = Path(at) / "model", {"": ROOT}
        save_model(untrained(ITEMS, WIDTH), model)
        if before is not None:
            trees[f" at {before}"] = sources_at(before, Path(at) / "before")
        commands = {
            "recommend --history": ["-c", ENTRY, "recommend", str(model), "--history", "318", "50", "296"],
            "similar": ["-c", ENTRY, "similar", str(model), "50"],
            "--help": ["-c", ENTRY, "--help"],
        }
        runs = {name + said: (arguments, tree) for name, arguments in commands.items() for said, tree in trees.items()}
        runs |= {"import cyclopts, rich": (["-c", "import cyclopts, rich"], ROOT), "import torch": (["-c", "import torch"], ROOT)}
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(REPEATS + 1):
            for name, (arguments, tree) in runs.items():
                seconds = cpu_seconds(arguments, tree, Path(at) / "compiled")
                if turn:  # the first has Python compile the modules
                    taken[name].append(seconds)
    found = {f"{name}, CPU s": statistics.median(seconds) for name, seconds in taken.items()}
    row = {"case": f"cold start, a model folder of {ITEMS:,} items", **found}
    row["--help by the imports"] = found["--help, CPU s"] / found["import cyclopts, rich, CPU s"]
    for name in ("recommend --history", "similar") if before is not None else ():
        row[f"{name} by {before}"] = found[f"{name}, CPU s"] / found[f"{name} at {before}, CPU s"]
    return row


def cpu_seconds(arguments: Sequence[str], tree: Path, compiled: Path) -> float:
    """User and system time of one Python process that finds recodiff in a tree's `src`."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(tree / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
