"""One command at a time in a folder; every kill leaves the old files or the new ones, whole."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from recodiff.errors import CheckpointError, DataError, RecodiffWarning
from recodiff.runtime import files, folders
from recodiff.runtime.folders import COMMITTED, HIDDEN, LOCK, STAGED, FolderKind, atomic_folder, check_free, finish, held, replaced

OWNED = frozenset({"marker", "a", "b", "c"})
KIND = FolderKind("marker", lambda folder: OWNED if (folder / "marker").exists() else frozenset())
OLD, NEW = {"marker": "old", "a": "old", "b": "old"}, {"marker": "new", "a": "new", "c": "new"}


def write(folder: Path, contents: dict[str, str]) -> None:
    with held(folder), replaced(folder, "marker", OWNED) as staged:
        for name, text in contents.items():
            (staged / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name not in HIDDEN and path.is_file()}


def test_new_files_replace_the_old_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    (tmp_path / "notes").write_text("mine")
    write(tmp_path, NEW)
    assert contents(tmp_path) == NEW | {"notes": "mine"}
    assert sorted(os.listdir(tmp_path)) == ["a", "c", "marker", "notes"]


CALLS = [(os, "rename"), (os, "replace"), (os, "fsync"), (Path, "unlink"), (Path, "rmdir"), (Path, "mkdir")]


def killed_at(folder: Path, point: int) -> None:
    """In a process of its own: writes NEW and is killed before the file operation of that number."""
    done = [0]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            done[0] += 1
            if done[0] > point:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    for owner, name in CALLS:
        setattr(owner, name, counted(getattr(owner, name)))
    write(folder, NEW)


def run_until_killed(folder: Path, point: int) -> bool:
    """Whether it was killed before it was done."""
    process = multiprocessing.get_context("fork").Process(target=killed_at, args=(folder, point))
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("before", [{}, OLD], ids=["new", "replaced"])
def test_a_kill_at_any_file_operation_leaves_the_old_or_the_new(tmp_path: Path, before: dict[str, str]) -> None:
    seen, point, killed = set[str](), 0, True
    while killed:
        folder = tmp_path / str(point)
        if before:
            write(folder, before)
        killed = run_until_killed(folder, point)
        told = pytest.warns(RecodiffWarning, match="finished now") if (folder / COMMITTED).exists() else nullcontext()
        with told, held(folder):  # whatever command comes next
            found = contents(folder)
        assert found in (before, NEW), point
        assert not folder.exists() or sorted(os.listdir(folder)) == sorted(found), point
        seen.add("new" if found == NEW else "old")
        write(folder, OLD)
        assert contents(folder) == OLD, "what was left hinders nothing"
        point += 1
    assert point > 12
    assert seen == {"old", "new"}


def test_a_failure_before_the_commit_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, OLD)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders.os, "rename", fail)
    with pytest.raises(PermissionError):
        write(tmp_path, NEW)
    assert contents(tmp_path) == OLD
    assert sorted(os.listdir(tmp_path)) == sorted(OLD)


def test_a_reader_finishes_what_a_kill_left_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    write_only_committed(tmp_path)
    with pytest.warns(RecodiffWarning, match="was being replaced"):
        finish(tmp_path)
    assert contents(tmp_path) == NEW
    finish(tmp_path)


def write_only_committed(folder: Path) -> None:
    staged = folder / STAGED
    staged.mkdir()
    for name, text in NEW.items():
        (staged / name).write_text(text)
    files.write_json(staged / "plan.json", {"move": sorted(NEW), "remove": ["b"]})
    staged.rename(folder / COMMITTED)


def test_two_processes_cannot_write_one_folder_and_a_kill_frees_it(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from recodiff.runtime.folders import held
with held(Path({str(tmp_path)!r})):
    print("mine", flush=True)
    input()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "mine\n"
    with pytest.raises(CheckpointError, match="is in use by another command; wait for it, or choose another folder"):
        write(tmp_path, NEW)
    other.kill()
    other.wait()
    write(tmp_path, NEW)
    assert contents(tmp_path) == NEW
    assert not (tmp_path / LOCK).exists()


def test_a_folder_is_held_again_by_its_holder(tmp_path: Path) -> None:
    with held(tmp_path):
        with held(tmp_path):
            pass
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


def test_a_new_folder_that_nothing_came_of_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "a" / "b"):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_temporary_files_of_killed_commands_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    gone, alive = tmp_path / f".x.json.{done.stdout.strip()}.partial", tmp_path / f".x.json.{os.getpid()}.partial"
    mine = tmp_path / ".x.json.partial"
    for path in (gone, alive, mine):
        path.touch()
    with held(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([alive, mine])


def test_a_place_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("mine")
    with pytest.raises(DataError, match="is not a folder of ours"):
        check_free(tmp_path, overwrite=True, kind=KIND)
    with (
        pytest.raises(DataError, match="is not a folder of ours"),
        atomic_folder(tmp_path, overwrite=True, kind=KIND),
    ):
        pytest.fail("it is not ours")
    assert os.listdir(tmp_path) == ["thesis"]


@pytest.mark.parametrize(
    "name", ["../notes", "..", "/etc/hostname", "", ".", "a/../b", "a//b", "a/.lock", "./a", "\0", LOCK, 7, None]
)
@pytest.mark.parametrize("what", ["move", "remove"])
def test_a_plan_that_somebody_else_wrote_reaches_no_other_place(tmp_path: Path, what: str, name: object) -> None:
    (tmp_path / "notes").write_text("mine")
    received = tmp_path / "received"
    write(received, OLD)
    write_only_committed(received)
    files.write_json(received / COMMITTED / "plan.json", {"move": [], "remove": []} | {what: [name]})
    with pytest.raises(CheckpointError, match="which is no file of its folder; copy the folder again"):
        finish(received)
    assert (tmp_path / "notes").read_text() == "mine"
    assert contents(received) == OLD


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"move": 3, "remove": []}', "\xff"])
def test_a_damaged_plan_is_one_sentence(tmp_path: Path, content: str) -> None:
    write(tmp_path, OLD)
    write_only_committed(tmp_path)
    (tmp_path / COMMITTED / "plan.json").write_text(content, "latin-1")
    with pytest.raises(CheckpointError, match=r"plan\.json' cannot be read \(.+\); copy the folder again"):
        finish(tmp_path)
    assert contents(tmp_path) == OLD
