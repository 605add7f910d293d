"""Tables of lists: whole or as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from postgres import Postgres, running_postgres
from recodiff.errors import ConfigError, DataError
from recodiff.runtime import sql_tables
from recodiff.runtime.sql import open_engine
from recodiff.runtime.sql_tables import check_table, write_table

LISTS = pl.DataFrame(
    {"user": ["a", "a", "b;'\""], "rank": [1, 2, 1], "item": [5, 7, 5], "score": [0.5, 0.25, -1.0], "title": ["x", None, "<y>"]},
    schema_overrides={"rank": pl.Int32, "score": pl.Float32},
)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    server: Postgres = request.getfixturevalue("server")
    server.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return server.url


def rows(url: str, name: str = "lists") -> list[tuple[object, ...]]:
    with open_engine(url).connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(f'SELECT * FROM "{name}" ORDER BY "user", rank'))]


def tables(url: str) -> list[str]:
    return sa.inspect(open_engine(url)).get_table_names()


def test_a_table_is_written_and_replaced_only_where_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_tables, "INSERT_ROWS", 2)
    write_table(url, "lists", LISTS, overwrite=False)
    assert rows(url) == LISTS.rows()
    with pytest.raises(DataError, match=r"already there; .* --overwrite"):
        write_table(url, "lists", LISTS, overwrite=False)
    for _ in range(2):
        write_table(url, "lists", LISTS.head(1), overwrite=True)
    assert rows(url) == LISTS.head(1).rows()
    assert tables(url) == ["lists"]


def test_a_write_that_fails_leaves_the_old_table(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(url, "lists", LISTS, overwrite=False)

    def broken(frame: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
        yield frame.head(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.DataFrame, "iter_slices", broken)
    with pytest.raises(KeyboardInterrupt):
        write_table(url, "lists", LISTS.head(2), overwrite=True)
    assert rows(url) == LISTS.rows()
    assert tables(url) == ["lists"]


def test_the_table_of_others_and_a_view_are_left_alone(url: str) -> None:
    with open_engine(url).begin() as connection:
        connection.exec_driver_sql('CREATE TABLE users ("user" TEXT, mail TEXT)')
        connection.exec_driver_sql("CREATE VIEW seen AS SELECT * FROM users")
    with pytest.raises(DataError, match=r"'users' is there and holds no lists \(it has no item, rank, score\)"):
        check_table(url, "users", LISTS.columns, overwrite=True)
    with pytest.raises(DataError, match="'seen' is a view"):
        check_table(url, "seen", LISTS.columns, overwrite=True)
    strange = 'a; DROP TABLE "users" --'
    write_table(url, strange, LISTS, overwrite=False)
    assert sorted(tables(url)) == sorted([strange, "users"])


def test_a_kill_in_the_middle_leaves_the_old_table(server: Postgres) -> None:
    server.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    write_table(server.url, "lists", LISTS, overwrite=False)
    with open_engine(server.url).connect() as reader:
        assert reader.execute(sa.text('SELECT count(*) FROM "lists"')).scalar() == 3
        reader.rollback()
    server.kill()
    with pytest.raises(DataError, match="refused"):
        write_table(server.url, "lists", LISTS.head(1), overwrite=True)
    server.start()
    assert rows(server.url) == LISTS.rows()


def test_a_database_without_such_transactions_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sql_tables, "TRANSACTIONAL", ("postgresql",))
    with pytest.raises(ConfigError, match="which sqlite cannot"):
        check_table(f"sqlite:///{tmp_path / 'a.db'}", "lists", LISTS.columns, overwrite=False)
