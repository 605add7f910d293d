"""Every writing command killed at its file operations: nothing of the user's is lost, and the same command goes on.

Each command is killed at some of its operations; with RECODIFF_KILLS=1 at all of them, with RECODIFF_KILLS=2/5 at the second fifth.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from kills import SMALL, Words, at_points, empty, hidden, killed
from recodiff import load_dataset, load_model
from recodiff.errors import RecodiffWarning


def weights(folder: Path) -> list[Any]:
    return [tensor.tolist() for tensor in load_model(folder).state().values()]


def finished(folder: Path) -> dict[str, bytes]:
    """All files but those of an unfinished training, and those that the next command sweeps away."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.stem != "checkpoint" and path.name[0] != "."}


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.filterwarnings("ignore::recodiff.errors.RecodiffWarning")
class TestKills:
    def test_prepare_overwrite(self, world: Path, tmp_path: Path) -> None:
        old, new = load_dataset(world / "data").fingerprint(), {}

        def fresh() -> Path:
            shutil.copytree(world / "data", tmp_path / "data")
            (tmp_path / "data" / "notes.txt").write_text("mine")
            return tmp_path / "data"

        def again(place: Path) -> Words:
            return "prepare", world / "other.parquet", place, "--overwrite"

        def check(place: Path) -> None:
            assert (place / "notes.txt").read_text() == "mine"
            found = load_dataset(place).fingerprint()
            assert not killed(*again(place))
            new.setdefault("fingerprint", load_dataset(place).fingerprint())
            assert found in (old, new["fingerprint"])
            assert load_dataset(place).fingerprint() == new["fingerprint"]
            assert hidden(place) == []

        assert at_points(5, fresh, again, check) >= 3

    def test_train_overwrite_keeps_the_old_model_until_the_new_one_is_there(self, world: Path, tmp_path: Path) -> None:
        old = finished(world / "model") | {"figure.png": b"mine"}

        def fresh() -> Path:
            shutil.copytree(world / "model", tmp_path / "model")
            (tmp_path / "model" / "figure.png").write_bytes(b"mine")
            return tmp_path / "model"

        def again(place: Path) -> Words:
            return "train", "diffrec", "--data", world / "data", "--out", place, "--overwrite", "--seed", 5, *SMALL

        whole = tmp_path / "whole"
        assert not killed(*again(whole))
        new = weights(whole), losses(whole)
        assert losses(world / "model") != losses(whole)

        def check(place: Path) -> None:
            begun = (place / "checkpoint.safetensors").exists() and not (place / ".recodiff-new").exists()
            with pytest.warns(RecodiffWarning, match="unfinished training") if begun else nullcontext():
                load_model(place)
            if finished(place) != old:  # seconds differ, so the new files are not the same bytes twice
                assert (weights(place), losses(place)) == new
                assert finished(place).keys() == old.keys()
                assert (place / "figure.png").read_bytes() == b"mine"
            assert not killed(*again(place), *(("--resume",) if begun else ()))
            assert (weights(place), losses(place)) == new
            assert sorted(path.name for path in place.iterdir()) == sorted(old)

        assert at_points(47, fresh, again, check) > 2

    def test_refresh_leaves_the_old_or_the_new_model(self, world: Path, tmp_path: Path) -> None:
        old, data = weights(world / "model"), tmp_path / "newer"
        assert not killed("prepare", world / "other.parquet", data)

        def fresh() -> Path:
            return Path(shutil.copytree(world / "model", tmp_path / "model"))

        def again(place: Path) -> Words:
            return "refresh", place, "--data", data, "--promote-if", "always", "--threads", 1

        whole = fresh()
        assert not killed(*again(whole))
        new = weights(whole)
        shutil.rmtree(whole)

        def check(place: Path) -> None:
            assert weights(place) in (old, new)
            assert not killed(*again(place))
            assert weights(place) == new
            assert hidden(place) == []
            assert not (place / "refresh").exists()

        assert at_points(41, fresh, again, check) > 2

    def test_train_resumes_to_the_same_weights(self, world: Path, tmp_path: Path) -> None:
        whole = weights(world / "model")

        def command(place: Path, *more: str) -> Words:
            return "train", "diffrec", "--data", world / "data", "--out", place, *more, *SMALL

        def check(place: Path) -> None:
            assert not killed(*command(place, "--resume"))
            assert weights(place) == whole
            assert hidden(place) == []

        def fresh() -> Path:
            (tmp_path / "run").mkdir()
            return tmp_path / "run"

        assert at_points(47, fresh, command, check) > 2

    def test_prepare_and_corrupt_leave_nothing_or_a_whole_folder(self, world: Path, tmp_path: Path) -> None:
        commands: list[Callable[[Path], Words]] = [
            lambda place: ("prepare", world / "log.parquet", place / "new", "--overwrite"),
            lambda place: ("prepare", world / "log.parquet", place / "new", "--overwrite", "--memory", "1GB"),
            lambda place: ("corrupt", world / "data", place / "new", "--share", 0.3, "--overwrite"),
        ]
        for command in commands:
            whole = tmp_path / "whole"
            assert not killed(*command(whole))
            expected = load_dataset(whole / "new").fingerprint()
            shutil.rmtree(whole)

            def check(place: Path, command: Callable[[Path], Words] = command, expected: str = expected) -> None:
                if (place / "new" / "dataset.json").exists():
                    assert load_dataset(place / "new").fingerprint() == expected
                assert not killed(*command(place))
                assert load_dataset(place / "new").fingerprint() == expected
                assert hidden(place) == []
                assert (place / "notes.txt").read_text() == "mine"

            assert at_points(9, empty(tmp_path / "out"), command, check) >= 2

    def test_corrupt_overwrite(self, world: Path, tmp_path: Path) -> None:
        def fresh() -> Path:
            shutil.copytree(world / "data", tmp_path / "data")
            (tmp_path / "data" / "notes.txt").write_text("mine")
            return tmp_path / "data"

        def command(place: Path) -> Words:
            return "corrupt", world / "data", place, "--share", 0.3, "--overwrite"

        old, whole = load_dataset(world / "data").fingerprint(), fresh()
        assert not killed(*command(whole))
        new = load_dataset(whole).fingerprint()
        shutil.rmtree(whole)

        def check(place: Path) -> None:
            assert load_dataset(place).fingerprint() in (old, new)
            assert not killed(*command(place))
            assert load_dataset(place).fingerprint() == new
            assert (place / "notes.txt").read_text() == "mine"
            assert hidden(place) == []

        assert at_points(7, fresh, command, check) >= 2
