"""Folders that are mount points, as volumes of containers are: written and replaced like any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Cli
from recodiff import load_dataset, load_model


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; where the machine does not allow one, the test is left out."""
    place = tmp_path / "volume"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "recodiff-test", str(place)]
    if not sys.platform.startswith("linux") or _fails(command) or not place.is_mount():
        pytest.skip("this machine lets no test mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _fails(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode != 0
    except OSError:
        return True


def test_a_model_is_written_to_a_mount_point_and_replaced_there(cli: Cli, data: Path, tiny: Path, mounted: Path) -> None:
    (mounted / "notes.txt").write_text("mine")
    command = ("train", tiny, "--data", data, "--out", mounted, "--threads", 1)
    cli(*command).succeeded()
    before = load_model(mounted).state()
    cli(*command, "--overwrite", "--seed", 5).succeeded()
    assert any((value != before[name]).any() for name, value in load_model(mounted).state().items())
    assert sorted(path.name for path in mounted.iterdir() if path.name.startswith(".")) == []
    assert (mounted / "notes.txt").read_text() == "mine"


def test_data_and_vectors_are_written_to_a_mount_point(cli: Cli, log: Path, data: Path, run: Path, mounted: Path) -> None:
    cli("prepare", log, mounted, "--overwrite").succeeded()
    assert load_dataset(mounted).train.nnz
    cli("corrupt", data, mounted, "--share", 0.5, "--overwrite").succeeded()
    assert load_dataset(mounted).info["name"]
    for path in mounted.iterdir():
        path.unlink()
    cli("export", run, mounted, "--data", data).succeeded()
    cli("export", run, mounted, "--data", data, "--overwrite").succeeded()
    assert sorted(path.name for path in mounted.iterdir()) == ["items.parquet", "users.parquet"]
