"""A folder beside an output for what does not fit in memory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from recodiff import ConfigError, DataError
from recodiff.runtime import spill
from recodiff.runtime.spill import bytes_of, spilling
from recodiff.runtime.spill_folder import SPILLED, spill_of

pytest.importorskip("duckdb")


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("800 mb", 8 * 10**8), ("1.5GiB", 3 * 2**29), ("1TB", 10**12), (10**9, 10**9)]
)
def test_sizes_in_words(text: str | int, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["much", "", "-2GB", "2 G B", "2XB", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size; write it as 2GB or 800MB"):
        bytes_of(text)
    with pytest.raises(ConfigError, match="is less than 512 MB"):
        bytes_of("100MB")


def test_a_path_is_no_pattern(tmp_path: Path) -> None:
    """DuckDB 2.0.1 reads the files that a path matches, though there is one by that very name."""
    with spilling(tmp_path / "[a]b" / "out", "1GB") as kept, spilling(tmp_path / "ab" / "out", "1GB") as other:
        files = [one.file(".parquet") for one in (kept, other)]
        for value, file in enumerate(files):
            pl.DataFrame({"a": [value]}).write_parquet(file)
        assert kept.sort(files[:1], ["a"], ["a"]).collect()["a"].to_list() == [0]


def test_rows_are_sorted_and_come_by_pieces_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "FEWEST_ROWS", 10)
    monkeypatch.setattr(spill, "ROW_BYTES", 10**9)
    with spilling(tmp_path / "it's", "1GB") as kept:
        files = [kept.file(".parquet") for _ in range(2)]
        for at, file in enumerate(files):
            pl.DataFrame({"a": [2, 1] * 20, "row": range(at, 80, 2)}).write_parquet(file)
        ordered = kept.sort(files, ["a", "row"], ["a", "row"])
        pieces = list(kept.batches(ordered))
        assert len(pieces) > 1
        assert pl.concat(pieces).rows() == sorted(pl.concat(map(pl.read_parquet, files)).rows())
        assert kept.keep_alone(ordered).collect().height == 80
        assert len(list(kept.folder.glob("*.parquet"))) == 1
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence_and_nothing_stays(tmp_path: Path) -> None:
    """Whoever finds the disk full: the system, polars, or DuckDB."""
    said = [OSError(errno.ENOSPC, "No space left on device"), pl.exceptions.ComputeError("No space left on device (os error 28)")]
    for error in said:
        full = pytest.raises(DataError, match=r"^the disk of .* is full .* make room, or choose an output on another disk$")
        with full, spilling(tmp_path / "out", "1GB"):
            raise error
    assert not list(tmp_path.iterdir())


LIMITED = """
import resource, sys
import polars as pl
from recodiff.errors import DataError
from recodiff.runtime.spill import spilling
try:
    with spilling(sys.argv[1], "1GB") as kept:
        pl.DataFrame({"a": range(200_000)}).write_parquet(kept.file(".parquet"))
        file = kept.folder / "0.parquet"
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        getattr(kept, sys.argv[2])(*([[file], ["a"], ["a"]] if sys.argv[2] == "sort" else [pl.scan_parquet(file)]))
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("act", ["sort", "keep"])
def test_a_disk_that_takes_no_more_ends_the_command_in_one_sentence(tmp_path: Path, act: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "out"), act], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"the disk of {tmp_path} is full"), done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
from recodiff.runtime.spill import spilling
with spilling(sys.argv[1], "1GB") as kept:
    kept.file(".bin").write_bytes(b"1")
    os._exit(9)
"""


def test_what_a_killed_command_left_goes_with_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], check=False)
    left = spill_of(tmp_path / "out")
    assert sorted(os.listdir(left)) == ["0.bin", SPILLED]
    with spilling(tmp_path / "out", "1GB") as kept:
        assert os.listdir(kept.folder) == [SPILLED]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("point", range(4))
def test_what_is_left_of_a_removal_is_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    class Killed(BaseException):
        pass

    done, unlink = [0], Path.unlink

    def unlink_until(path: Path, missing_ok: bool = False) -> None:
        if spill_of(tmp_path / "out") in path.parents:
            if done[0] == point:
                raise Killed
            done[0] += 1
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink_until)
        with suppress(Killed), spilling(tmp_path / "out", "1GB") as kept:
            for _ in range(3):
                kept.file(".bin").touch()
    assert len(os.listdir(spill_of(tmp_path / "out"))) == 4 - point
    with spilling(tmp_path / "out", "1GB") as kept:
        assert os.listdir(kept.folder) == [SPILLED]
    assert not list(tmp_path.glob(".*"))


def test_a_folder_of_someone_else_stays(tmp_path: Path) -> None:
    theirs = spill_of(tmp_path / "out")
    theirs.mkdir()
    (theirs / "mine").touch()
    with pytest.raises(DataError, match="is not of this program"), spilling(tmp_path / "out", "1GB"):
        pass
    assert os.listdir(theirs) == ["mine"]
