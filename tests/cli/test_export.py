"""`export`: both files or none, one command at a time, and nothing of an earlier export mixed with a new one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from commands import Cli
from recodiff.runtime import files
from recodiff.runtime.folders import LOCK


@contextmanager
def held_by_another(folder: Path) -> Iterator[None]:
    code = f"from pathlib import Path\nfrom recodiff.runtime.folders import held\nwith held(Path({str(folder)!r})):\n"
    code += "    print(flush=True)\n    input()\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        yield
        other.kill()


def test_an_export_holds_its_folder(cli: Cli, run: Path, tmp_path: Path) -> None:
    with held_by_another(tmp_path):
        cli("export", run, tmp_path).refused("in use by another command")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_both_files_are_written_or_none(cli: Cli, data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "v"
    replace_with = files.replace_with

    def fails(path: Path, *more: object) -> None:
        if path.name == "users.parquet":
            raise OSError(28, "No space left on device", str(path))
        replace_with(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "replace_with", fails)
    cli("export", run, out, "--data", data).refused("No space left")
    assert not out.exists()
    monkeypatch.undo()
    cli("export", run, out, "--data", data).succeeded()
    assert sorted(path.name for path in out.iterdir()) == ["items.parquet", "users.parquet"]


def test_users_of_an_earlier_export_are_neither_mixed_in_nor_removed(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "v"
    cli("export", run, out, "--data", data).succeeded()
    (out / "notes.txt").write_text("mine")
    before = (out / "users.parquet").read_bytes()
    cli("export", run, out).refused("items.parquet", "--overwrite")
    cli("export", run, out, "--overwrite").refused("users of an earlier export", "--data")
    assert (out / "users.parquet").read_bytes() == before
    said = cli("export", run, out, "--overwrite", "--data", data).succeeded().err
    assert "40 item vectors of width 8" in said
    assert (out / "notes.txt").read_text() == "mine"
    assert pl.read_parquet(out / "users.parquet").columns == ["user", "vector"]


@pytest.mark.parametrize("command", ["reproduce", "compare", "tune", "demo"])
def test_every_command_that_writes_a_folder_holds_it(cli: Cli, data: Path, tmp_path: Path, command: str) -> None:
    arguments = {
        "reproduce": ("reproduce", "table5", "--data", data, "--quick"),
        "compare": ("compare", "popularity", "--data", data),
        "tune": ("tune", "ease", "--data", data, "--trials", 1),
        "demo": ("demo",),
    }[command]
    with held_by_another(tmp_path):
        cli(*arguments, "--out", tmp_path).refused("in use by another command")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
