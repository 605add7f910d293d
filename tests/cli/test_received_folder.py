"""Commands called inside a folder that somebody else made: its files are not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("cython", "Cython", "org", "dill", "cuda", "torch", "polars", "numpy", "rich", "cyclopts", "json", "filelock")
"""Modules that libraries look for, installed or not."""
WATCH = """
import os, sys
here = os.getcwd()

def hook(event, about):
    if event == "import" and {"", here} & set(about[2] or ()):
        print("on the path while", about[0], "is imported")
        os._exit(3)

sys.path[:] = [place for place in sys.path if place not in ("", here)]
sys.addaudithook(hook)
from recodiff.cli import main
for words in sys.argv[1].split(";"):
    main(words.split())
"""


def called(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture
def received(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the folder was run')")
    return tmp_path


def test_the_folder_is_on_no_path_while_anything_is_imported(data: Path, run: Path, received: Path) -> None:
    commands = (
        "info models",
        f"prepare {data / 'train.parquet'} again",
        f"train diffrec --data {data} --out m --set training.epochs=1 --threads 1",
        f"evaluate m --data {data} --threads 1",
        f"compare popularity ease --data {data} --out c --seeds 1 --threads 1",
        f"recommend {run} --data {data} --out lists.csv --threads 1",
    )
    done = called("-P", "-c", WATCH, ";".join(commands), cwd=received)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("safe", [("-P",), ()])
def test_python_m_recodiff_runs_none_of_its_files(data: Path, received: Path, safe: tuple[str, ...]) -> None:
    if not safe:
        (received / "json.py").unlink()  # Python's own modules come first from there, before a line of ours is run
    done = called(*safe, "-m", "recodiff", "train", "popularity", "--data", data, "--out", "m", "--threads", "1", cwd=received)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (received / "m" / "config.json").exists()


OWN = """
from recodiff.models.popularity import Popularity


class Upside(Popularity):
    def score(self, batch):
        from own_neighbour import SIGN

        return SIGN * super().score(batch)
"""


@pytest.mark.parametrize("how", [("-P", "-m"), ("-m",)])
def test_a_class_of_the_user_s_own_is_found_there_and_finds_its_neighbours(
    data: Path, tmp_path: Path, how: tuple[str, ...]
) -> None:
    (tmp_path / "own_model.py").write_text(OWN)
    (tmp_path / "own_neighbour.py").write_text("SIGN = -1")
    (tmp_path / "mine.toml").write_text('model = "own_model:Upside"')
    command = ("compare", "mine.toml", "popularity", "--data", data, "--out", "c", "--seeds", "1", "--threads", "1", "--memory")
    done = called(*how, "recodiff", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr
    assert called(*how, "recodiff", "train", "mine.toml", "--data", data, "--out", "m", cwd=tmp_path).returncode == 0
    assert called(*how, "recodiff", "evaluate", "m", "--data", data, cwd=tmp_path).returncode == 1
    trusted = called(*how, "recodiff", "evaluate", "m", "--data", data, "--trust-code", cwd=tmp_path)
    assert trusted.returncode == 0, trusted.stderr
