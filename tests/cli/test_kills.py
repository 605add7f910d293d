"""Every writing command killed at its file operations: nothing of the user's is lost, and the same command goes on.

Each command is killed at some of its operations; with RECODIFF_KILLS=1 at all of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kills import killed
from recodiff import load_dataset, load_model
from recodiff.data import synthesise

EVERY = bool(os.environ.get("RECODIFF_KILLS"))
SMALL = ("--set", "training.epochs=4", "--set", "training.check_every_epochs=1", "--set", "denoiser.hidden=[8]", "--threads", "1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, its data folder, and a trained model, made without kills."""
    here = tmp_path_factory.mktemp("world")
    synthesise(30, 20, 240).write_parquet(here / "log.parquet")
    synthesise(30, 20, 240, seed=1).write_parquet(here / "other.parquet")
    assert not killed("prepare", here / "log.parquet", here / "data")
    assert not killed("train", "diffrec", "--data", here / "data", "--out", here / "model", *SMALL)
    return here


Words = tuple[object, ...]


def at_points(stride: int, fresh: Callable[[], Path], command: Callable[[Path], Words], check: Callable[[Path], None]) -> int:
    """Kills `command` in a fresh place at every `stride`-th operation, and checks the place each time; the number of kills."""
    for number, point in enumerate(count(0, 1 if EVERY else stride)):
        place = fresh()
        if not killed(*command(place), point=point):
            return number
        check(place)
        shutil.rmtree(place)
    raise AssertionError


def weights(folder: Path) -> list[Any]:
    return [tensor.tolist() for tensor in load_model(folder).state().values()]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


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
        old = weights(world / "model")

        def fresh() -> Path:
            shutil.copytree(world / "model", tmp_path / "model")
            (tmp_path / "model" / "figure.png").write_bytes(b"mine")
            return tmp_path / "model"

        def again(place: Path) -> Words:
            return "train", "diffrec", "--data", world / "data", "--out", place, "--overwrite", "--seed", 5, *SMALL

        whole = tmp_path / "whole"
        assert not killed(*again(whole))
        new = weights(whole)

        def check(place: Path) -> None:
            assert (place / "figure.png").read_bytes() == b"mine"
            assert weights(place) in (old, new)
            assert not killed(*again(place))
            assert weights(place) == new
            assert hidden(place) == []

        assert at_points(47, fresh, again, check) > 2

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

    def test_lists_are_whole_or_not_there(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "recommend", world / "model", "--data", world / "data", "--out", place / "lists.parquet", "--overwrite"

        def fresh() -> Path:
            (tmp_path / "out").mkdir()
            return tmp_path / "out"

        def check(place: Path) -> None:
            if (place / "lists.parquet").exists():
                assert pl.read_parquet(place / "lists.parquet").height > 0
            assert not killed(*command(place))
            assert pl.read_parquet(place / "lists.parquet").height > 0

        assert at_points(1, fresh, command, check) >= 2

    def test_compare_goes_on_and_repeats_no_finished_run(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "compare", "popularity", "ease", "--data", world / "data", "--out", place, "--seeds", 1, "--threads", 1

        def fresh() -> Path:
            (tmp_path / "compared").mkdir()
            return tmp_path / "compared"

        def check(place: Path) -> None:
            before = {path: path.read_bytes() for path in place.glob("runs/*.json") if not path.name.startswith(".")}
            assert not killed(*command(place))
            assert all(path.read_bytes() == content for path, content in before.items())
            assert (place / "compare.json").exists()
            assert hidden(place) == []

        assert at_points(17, fresh, command, check) > 2

    def test_tune_goes_on(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "tune", "ease", "--data", world / "data", "--out", place, "--trials", 3

        def check(place: Path) -> None:
            assert not killed(*command(place))
            trials = pl.read_csv(place / "trials.csv")
            assert trials.filter(pl.col("state") == "complete").height == 3
            assert hidden(place) == []

        def fresh() -> Path:
            (tmp_path / "study").mkdir()
            return tmp_path / "study"

        assert at_points(11, fresh, command, check) >= 2
