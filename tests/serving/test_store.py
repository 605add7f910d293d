"""Stores, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from postgres import Postgres, running_postgres
from recodiff.errors import ConfigError, DataError
from recodiff.serving.errors import StoreDownError
from recodiff.serving.store.base import KeyReusedError, NewEvent, Store, three_columns
from recodiff.serving.store.open import open_store
from recodiff.serving.store.theirs import milliseconds


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{tmp_path}/events.db")
    else:
        server = request.getfixturevalue("postgres")
        server.execute("DROP TABLE IF EXISTS recodiff_events, recodiff_keys")
        opened = open_store(server.url)
    yield opened
    opened.close()


def items(store: Store, user: str, most: int = 100) -> list[str]:
    return [event.item for event in store.histories([user], most)[0]]


def test_histories_are_the_newest_oldest_first(store: Store) -> None:
    store.append([NewEvent("b", 20, "u"), NewEvent("a", 10, "u"), NewEvent("c", 20, "u"), NewEvent("x", 15, "v")], None, "")
    assert items(store, "u") == ["a", "b", "c"]
    assert items(store, "u", 2) == ["b", "c"]
    assert [[event.item for event in one] for one in store.histories(["v", "none", "u"], 1)] == [["x"], [], ["c"]]


def test_strange_text_is_kept_as_it_is(store: Store) -> None:
    strange = "'; DROP TABLE recodiff_events; -- \\ % _ ünï 🎬"
    store.append([NewEvent(strange, 1, strange)], strange, "d")
    assert items(store, strange) == [strange]
    assert store.forget("%") == 0
    assert store.forget(strange) == 1
    assert items(store, strange) == []


def test_a_key_counts_once_however_many_ask_at_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: store.append([NewEvent("a", 1, "u")], "key", "digest"), range(16)))
    assert written.count(True) == 1
    assert items(store, "u") == ["a"]
    with pytest.raises(KeyReusedError):
        store.append([NewEvent("b", 1, "u")], "key", "other")


def test_many_writers_at_once_lose_nothing(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.append([NewEvent(f"{n}", n, "u"), NewEvent(f"{n}+", n, "u")], f"k{n}", ""), range(40)))
    assert items(store, "u") == [f"{n}{sign}" for n in range(40) for sign in ("", "+")]


def test_a_store_is_opened_again(store: Store) -> None:
    store.append([NewEvent("a", 1, "u")], "k", "d")
    again = open_store(store.engine.url.render_as_string(hide_password=False))
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
    store = open_store(postgres.url, "shop.Clicks", "user=uid,item=from,time=ts")
    assert items(store, "00000000-0000-0000-0000-000000000001") == ["a", "b"]
    assert items(store, "no uuid") == []
    assert store.histories(["00000000-0000-0000-0000-000000000001"], 1)[0][0].at == 1767312000000
    store.close()
    with pytest.raises(DataError, match="no column 'when' for the time"):
        open_store(postgres.url, "shop.Clicks", "user=uid,item=from,time=when")
    with pytest.raises(DataError, match="no table or view 'clicks'"):
        open_store(postgres.url, "clicks", "user=uid,item=from,time=ts")


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    with running_postgres() as server:
        store = open_store(server.url)
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
        open_store(f"sqlite:///{tmp_path}/nowhere/e.db")
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(DataError, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(ConfigError, match="both --table NAME and --columns"):
        open_store(f"sqlite:///{tmp_path}/e.db", "clicks")
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
