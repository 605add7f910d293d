"""A command that answers from a model folder imports what it needs and no more."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Cli
from test_older_builds import V0_1

HEAVY = ("torch._dynamo", "sympy", "sklearn", "scipy.sparse.linalg", "scipy.linalg", "optuna", "matplotlib")
ANSWERS = """
import sys
from pathlib import Path
import polars as pl
from recodiff.cli import main
*folders, heavy = sys.argv[1:]
for folder in folders:
    items = pl.read_parquet(f"{folder}/items.parquet")["id"]
    main(["recommend", folder, "--history", *items[:3].to_list(), "-k", "2"])
    if folder.endswith(("/diffrec", "/l-diffrec", "/puresvd")):
        main(["similar", folder, items[0], "-k", "2"])
    assert not (found := [name for name in heavy.split() if name in sys.modules]), f"{folder}: {found}"
"""
OTHERS = ("own", "inside", "implicit")
"""Begin the names of folders whose model is not ours, or a package's that imports what it likes."""
FOLDERS = [folder for folder in sorted((V0_1 / "models").iterdir()) if not folder.name.startswith(OTHERS)]


def test_no_model_folder_needs_what_only_training_imports() -> None:
    folders = list(map(str, FOLDERS))
    assert len(folders) > 25
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(
        [sys.executable, "-c", ANSWERS, *folders, " ".join(HEAVY)], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr


def test_a_command_in_a_longer_program_leaves_its_garbage_collector_as_it_was(cli: Cli) -> None:
    frozen = gc.get_freeze_count()
    cli("--version").succeeded()
    cli("recommend", "--no-such-option").refused()
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
    gc.disable()
    try:
        cli("--version").succeeded()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("arguments", [["--version"], ["info", "--help"]])
def test_the_process_of_a_command_is_not_walked_by_the_collector_when_it_ends(arguments: list[str]) -> None:
    code = (
        "import atexit, gc\nfrom recodiff.cli import main\natexit.register(lambda: print(gc.get_freeze_count() > 10_000))\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("True\n")


def test_data_is_prepared_and_shown_without_torch(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "user,item,time\n" + "".join(f"{user},{item},{1_600_000_000 + item}\n" for user in range(3) for item in range(12))
    )
    code = "import sys\nfrom recodiff.cli import main\nmain(sys.argv[1:])\nassert 'torch' not in sys.modules"
    for arguments in (["prepare", str(log), str(tmp_path / "data")], ["info", str(tmp_path / "data")]):
        run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
