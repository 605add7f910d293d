"""Databases by URL, through SQLAlchemy: connections, tables by name, and what a database refuses as one sentence.

Names of tables and columns are never pasted into a statement: `table` finds them in the database, and SQLAlchemy quotes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recodiff.errors import ConfigError, DataError, MissingExtraError, RecodiffError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.engine import URL

DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
"""The driver that is meant where a URL names none; SQLAlchemy knows the others' own."""
BUSY_SECONDS = 10
"""How long a writer of SQLite waits for another, and how long a server may take to answer a first call."""
EXAMPLES = "sqlite:///events.db or postgresql://user@host/database"


def is_url(text: str) -> bool:
    """Tell whether a text is the URL of a database rather than a path.

    Args:
        text: as it was typed.
    """
    return "://" in text


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Make an engine for a database; nothing is connected yet.

    A SQLite file is opened with a write-ahead log that is synced at every commit, so what is committed outlives a power cut.

    Args:
        url: such as `sqlite:///events.db` or `postgresql://user@host/database`.
        read_only: whether every statement that writes is refused; a SQLite file must then exist and keeps its settings.

    Raises:
        ConfigError: the text is no URL, or its kind of database is unknown.
        DataError: a SQLite file that is to be read does not exist.
        MissingExtraError: SQLAlchemy or the driver is not installed.
    """
    parsed = _parsed(url)
    sqlalchemy = _sqlalchemy()
    lite = parsed.get_backend_name() == "sqlite"
    if lite and read_only and not Path(parsed.database or "").is_file():
        raise DataError(f"'{parsed.database}' does not exist; give the file of a SQLite database")
    wait = {"timeout": BUSY_SECONDS} if lite else {"connect_timeout": BUSY_SECONDS} if "psycopg" in parsed.drivername else {}
    try:
        made = sqlalchemy.create_engine(parsed, pool_pre_ping=not lite, connect_args=wait, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"'{shown(url)}' needs the package {error.name}; install it, or pip install 'recodiff[sql]'"
        ) from None
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigError(f"'{shown(url)}' cannot be used ({_first_line(error)}); give a URL such as {EXAMPLES}") from None
    if lite:
        _prepare_sqlite(made, read_only)
    return made.execution_options(postgresql_readonly=True) if read_only and made.name == "postgresql" else made


def is_in_memory(url: str) -> bool:
    """Tell whether a database is one of SQLite that no other process can open.

    Args:
        url: of the database.

    Raises:
        ConfigError: the text is no URL.
    """
    parsed = _parsed(url)
    name = parsed.database or ""
    lite = parsed.get_backend_name() == "sqlite"
    return lite and (name in ("", ":memory:") or "mode=memory" in name or parsed.query.get("mode") == "memory")


def shown(url: str) -> str:
    """A URL as messages may show it: a password is hidden.

    Args:
        url: of a database.
    """
    return _parsed(url).render_as_string(hide_password=True)


@contextmanager
def sentences(url: str, error: type[RecodiffError] = DataError) -> Iterator[None]:
    """A context in which what the database refuses is raised as one sentence.

    Args:
        url: of the database, as `open_engine` takes it.
        error: what is raised.

    Raises:
        RecodiffError: of the kind `error`.
    """
    sqlalchemy = _sqlalchemy()
    try:
        yield
    except sqlalchemy.exc.SQLAlchemyError as raised:
        raise error(
            f"the database '{shown(url)}' refused ({_first_line(raised)}); check the URL, the server and your rights"
        ) from None


def table(engine: Engine, name: str, columns: Mapping[str, str]) -> Table:
    """Find a table or view and check that it has the columns.

    Args:
        engine: of `open_engine`.
        name: as the database spells it, `schema.table` where it is not in the usual schema.
        columns: what each is for (`user`, `item`, `time`) -> its name, as the database spells it.

    Returns:
        The table; `table.c[name]` is a column.

    Raises:
        DataError: there is no such table, or it lacks a column.
        SQLAlchemyError: the database cannot be read; see `sentences`.
    """
    sqlalchemy = _sqlalchemy()
    schemas = [(None, name)] + ([(name.partition(".")[0], name.partition(".")[2])] if "." in name else [])
    for schema, plain in schemas:
        try:
            found = sqlalchemy.Table(plain, sqlalchemy.MetaData(), schema=schema, autoload_with=engine, resolve_fks=False)
        except sqlalchemy.exc.NoSuchTableError:
            continue
        for role, column in columns.items():
            if column not in found.c:
                raise DataError(f"table '{name}' has no column '{column}' for the {role}; it has {', '.join(found.c.keys())}")
        return found
    raise DataError(
        f"there is no table or view '{name}' in '{shown(engine.url.render_as_string())}'; spell it as the database does"
    )


def _prepare_sqlite(engine: Engine, read_only: bool) -> None:
    """Transactions as SQLite has them, and what must hold for every connection."""
    from sqlalchemy import event

    pragmas = ["query_only=ON"] if read_only else ["journal_mode=WAL", "synchronous=FULL"]

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # Python's own BEGIN comes too late for a reader that goes on to write
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(
            "BEGIN" if read_only or not connection.get_execution_options().get("writes") else "BEGIN IMMEDIATE"
        )


def _parsed(url: str) -> URL:
    sqlalchemy = _sqlalchemy()
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ConfigError(f"this is no URL of a database; give one such as {EXAMPLES}") from None  # it may hold a password
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))


def _sqlalchemy() -> Any:
    try:
        import sqlalchemy
        import sqlalchemy.exc
    except ModuleNotFoundError:
        raise MissingExtraError("databases need SQLAlchemy; run pip install 'recodiff[sql]'") from None
    return sqlalchemy


def _first_line(error: Exception) -> str:
    """What the driver said; SQLAlchemy's own message would repeat the statement."""
    said = str(getattr(error, "orig", None) or error).strip()
    return (said.splitlines() or [type(error).__name__])[0].rstrip(".")
