"""Logs cut by the protocols of the field."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recodiff import prepare
from recodiff.data.dataset import Dataset
from recodiff.data.protocols import cut_by
from recodiff.data.split import TemporalGlobal
from recodiff.errors import ConfigError


def of_user(data: Dataset, user: str) -> dict[str, list[str]]:
    """The items of a user, by part, in their order."""
    row = int(data.users.positions(pl.Series([user]))[0])
    return {
        name: part.items.externals(part.matrix.indices[part.matrix.indptr[row] : part.matrix.indptr[row + 1]]).to_list()
        for name, part in data.parts().items()
    }


def baskets() -> pl.DataFrame:
    """Three items at one time, out of the order of their ids; and a user of two items."""
    rows = [("ann", "d", 1), ("ann", "c", 5), ("ann", "a", 5), ("ann", "b", 5), ("bob", "a", 2), ("bob", "b", 3)]
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")


def test_leave_one_out_takes_exactly_one_item_the_last_in_file_order() -> None:
    data = prepare(baskets(), protocol="leave-one-out")
    assert of_user(data, "ann") == {"train": ["d", "c"], "valid": ["a"], "test": ["b"]}
    assert data.train.events == "ordered"
    assert data.info["split"] == {"strategy": "leave-one-out"}


def test_a_history_of_two_items_is_for_training_alone() -> None:
    assert of_user(prepare(baskets(), protocol="leave-one-out"), "bob") == {"train": ["a", "b"], "valid": [], "test": []}


def test_rows_without_time_are_taken_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "sequences.txt").write_text("1 7 3 9 4\n2 4 9 3\n", "utf-8")
    data = prepare(tmp_path / "sequences.txt", protocol="leave-one-out")
    assert of_user(data, 1) == {"train": [7, 3], "valid": [9], "test": [4]}  # type: ignore[arg-type]
    assert of_user(data, 2) == {"train": [4], "valid": [9], "test": [3]}  # type: ignore[arg-type]
    assert data.train.time_kind == "order"


def test_a_time_split_cuts_all_users_at_one_moment() -> None:
    log = pl.DataFrame({"user": ["a", "b"] * 20, "item": list(range(40)), "time": list(range(10**9, 10**9 + 40))})
    data = prepare(log, protocol="time-split")
    assert data.info["split"] == TemporalGlobal().describe()
    assert data.test is not None
    assert data.test.times is not None
    assert data.train.times is not None
    assert data.train.times.max() < data.test.times.min()


def test_a_protocol_decides_the_split_alone() -> None:
    with pytest.raises(ConfigError, match="says how to split and what events are; leave split and events out"):
        prepare(baskets(), protocol="leave-one-out", split="temporal")
    with pytest.raises(ConfigError, match="protocol='official' says nothing of how a log is cut"):
        cut_by("official")
