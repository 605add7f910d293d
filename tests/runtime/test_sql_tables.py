"""Tables of lists: whole or as they were."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from postgres import Postgres, running_postgres
from recodiff.errors import ConfigError, DataError, RecodiffWarning
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
    with warnings.catch_warnings(action="error"):  # the same columns: nothing goes
        for _ in range(2):
            write_table(url, "lists", LISTS.head(1), overwrite=True)
    assert rows(url) == LISTS.head(1).rows()
    assert tables(url) == ["lists"]


def indexes(url: str) -> list[str | None]:
    return [index["name"] for index in sa.inspect(open_engine(url)).get_indexes("lists")]


def test_what_others_made_of_a_table_stays(url: str) -> None:
    write_table(url, "lists", LISTS, overwrite=False)
    with open_engine(url).execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql('CREATE INDEX by_user ON lists ("user")')
        connection.exec_driver_sql("CREATE VIEW firsts AS SELECT * FROM lists WHERE rank = 1")
        connection.exec_driver_sql("ALTER TABLE lists ADD COLUMN shown INTEGER DEFAULT 0")
        if url.startswith("postgresql"):
            connection.exec_driver_sql("DROP ROLE IF EXISTS shop")
            connection.exec_driver_sql("CREATE ROLE shop")
            connection.exec_driver_sql("GRANT SELECT ON lists TO shop")
    write_table(url, "lists", LISTS.head(2), overwrite=True)
    assert rows(url) == [(*row, 0) for row in LISTS.head(2).rows()]
    assert len(rows(url, "firsts")) == 1
    assert indexes(url) == ["by_user"]
    if url.startswith("postgresql"):
        with open_engine(url).execution_options(writes=True).begin() as connection:
            assert connection.exec_driver_sql("SELECT has_table_privilege('shop', 'lists', 'SELECT')").scalar()
            connection.exec_driver_sql("DROP VIEW firsts")
            connection.exec_driver_sql("REVOKE ALL ON lists FROM shop")
            connection.exec_driver_sql("DROP ROLE shop")


def test_a_table_of_other_columns_is_made_anew_and_what_goes_is_said(url: str) -> None:
    write_table(url, "lists", LISTS, overwrite=False)
    with open_engine(url).execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql('CREATE INDEX by_user ON lists ("user")')
    text = LISTS.with_columns(pl.col("item").cast(pl.String))
    with pytest.warns(RecodiffWarning, match=r"had other columns, .* its indexes \(by_user\) and grants are gone"):
        write_table(url, "lists", text, overwrite=True)
    assert rows(url) == text.rows()
    assert indexes(url) == []
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
