"""Databases by URL: what is refused, what is quoted, and what outlives a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from postgres import Postgres, running_postgres
from recodiff.errors import CheckpointError, ConfigError, DataError, MissingExtraError
from recodiff.runtime.sql import is_url, open_engine, sentences, shown, table


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


def lite(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_path_is_no_url() -> None:
    assert is_url("postgresql://a/b")
    assert not is_url("data/clicks.csv")
    assert not is_url("C:\\clicks.csv")


def test_a_password_is_never_shown() -> None:
    assert "secret" not in shown("postgresql://me:secret@host/db")
    with pytest.raises(ConfigError) as refused:
        open_engine("postgresql//me:secret@host")
    assert "secret" not in str(refused.value)


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        open_engine("nonsense://host/db")


def test_a_driver_that_is_lacking_is_named() -> None:
    with pytest.raises(MissingExtraError, match="MySQLdb"):
        open_engine("mysql://host/db")


def test_what_the_database_refuses_is_one_sentence_without_the_statement(tmp_path: Path) -> None:
    url = lite(tmp_path / "a.db")
    with pytest.raises(CheckpointError) as refused, sentences(url, CheckpointError), open_engine(url).begin() as connection:
        connection.execute(sa.text("SELECT private FROM nowhere"))
    assert "nowhere" in str(refused.value)
    assert "SELECT" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    with open_engine(lite(tmp_path / "a.db")).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_file_that_is_read_keeps_its_settings_and_takes_no_writes(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE clicks (user TEXT, item TEXT)")
    before = (tmp_path / "theirs.db").read_bytes()
    url = lite(tmp_path / "theirs.db")
    with open_engine(url, read_only=True).connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM clicks").scalar() == 0
        with pytest.raises(DataError, match="readonly"), sentences(url):
            connection.exec_driver_sql("INSERT INTO clicks VALUES ('a', 'b')")
    assert (tmp_path / "theirs.db").read_bytes() == before
    with pytest.raises(DataError, match=r"not\.db"):
        open_engine(lite(tmp_path / "not.db"), read_only=True)


STRANGE = 'order; DROP TABLE "clicks" --'


def test_names_are_quoted_and_checked(tmp_path: Path) -> None:
    url = lite(tmp_path / "a.db")
    engine = open_engine(url)
    quoted = STRANGE.replace('"', '""')
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE clicks (a TEXT)")
        connection.exec_driver_sql(f'CREATE TABLE "{quoted}" ("select" TEXT)')
        connection.exec_driver_sql(f"INSERT INTO \"{quoted}\" VALUES ('x')")
    found = table(engine, STRANGE, {"item": "select"})
    with engine.connect() as connection:
        assert connection.execute(sa.select(found.c["select"])).scalars().all() == ["x"]
    with pytest.raises(DataError, match=r"no column 'b' for the user; it has a"):
        table(engine, "clicks", {"user": "b"})
    with pytest.raises(DataError, match="no table or view 'clicks; DROP'"):
        table(engine, "clicks; DROP", {})
    assert table(engine, "clicks", {}) is not None


def test_postgresql_by_its_plain_url(postgres: Postgres) -> None:
    postgres.execute("CREATE SCHEMA shop", 'CREATE TABLE shop."Clicks" (who BIGINT, what TEXT)')
    with open_engine(postgres.url).begin() as connection:
        found = table(connection.engine, "shop.Clicks", {"user": "who", "item": "what"})
        connection.execute(found.insert().values(who=1, what="a"))
    reader = open_engine(postgres.url, read_only=True)
    with pytest.raises(DataError, match="read-only transaction"), sentences(postgres.url), reader.begin() as connection:
        connection.execute(found.insert().values(who=2, what="b"))
    with reader.connect() as connection:
        assert connection.execute(sa.select(found.c.who, found.c.what)).all() == [(1, "a")]
    with pytest.raises(DataError, match="no table or view 'nowhere'"):
        table(reader, "nowhere", {})


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    url = "postgresql://me:secret@127.0.0.1:9/db"
    with pytest.raises(DataError) as refused, sentences(url), open_engine(url).connect():
        pass
    assert "refused" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
