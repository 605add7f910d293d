"""Commands that write results killed at their file operations; see `test_kills.py`."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from commands import write_log
from kills import SMALL, Words, at_points, empty, hidden, killed, small_auto, small_demo, small_reproduce
from recodiff import load_model
from recodiff.data.download import KNOWN_DATASETS
from recodiff.experiments.demo import TYPED


@pytest.mark.filterwarnings("ignore::recodiff.errors.RecodiffWarning")
class TestKillsOfResults:
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
            return "tune", "ease", "--data", world / "data", "--out", place, "--trials", 3, "--refit"

        def check(place: Path) -> None:
            assert not killed(*command(place))
            assert load_model(place / "model").parameters
            trials = pl.read_csv(place / "trials.csv")
            assert trials.filter(pl.col("state") == "complete").height == 3
            assert hidden(place) == []

        def fresh() -> Path:
            (tmp_path / "study").mkdir()
            return tmp_path / "study"

        assert at_points(11, fresh, command, check) >= 2

    def test_exported_vectors_are_of_one_model(self, world: Path, tmp_path: Path) -> None:
        other = "train", "diffrec", "--data", world / "data", "--out", tmp_path / "other", *SMALL, "--seed", 9
        assert not killed(*other)

        def command(place: Path, model: Path = tmp_path / "other") -> Words:
            return "export", model, place, "--data", world / "data", "--overwrite"

        def read(place: Path) -> list[object]:
            return [pl.read_parquet(place / name).to_dict(as_series=False) for name in ("items.parquet", "users.parquet")]

        old, new = empty(tmp_path / "old")(), empty(tmp_path / "new")()
        assert not killed(*command(old, world / "model"))
        assert not killed(*command(new))
        allowed = read(old), read(new)

        def fresh() -> Path:
            return Path(shutil.copytree(old, tmp_path / "vectors"))

        def check(place: Path) -> None:
            if not (place / ".recodiff-new").exists():  # else the next command finishes it
                assert read(place) in allowed
            assert not killed(*command(place))
            assert read(place) == allowed[1]
            assert (place / "notes.txt").read_text() == "mine"
            assert hidden(place) == []

        assert at_points(5, fresh, command, check) >= 3

    def test_figures_per_user_are_whole_or_not_there(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "evaluate", world / "model", "--data", world / "data", "--per-user", place / "users.csv", "--overwrite"

        def check(place: Path) -> None:
            if (place / "users.csv").exists():
                assert pl.read_csv(place / "users.csv").height > 0
            assert not killed(*command(place))
            assert pl.read_csv(place / "users.csv").height > 0
            assert (place / "notes.txt").read_text() == "mine"

        assert at_points(1, empty(tmp_path / "out"), command, check) >= 2

    def test_reproduce_goes_on_and_repeats_no_finished_run(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "reproduce", "figure5", "--data", world / "data", "--out", place, "--quick", "--threads", 1

        def check(place: Path) -> None:
            before = {path: path.read_bytes() for path in place.glob("runs/*.json") if not path.name.startswith(".")}
            assert not killed(*command(place), before=small_reproduce)
            assert all(path.read_bytes() == content for path, content in before.items())
            assert {path.name for path in place.iterdir()} == {
                "notes.txt",
                "runs",
                *(f"figure5.{e}" for e in ("md", "json", "png", "svg")),
            }
            assert [path for path in (place / "runs").iterdir() if path.suffix != ".json"] == []
            assert hidden(place) == []

        assert at_points(67, empty(tmp_path / "reproduced"), command, check, small_reproduce) >= 2

    def test_demo_again_is_whole(self, world: Path, tmp_path: Path) -> None:
        write_cache(tmp_path / "cache")
        before = partial(small_demo, tmp_path / "cache")

        def command(place: Path) -> Words:
            return "demo", "--out", place, "--threads", 1, "--overwrite"

        def check(place: Path) -> None:
            if (place / "results.json").exists():
                assert json.loads((place / "results.json").read_text())["models"]
            assert not killed(*command(place), before=before)
            assert {path.name for path in place.iterdir()} == {
                *("notes.txt", "data", "popularity", "ease", "results.json", "report.html")
            }
            assert load_model(place / "ease").parameters
            assert hidden(place) == []

        assert at_points(29, empty(tmp_path / "demo"), command, check, before) >= 2

    def test_auto_goes_on_to_the_same_model_and_repeats_no_finished_run(self, world: Path, tmp_path: Path) -> None:
        def command(place: Path) -> Words:
            return "auto", world / "log.parquet", "--out", place, "--minutes", 30, "--seeds", 1, "--threads", 1

        def fresh() -> Path:
            (tmp_path / "auto").mkdir()
            return tmp_path / "auto"

        whole = tmp_path / "whole"
        assert not killed(*command(whole), before=small_auto)
        expected, files = found_by(whole), {path.relative_to(whole) for path in whole.rglob("*")}

        def check(place: Path) -> None:
            data = (place / "data" / "dataset.json").exists()
            runs = {path: path.read_bytes() for path in place.glob("comparison/runs/*.json") if not path.name.startswith(".")}
            trials = [pl.read_csv(path).height for path in sorted(place.glob("comparison/studies/*/trials.csv"))]
            before = (place / "data" / "dataset.json").stat().st_mtime_ns if data else None
            assert not killed(*command(place), before=small_auto)
            assert before in (None, (place / "data" / "dataset.json").stat().st_mtime_ns), "the log is not read again"
            assert all(path.read_bytes() == content for path, content in runs.items())
            assert found_by(place) == expected
            again = [pl.read_csv(path).height for path in sorted(place.glob("comparison/studies/*/trials.csv"))]
            assert all(old <= new for old, new in zip(trials, again, strict=False))
            assert {path.relative_to(place) for path in place.rglob("*")} == files
            assert hidden(place) == []

        assert at_points(43, fresh, command, check, small_auto) > 2


def found_by(place: Path) -> tuple[object, ...]:
    """The model, the trials that chose it, and its figures."""
    model = load_model(place)
    studies = {
        path.parent.name: pl.read_csv(path).drop("seconds", "trial").rows()
        for path in place.glob("comparison/studies/*/trials.csv")
    }
    complete = {name: sorted(row for row in rows if row[0] == "complete") for name, rows in studies.items()}
    told = json.loads((place / "comparison" / "compare.json").read_text())
    return model.registered, [tensor.tolist() for tensor in model.state().values()], complete, told["reference"]


def write_cache(cache: Path) -> None:
    """A tiny log where `fetch` finds MovieLens-100K in its cache."""
    log = write_log(cache / "log", [*TYPED, *range(1, 28)])
    folder = cache / "ml-100k" / KNOWN_DATASETS["ml-100k"][1][1].name
    folder.mkdir(parents=True)
    heads = {
        "ratings.csv": ("ml-100k.inter", ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]),
        "movies.csv": ("ml-100k.item", ["item_id:token", "movie_title:token_seq"]),
    }
    for source, (target, head) in heads.items():
        frame = pl.read_csv(log / source)
        frame.rename(dict(zip(frame.columns, head, strict=True))).write_csv(folder / target, separator="\t")
    (folder / "TERMS.txt").write_text("a test")
