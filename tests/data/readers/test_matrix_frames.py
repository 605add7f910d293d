"""Frames: times and parts that are not read, numbers of any size, and what is no frame in memory."""

from __future__ import annotations

import datetime
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from recodiff.data import prepare, read_log
from recodiff.errors import DataError
from situations import T

PAIR = {"user": [1, 2], "item": [3, 4]}
DAYS = [20200101, 20200102]


@pytest.mark.parametrize(
    "seen",
    [
        pl.Series([T + 0.5, T + 1.5]),
        pl.Series([float(T), None]),
        pl.Series(DAYS),
        pl.Series([float(day) for day in DAYS]),
        pl.Series(["2020-01-01", "2020-01-02"], dtype=pl.Categorical),
        pl.Series(["2020-01-01", "2020-01-02"], dtype=pl.Enum(["2020-01-01", "2020-01-02"])),
        pl.Series([f"{T}.25", f"{T}.50"]).cast(pl.Decimal(20, 2)),
        pl.Series([datetime.date(2020, 1, 1), None]),
        pl.Series([T * 10**9, T * 10**9 + 1]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_time_that_is_not_read_is_named(seen: pl.Series) -> None:
    frame = pl.DataFrame(PAIR | {"seen": seen})
    for given in (frame, frame.lazy()):
        assert "'seen' looks like a time" in " ".join(_warnings(given))


@pytest.mark.parametrize("of", ["polars", "pandas", "csv", "tsv", "jsonl", "parquet", "sqlite", "a query", "duckdb"])
def test_a_time_of_another_name_that_only_the_last_rows_have_is_named(of: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"user": range(3000), "item": range(3000), "seen": [None] * 2995 + [f"2020-01-0{day}" for day in range(1, 6)]}
    )
    assert "'seen' looks like a time" in " ".join(_late(frame, of, tmp_path))


def _late(frame: pl.DataFrame, of: str, folder: Path) -> list[str]:
    """The warnings of a log that is held in one of several ways."""
    if of in ("polars", "pandas"):
        return _warnings(frame if of == "polars" else frame.to_pandas())
    file = folder / f"log.{of}"
    if of == "csv":
        frame.write_csv(file)
    elif of == "tsv":
        frame.write_csv(file, separator="\t", null_value="NA")
    elif of == "jsonl":
        frame.write_ndjson(file)
    elif of == "parquet":
        frame.write_parquet(file)
    elif of == "duckdb":
        with duckdb.connect(file) as database:
            database.register("held", frame.to_arrow())
            database.execute("CREATE TABLE clicks AS SELECT * FROM held")
        return _warnings(f"duckdb:///{file}", table="clicks")
    else:
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE clicks (user INTEGER, item INTEGER, seen TEXT)")
            database.executemany("INSERT INTO clicks VALUES (?, ?, ?)", frame.rows())
        asked = {"table": "clicks"} if of == "sqlite" else {"query": "SELECT * FROM clicks"}
        return _warnings(f"sqlite:///{file}", **asked)
    return _warnings(file)


def test_a_column_of_parts_is_named_and_numbers_are_none() -> None:
    assert "keep these parts with part='fold'" in " ".join(_warnings(pl.DataFrame(PAIR | {"fold": ["train", "test"]})))
    assert not _warnings(pl.DataFrame(PAIR | {"fold": [1, 2], "price": [1.5, 2.5]}))


def test_the_largest_numbers_of_a_database_are_whole() -> None:
    most = 2**127 - 1
    assert read_log(duckdb.sql(f"select {most}::hugeint as user, 2 as item")).frame["user"].to_list() == [str(most)]


def test_marks_among_numbers_in_text_are_missing_and_ids_among_texts_are_none() -> None:
    with pytest.raises(DataError, match=r"row 1 .*user is missing .'undefined' marks that"):
        read_log(pl.DataFrame({"user": ["7", "undefined"], "item": [3, 4]}))
    names = ["ann", "nil", "bob"]
    assert read_log(pl.DataFrame({"user": names, "item": [3, 4, 5]})).frame["user"].to_list() == names


def test_empty_baskets_are_counted() -> None:
    log = read_log(pl.DataFrame({"user": [1, 2, 3], "item": [[], [3], []]}))
    assert log.dropped == {"empty baskets": 2}
    assert log.reading is not None
    assert "2 empty baskets dropped" in log.reading.sentences()[-1]


class Spark:
    """What a DataFrame of Spark has."""

    columns = ("user", "item")

    def toPandas(self) -> None:  # noqa: N802
        """A frame in memory."""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Spark(), r"DataFrame of Spark is not in memory; give its toArrow\(\) or toPandas\(\)"),
        (pl.scan_csv("/nowhere.csv"), "the lazy frame cannot be collected .*nowhere.csv"),
    ],
    ids=["of Spark", "lazy and gone"],
)
def test_what_is_no_frame_in_memory_is_refused(source: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        prepare(source)


def _warnings(source: Any, **asked: Any) -> list[str]:
    log = read_log(source, **asked)
    assert log.reading is not None
    return list(log.reading.warnings)
