"""Stores, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from postgres import Postgres, running_postgres
from recodiff.data.readers.times import parse_time
from recodiff.errors import ConfigError, DataError
from recodiff.serving.errors import StoreDownError
from recodiff.serving.store.base import HistoryStore, KeyReusedError, NewEvent, three_columns
from recodiff.serving.store.open import open_histories
from recodiff.serving.store.theirs import TheirStore, milliseconds


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HistoryStore]:
    if request.param == "sqlite":
        opened = open_histories(f"sqlite:///{tmp_path}/events.db")
    else:
        server = request.getfixturevalue("postgres")
        server.execute("DROP TABLE IF EXISTS recodiff_events, recodiff_keys")
        opened = open_histories(server.url)
    yield opened
    opened.close()


def items(store: HistoryStore, user: str, most: int = 100) -> list[str]:
    return [event.item for event in store.histories([user], most)[0]]


def test_histories_are_the_newest_oldest_first(store: HistoryStore) -> None:
    store.append([NewEvent("b", 20, "u"), NewEvent("a", 10, "u"), NewEvent("c", 20, "u"), NewEvent("x", 15, "v")], None, "")
    assert items(store, "u") == ["a", "b", "c"]
    assert items(store, "u", 2) == ["b", "c"]
    assert [[event.item for event in one] for one in store.histories(["v", "none", "u"], 1)] == [["x"], [], ["c"]]


def test_strange_text_is_kept_as_it_is(store: HistoryStore) -> None:
    strange = "'; DROP TABLE recodiff_events; -- \\ % _ ünï 🎬"
    store.append([NewEvent(strange, 1, strange)], strange, "d")
    assert items(store, strange) == [strange]
    assert store.forget("%") == 0
    assert store.forget(strange) == 1
    assert items(store, strange) == []


def test_a_key_counts_once_however_many_ask_at_once(store: HistoryStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: store.append([NewEvent("a", 1, "u")], "key", "digest"), range(16)))
    assert written.count(True) == 1
    assert items(store, "u") == ["a"]
    with pytest.raises(KeyReusedError):
        store.append([NewEvent("b", 1, "u")], "key", "other")


def test_many_writers_at_once_lose_nothing(store: HistoryStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.append([NewEvent(f"{n}", n, "u"), NewEvent(f"{n}+", n, "u")], f"k{n}", ""), range(40)))
    assert items(store, "u") == [f"{n}{sign}" for n in range(40) for sign in ("", "+")]


def test_a_store_is_opened_again(store: HistoryStore) -> None:
    store.append([NewEvent("a", 1, "u")], "k", "d")
    again = open_histories(store.engine.url.render_as_string(hide_password=False))
    assert items(again, "u") == ["a"]
    assert again.append([NewEvent("a", 1, "u")], "k", "d") is False
    again.close()


def test_your_table_in_postgresql(postgres: Postgres) -> None:
    postgres.execute(
        "CREATE SCHEMA IF NOT EXISTS shop",
        'CREATE TABLE shop."Clicks" (uid uuid, "from" text, ts timestamptz)',
        """INSERT INTO shop."Clicks" VALUES
           ('00000000-0000-0000-0000-000000000001', 'b', '2026-01-02 00:00+00'),
           ('00000000-0000-0000-0000-000000000001', 'a', '2026-01-01 00:00+00')""",
    )
    store = open_histories(postgres.url, "shop.Clicks", "user=uid,item=from,time=ts")
    assert items(store, "00000000-0000-0000-0000-000000000001") == ["a", "b"]
    assert items(store, "no uuid") == []
    assert store.histories(["00000000-0000-0000-0000-000000000001"], 1)[0][0].at == 1767312000000
    store.close()
    with pytest.raises(DataError, match="no column 'when' for the time"):
        open_histories(postgres.url, "shop.Clicks", "user=uid,item=from,time=when")
    with pytest.raises(DataError, match="no table or view 'clicks'"):
        open_histories(postgres.url, "clicks", "user=uid,item=from,time=ts")


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    with running_postgres() as server:
        store = open_histories(server.url)
        store.append([NewEvent("a", 1, "u")], None, "")
        server.kill()
        with pytest.raises(StoreDownError):
            store.check()
        with pytest.raises(StoreDownError):
            store.append([NewEvent("b", 2, "u")], None, "")
        server.start()
        store.check()
        assert items(store, "u") == ["a"]
        store.close()


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/e\.db"):
        open_histories(f"sqlite:///{tmp_path}/nowhere/e.db")
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(DataError, match="not a database"):
        open_histories(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(ConfigError, match="both --table NAME and --columns"):
        open_histories(f"sqlite:///{tmp_path}/e.db", "clicks")
    for text in ("user=a,item=b", "user=a,item=b,time=", "a,b,c", "user=a,item=b,time=c,more=d"):
        with pytest.raises(DataError, match="three columns"):
            three_columns(text)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(2026, 1, 2),
        date(2026, 1, 2),
        "2026-01-02",
        "2026-01-02T01:00:00+01:00",
        1767312000,
        1767312000.0,
        1767312000_000,
        1767312000_000_000,
        1767312000_000_000_000,
    ],
)
def test_times_of_any_kind(value: object) -> None:
    assert milliseconds(value) == 1767312000000


@pytest.mark.parametrize("value", ["tomorrow", "", "1767312000", float("nan"), float("inf"), time(3, 4), b"2026", True, None])
def test_what_is_no_time_has_no_milliseconds(value: object) -> None:
    """Text of digits too: a database sorts it by letters, so 999 would come after 1000."""
    assert milliseconds(value) is None


def test_units_are_those_of_prepare() -> None:
    for number in (99_999_999_999, 10**11, 10**14 - 1, 10**14, 10**17, 1.7e9, 1.7e18):
        (seconds,) = parse_time(pl.Series([number])).seconds
        assert milliseconds(number) // 1000 == seconds  # type: ignore[operator]


def clicks(folder: Path, kind: str, *values: object) -> str:
    """A database with a table of one user's events whose times are `values`, in a column that is declared as `kind`."""
    with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
        shop.execute(f"CREATE TABLE clicks (who TEXT, what TEXT, at {kind})")
        shop.executemany("INSERT INTO clicks VALUES ('u', ?, ?)", [(f"item {row}", value) for row, value in enumerate(values)])
    return f"sqlite:///{folder}/shop.db"


OF_CLICKS = ("clicks", "user=who,item=what,time=at")


@pytest.mark.parametrize("kind", ["DATETIME", "TIMESTAMP", "DATE", "INTEGER", "NUMERIC", "TEXT", ""])
def test_a_column_of_sqlite_may_hold_other_than_it_declares(tmp_path: Path, kind: str) -> None:
    values: list[object] = ["2026-01-01", "2026-01-02T03:00:00Z"] if kind == "TEXT" else [1767225600, 1767322800]
    store = open_histories(clicks(tmp_path, kind, *values), *OF_CLICKS)
    assert [event.at for event in store.histories(["u"], 9)[0]] == [1767225600_000, 1767322800_000]
    store.close()


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("TIME", "03:04", "column 'at' of table 'clicks' is of type TIME"),
        ("BLOB", b"2026", "is of type BLOB"),
        ("BOOLEAN", 1, "is of type BOOLEAN"),
        ("TEXT", "tomorrow", "holds 'tomorrow'"),
        ("TEXT", "1767312000", "holds '1767312000'"),
        ("INTEGER", 20240501, "20240501, which look like dates"),
        ("", b"2026", "holds b'2026'"),
    ],
)
def test_a_column_that_holds_no_times_is_refused_at_the_start(tmp_path: Path, kind: str, value: object, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        open_histories(clicks(tmp_path, kind, value), *OF_CLICKS)
    assert str(raised.value).endswith("convert them in a view, and name that")


def test_a_time_of_day_is_refused_at_the_start(postgres: Postgres) -> None:
    postgres.execute("CREATE TABLE visits (who text, what text, at time)", "INSERT INTO visits VALUES ('u', 'a', '03:04')")
    with pytest.raises(DataError, match="column 'at' of table 'visits' is of type TIME"):
        open_histories(postgres.url, "visits", "user=who,item=what,time=at")


def test_an_event_whose_time_cannot_be_read_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was the oldest of all, at the start of 1970."""
    store = open_histories(clicks(tmp_path, "TEXT", "2026-01-01", "2026-01-02"), *OF_CLICKS)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("INSERT INTO clicks VALUES ('u', 'new', 'tomorrow')")
    for _ in range(12):
        assert items(store, "u") == ["item 0", "item 1"]
    assert isinstance(store, TheirStore)
    assert store.unread == 12
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "events left out, 1 so far",
        "events left out, 10 so far",
    ]
    assert "holds 'tomorrow'" in caplog.text
    store.close()
