"""Logs from databases: what a file gives, in pieces, with the same checks."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from commands import write_log
from postgres import Postgres, running_postgres
from recodiff import prepare, read_log
from recodiff.data.readers import sql
from recodiff.errors import ConfigError, DataError

ITEMS = list(range(101, 141))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log"), ITEMS) / "ratings.csv"


def filled(log: Path, path: Path) -> str:
    """A SQLite file with the log as the table `clicks`."""
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE clicks ("userId" TEXT, "movieId" INTEGER, rating REAL, timestamp INTEGER, note TEXT)')
        database.executemany("INSERT INTO clicks VALUES (?, ?, ?, ?, 'x')", pl.read_csv(log).rows())
    database.close()
    return f"sqlite:///{path}"


def fill_postgres(log: Path, postgres: Postgres) -> None:
    postgres.execute(
        "CREATE SCHEMA IF NOT EXISTS shop",
        'DROP TABLE IF EXISTS shop."Clicks"',
        'CREATE TABLE shop."Clicks" ("userId" text, "movieId" bigint, rating numeric(3, 1), timestamp timestamptz, "drop" uuid)',
    )
    rows = ", ".join(f"('{u}', {i}, {r}, to_timestamp({t}), gen_random_uuid())" for u, i, r, t in pl.read_csv(log).rows())
    postgres.execute(f'INSERT INTO shop."Clicks" VALUES {rows}')


@pytest.mark.parametrize("piece", [7, 50_000])
def test_a_table_of_sqlite_gives_the_data_of_the_file(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(sql, "FETCHED_AT_ONCE", piece)
    url = filled(log, tmp_path / "shop.db")
    found, wanted = read_log(url, table="clicks"), read_log(log, items=None)
    assert found.frame.equals(wanted.frame)
    assert found.time_kind == "clock"
    assert found.reading is not None
    assert found.reading.unread == ("note",)
    by_query = read_log(url, query="SELECT * FROM clicks;")
    assert by_query.frame.equals(wanted.frame)


def test_a_table_of_postgresql_gives_the_data_of_the_file(log: Path, postgres: Postgres, tmp_path: Path) -> None:
    fill_postgres(log, postgres)
    secret = postgres.url.replace("tester@", "tester:secret@")
    found = prepare(read_log(secret, table="shop.Clicks"), tmp_path / "a", min_weight=4)
    wanted = prepare(read_log(log), tmp_path / "b", min_weight=4)
    assert found.train.fingerprint() == wanted.train.fingerprint()
    assert found.test is not None
    assert wanted.test is not None
    assert found.test.fingerprint() == wanted.test.fingerprint()
    assert "secret" not in (tmp_path / "a" / "dataset.json").read_text()
    query = """SELECT "userId" AS u, "movieId" AS m, timestamp AS t FROM shop."Clicks" WHERE rating::numeric >= 4"""
    read = read_log(postgres.url, query=query, user="u", item="m", time="t")
    assert read.frame.height == found.summary()["interactions"]
    uuids = read_log(postgres.url, table="shop.Clicks", user="drop", item="movieId", time="timestamp")
    assert uuids.frame["user"].dtype == pl.String
    assert uuids.frame["user"].str.len_chars().unique().to_list() == [36]


def test_a_file_of_duckdb_gives_the_data_of_the_file(log: Path, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "log.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE SCHEMA shop")
        database.execute('CREATE TABLE shop."Click log" AS SELECT * FROM read_csv(?)', [str(log)])
    wanted = read_log(log).frame
    assert read_log(f"duckdb:///{path}", table="shop.Click log").frame.equals(wanted)
    assert read_log(f"duckdb:///{path}", query='SELECT * FROM shop."Click log" WHERE rating > 3').frame.height < wanted.height
    with pytest.raises(DataError, match="refused"):
        read_log(f"duckdb:///{path}", table="nowhere")
    with pytest.raises(DataError, match="read-only mode"):
        read_log(f"duckdb:///{path}", query='DELETE FROM shop."Click log"')
    with pytest.raises(DataError, match="does not exist"):
        read_log("duckdb:///none.duckdb", table="clicks")


def test_a_query_cannot_write(log: Path, postgres: Postgres) -> None:
    fill_postgres(log, postgres)
    with pytest.raises(DataError, match="refused"):
        read_log(postgres.url, query='DELETE FROM shop."Clicks" RETURNING "userId", "movieId"')
    assert read_log(postgres.url, table="shop.Clicks").frame.height


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("('a', 1, 3, 5), (NULL, 2, 3, 6)", "user is missing"),
        ("('a', 1, 3, 5), ('b', 2, 3, 'noon')", "holds several types"),
        ("('a', 1, 'good', 5), ('b', 2, 'bad', 6)", "'good', not a finite number"),
    ],
)
def test_a_malformed_row_is_refused_as_in_a_file(tmp_path: Path, rows: str, said: str) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE log (user, item, rating, time)")
        database.execute(f"INSERT INTO log VALUES {rows}")
    with pytest.raises(DataError, match=said):
        read_log(f"sqlite:///{tmp_path / 'a.db'}", table="log")


def test_what_cannot_be_read_is_refused_in_a_sentence(log: Path, tmp_path: Path) -> None:
    url = filled(log, tmp_path / "shop.db")
    for table, query in ((None, None), ("clicks", "SELECT 1")):
        with pytest.raises(ConfigError, match="--table NAME or --query"):
            read_log(url, table=table, query=query)
    with pytest.raises(ConfigError, match="is no database"):
        read_log(log, table="clicks")
    with pytest.raises(ConfigError, match="a table has no order of rows"):
        read_log(url, table="clicks", time_unit="order")
    with pytest.raises(DataError, match="no table or view 'clocks'"):
        read_log(url, table="clocks")
    with pytest.raises(DataError, match="refused"):
        read_log(url, query="SELEC 1")
    with pytest.raises(DataError, match="gives a column twice"):
        read_log(url, query='SELECT "userId", "userId" FROM clicks')
    with pytest.raises(DataError, match="holds no interactions"):
        read_log(url, query="SELECT * FROM clicks WHERE rating > 9")
    with pytest.raises(DataError, match="no column 'who'"):
        read_log(url, table="clicks", user="who")


def test_the_order_of_a_query_is_the_order_of_its_rows(log: Path, tmp_path: Path) -> None:
    url = filled(log, tmp_path / "shop.db")
    query = 'SELECT "userId", "movieId" FROM clicks ORDER BY timestamp DESC'
    found = read_log(url, query=query, time_unit="order").frame
    first = found.filter(pl.col("user") == "u00", pl.col("time") == 0)["item"].item()
    by_time = pl.read_csv(log).filter(pl.col("userId") == "u00").sort("timestamp")
    assert first == by_time["movieId"][-1]


def test_rows_are_python_objects_a_piece_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak of Python's own memory is that of a piece, whatever the length of the log."""
    monkeypatch.setattr(sql, "FETCHED_AT_ONCE", 1000)
    peaks = []
    for rows in (20_000, 200_000):
        path = tmp_path / f"{rows}.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE log (user INTEGER, item INTEGER, time INTEGER)")
            database.executemany("INSERT INTO log VALUES (?, ?, ?)", ((n % 999 + 10**6, n + 10**6, n + 10**9) for n in range(rows)))
        database.close()
        tracemalloc.start()
        assert read_log(f"sqlite:///{path}", table="log").frame.height == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
