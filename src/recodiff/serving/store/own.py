"""Our own tables: events, and the keys of requests that appended some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from recodiff.data.interactions import Interactions
from recodiff.errors import DataError
from recodiff.runtime import progress
from recodiff.serving.store.base import Event, HistoryStore, KeyReusedError, NewEvent, answering

TABLES = sa.MetaData()
EVENTS = sa.Table(
    "recodiff_events",
    TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("recodiff_events_by_user", "user", "at", "id"),
)
KEYS = sa.Table(
    "recodiff_keys",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
KEPT_DAYS = 30
"""For which the key of a request is remembered."""
NEVER = 2**62
"""When the key of a data folder is swept."""
PIECE_OF_ROWS = 10_000
"""Events that are taken over at once."""


class OwnStore(HistoryStore):
    """Events in tables that are made where they are lacking.

    Args:
        engine: of the database.

    Raises:
        SQLAlchemyError: the tables cannot be made.
    """

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        TABLES.create_all(engine)
        old = int(1000 * (time.time() - 86_400 * KEPT_DAYS))
        with self._writes() as connection:
            connection.execute(sa.delete(KEYS).where(KEYS.c.at < old))

    def _writes(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.execution_options(writes=True).begin()

    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """See `HistoryStore`."""
        columns = EVENTS.c
        found = []
        with answering(), self.engine.connect() as connection:
            for user in users:
                rows = connection.execute(
                    sa.select(columns.item, columns.at)
                    .where(columns.user == user)
                    .order_by(columns.at.desc(), columns.id.desc())
                    .limit(most)
                )
                found.append([Event(item, at) for item, at in rows][::-1])
        return found

    def append(self, events: Sequence[NewEvent], key: str | None, digest: str) -> bool:
        """See `HistoryStore`."""
        rows = [{"user": event.user, "item": event.item, "at": event.at} for event in events]
        with answering():
            try:
                with self._writes() as connection:
                    if key is not None:
                        now = int(1000 * time.time())
                        connection.execute(sa.insert(KEYS).values(key=key, digest=digest, at=now))
                    connection.execute(sa.insert(EVENTS), rows)
                return True
            except IntegrityError:
                with self.engine.connect() as connection:
                    before = connection.execute(sa.select(KEYS.c.digest).where(KEYS.c.key == key)).scalar()
        if before == digest:
            return False
        raise KeyReusedError

    def forget(self, user: str) -> int:
        """See `HistoryStore`."""
        with answering(), self._writes() as connection:
            return connection.execute(sa.delete(EVENTS).where(EVENTS.c.user == user)).rowcount

    def take_over(self, history: Interactions, name: str) -> int:
        """Write the histories of a data folder, once: a second call with the same name and data writes nothing.

        Args:
            history: with times; those that know only an order count as seconds since 1970.
            name: of the data, with its fingerprint.

        Returns:
            Events written.

        Raises:
            DataError: it has the histories of other data, whose users may have the same names.
            SQLAlchemyError: the database refuses.
        """
        users, items = (ids.ids.cast(str).to_list() for ids in (history.users, history.items))
        rows, columns = history.rows().tolist(), history.matrix.indices.tolist()
        times = [0] * history.nnz if history.times is None else history.times.tolist()
        with self._writes() as connection, progress.bar("taking histories over", history.nnz) as advance:
            if connection.execute(sa.select(KEYS.c.key).where(KEYS.c.key == name)).scalar() is not None:
                return 0
            if connection.execute(sa.select(KEYS.c.key).where(KEYS.c.at == NEVER)).first() is not None:
                raise DataError(
                    "the store has the histories of another data folder, and users of one name would become one; give each its own "
                    "(--store sqlite:///FILE), or leave out --data"
                )
            connection.execute(sa.insert(KEYS).values(key=name, digest=name, at=NEVER))
            for at in range(0, history.nnz, PIECE_OF_ROWS):
                here = range(at, min(at + PIECE_OF_ROWS, history.nnz))
                connection.execute(
                    sa.insert(EVENTS), [{"user": users[rows[n]], "item": items[columns[n]], "at": 1000 * times[n]} for n in here]
                )
                advance(len(here), "")
        return history.nnz
