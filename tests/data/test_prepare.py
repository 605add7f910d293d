"""From a log to a dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from recodiff.data import HeldOutUsers, LeaveLast, Random, Temporal, load_dataset, prepare, read_log
from recodiff.data.strategy import Split
from recodiff.errors import DataError


def clicks(users: int = 20, each: int = 10, seed: int = 0) -> pl.DataFrame:
    """Every user rates `each` of 15 items, in random order."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {"user": np.repeat(np.arange(users), each), "item": np.concatenate([rng.permutation(15)[:each] for _ in range(users)])}
    )
    n = frame.height
    times = 1_600_000_000 + rng.integers(0, 50, n)
    frame = frame.with_columns(rating=pl.Series(rng.integers(1, 6, n)), time=pl.Series(times))
    return frame.sample(fraction=1, shuffle=True, seed=seed)


def test_prepare_returns_what_it_writes(tmp_path: Path) -> None:
    made = prepare(clicks(), tmp_path / "clicks", events="split")
    told = load_dataset(tmp_path / "clicks").info
    assert {"train.parquet", "users.parquet", "items.parquet"} <= set(told.pop("hashes"))
    assert told == {"format": "recodiff-dataset", "version": 1} | made.info
    assert made.info["parts"] == {"train": 140, "valid": 20, "test": 40}
    assert made.info["split"] == {"strategy": "temporal", "valid": 0.1, "test": 0.2}
    assert made.name == "clicks"
    assert (made.train.matrix.data == 1).all()


def test_what_was_taken_for_what_is_kept(tmp_path: Path) -> None:
    lines = [f"{u % 9},i{u:03},{1 + u % 5},{1_396_310_400_000 + 432_000_000 * (u % 20)},x" for u in range(90)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,rating,ts,note", *lines]) + "\n")
    assert prepare(tmp_path / "log.csv").info["reading"] == {
        "format": "table",
        "user": "column 0 'user_id', first 0, 0 .. 8",
        "item": "column 1 'item_id', first i000, i000 .. i089",
        "weight": "column 2 'rating', first 1, 1 .. 5",
        "time": "column 3 'ts', milliseconds, 2014-04-01 .. 2014-07-05",
        "unread": ["note"],
        "lines": 91,
        "rows": 90,
        "warnings": [],
    }


def test_the_summary_counts_every_step() -> None:
    log = pl.concat([clicks(), clicks().head(30), pl.DataFrame({"user": [99], "item": [0], "rating": [5], "time": [0]})])
    info = prepare(log, min_weight=2, user_core=3, item_core=3).info
    assert [step["step"] for step in info["steps"]] == ["read", "weight at least 2", "repeats: first", "3 a user, 3 an item"]
    sizes = [step["interactions"] for step in info["steps"]]
    assert [step["dropped"] for step in info["steps"][1:]] == [a - b for a, b in pairwise(sizes)]
    assert info["steps"][0] == {"step": "read", "interactions": 231, "users": 21, "items": 15, "dropped": 0, "why": {}}
    assert info["interactions"] == sizes[-1]


def test_positions_do_not_depend_on_the_order_of_the_log() -> None:
    log = clicks().with_columns(user=pl.format("u{}", "user"), time=pl.int_range(pl.len()))
    one, other = prepare(log), prepare(log.sample(fraction=1, shuffle=True, seed=9))
    assert one.fingerprint() == other.fingerprint()
    assert one.users.ids.to_list() == sorted(one.users.ids.to_list())


def test_text_and_number_ids_give_the_same_data_but_for_the_ids(tmp_path: Path) -> None:
    log = clicks()
    text = log.with_columns(user=pl.col("user").cast(pl.String).str.zfill(4))
    one, other = prepare(log, split=LeaveLast()), prepare(text, split=LeaveLast())
    assert one.train.matrix.indices.tolist() == other.train.matrix.indices.tolist()
    assert other.users.ids[0] == "0000"


def test_filtered_ids_leave_no_empty_rows() -> None:
    log = pl.DataFrame({"user": ["a", "a", "b", "c", "c"], "item": ["x", "y", "x", "x", "y"], "time": [1, 2, 3, 4, 5]})
    made = prepare(log, user_core=2, item_core=2, split=LeaveLast(valid=0))
    assert made.users.ids.to_list() == ["a", "c"]
    assert made.valid is None


def test_weights_are_kept_when_asked() -> None:
    made = prepare(clicks(), min_weight=4, keep_weights=True, split=Random(0.25, 0.25))
    assert set(made.train.matrix.data.tolist()) == {4.0, 5.0}
    assert made.info["weights"] == "kept"
    with pytest.raises(DataError, match=r"keep_weights needs a rating"):
        prepare(clicks().drop("rating"), keep_weights=True)


def test_held_out_users_are_never_trained_on() -> None:
    made = prepare(clicks(), split=HeldOutUsers(0.1, 0.2))
    assert made.fold_in is not None
    assert made.valid is not None
    assert made.test is not None
    held = made.valid.lengths() + made.test.lengths() > 0
    assert held.sum() == 6
    assert (made.train.lengths()[held] == 0).all()
    assert (made.fold_in.lengths()[held] == 8).all()
    assert (made.history().lengths() > 0).all()


def test_a_log_without_time_is_split_at_random() -> None:
    assert prepare(clicks().drop("time")).info["split"]["strategy"] == "random"
    with pytest.raises(DataError, match=r"the split 'temporal' needs to know what came first"):
        prepare(clicks().drop("time"), split=Temporal())


def test_a_log_that_comes_split_stays_so_unless_told(tmp_path: Path) -> None:
    lines = [" ".join(map(str, (user, *range(20)))) for user in range(5)]
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "test.txt").write_text("0 30 31\n1 0 30\n")
    made = prepare(tmp_path)
    assert made.info["parts"] == {"train": 90, "valid": 10, "test": 4}
    assert made.info["split"] == {"strategy": "published", "valid": 0.1, "seed": 0}
    anew = prepare(tmp_path, split=Random(0, 0.5))
    assert anew.info["steps"][-1] == {"step": "repeats: first", "interactions": 103, "users": 5, "items": 22, "dropped": 1}


def test_a_release_keeps_its_parts(tmp_path: Path) -> None:
    for name, rows in {"train": [[7, 4], [7, 2]], "valid": [[7, 3]], "test": [[7, 1]]}.items():
        np.save(tmp_path / f"{name}_list.npy", np.array(rows))
    made = prepare(tmp_path)
    assert made.info["split"] == {"strategy": "published", "valid": 0, "seed": 0}
    assert (made.info["parts"], made.items.ids.to_list()) == ({"train": 2, "valid": 1, "test": 1}, [1, 2, 3, 4])
    assert prepare(tmp_path, split=LeaveLast(0, 1)).test.matrix.indices.tolist() == [0]  # type: ignore[union-attr]


def test_options_of_reading_go_through_a_log(tmp_path: Path) -> None:
    path = tmp_path / "strange.txt"
    path.write_text("\n".join(f"{item}#{user}#x" for user in range(5) for item in range(user, 10)))
    made = prepare(read_log(path, separator="#", user=1, item=0, header=False))
    assert (made.name, len(made.users), len(made.items)) == ("strange", 5, 10)


@dataclass(frozen=True)
class Forgetful(Split):
    name: ClassVar[str] = "forgetful"

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(part=pl.lit("later"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_weight": 6}, r"nothing is left of 200 interactions after the step 'weight at least 6'"),
        ({"user_core": 11}, r"nothing is left of 200 interactions after the step '11 a user, 0 an item'"),
        ({"split": Temporal(0.05, 0.2)}, r"'temporal' leaves the part 'valid' empty: 200 interactions of 20 users"),
        ({"split": HeldOutUsers(0.5, 0.49)}, None),
        ({"split": Forgetful()}, r"'forgetful' made parts other than train"),
        ({"duplicates": "refuse"}, None),
    ],
)
def test_settings_that_leave_nothing_are_refused(options: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert prepare(clicks(), **options).train.nnz > 0
        return
    with pytest.raises(DataError, match=message):
        prepare(clicks(), **options)


def test_an_occupied_place_is_refused_before_any_work(tmp_path: Path) -> None:
    prepare(clicks(), tmp_path / "clicks")
    with pytest.raises(DataError, match=r"already holds data"):
        prepare(tmp_path / "not-even-there.csv", tmp_path / "clicks")
    again = prepare(clicks(seed=1), tmp_path / "clicks", overwrite=True)
    assert json.loads((tmp_path / "clicks" / "dataset.json").read_text("utf-8"))["fingerprint"] == again.fingerprint()


def test_it_is_the_same_every_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        prepare(clicks(), tmp_path / folder, name="clicks")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("movietweetings-100k", {"train": 79_675, "valid": 5_737, "test": 14_588}),
        ("online-retail", {"train": 190_447, "valid": 24_728, "test": 51_617}),
        ("ml-latest-small", {"train": 70_529, "valid": 9_722, "test": 19_753}),
        ("ml-1m_clean", {"train": 403_277, "valid": 110_722, "test": 57_532}),
    ],
)
def test_real_folders(shared: Path, folder: str, parts: dict[str, int]) -> None:
    made = prepare(shared / folder, events="split")
    assert made.info["parts"] == parts
    assert made.titles() is not None
