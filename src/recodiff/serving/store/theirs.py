"""A table of events of your own: read by naming it and its columns, never written."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from recodiff.runtime.sql import table
from recodiff.serving.store.base import Event, Store, answering

MOST_WHOLE = 2**63 - 1
UNITS_OF_TIME = ((1e11, 1000), (1e14, 1), (1e17, 1e-3), (float("inf"), 1e-6))
"""Numbers below the first are seconds since 1970, then milli-, micro- and nanoseconds; beside it what makes them milliseconds."""


class TheirStore(Store):
    """Events in a table of yours.

    Args:
        engine: of the database, read only.
        name: of the table or view, as `runtime.sql.table` takes it.
        columns: `user`, `item` and `time` -> the column's name.

    Raises:
        DataError: there is no such table or column.
        SQLAlchemyError: the database cannot be read.
    """

    read_only = True

    def __init__(self, engine: sa.Engine, name: str, columns: dict[str, str]) -> None:
        super().__init__(engine)
        found = table(engine, name, columns)
        self.user, self.item, self.time = (found.c[columns[role]] for role in ("user", "item", "time"))

    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """See `Store`."""
        found = []
        with answering(), self.engine.connect() as connection:
            for user in users:
                key = self._key(user)
                if key is None:
                    found.append([])
                    continue
                rows = connection.execute(
                    sa.select(self.item, self.time)
                    .where(self.user == key, self.item.is_not(None), self.time.is_not(None))
                    .order_by(self.time.desc(), self.item.desc())
                    .limit(most)
                )
                found.append([Event(str(item), milliseconds(at)) for item, at in rows][::-1])
        return found

    def _key(self, user: str) -> Any:
        """A user's id as the column holds it; None where it cannot hold it."""
        kind = self.user.type
        if isinstance(kind, sa.Uuid):
            try:
                return uuid.UUID(user)
            except ValueError:
                return None
        if isinstance(kind, sa.Integer):
            whole = user.isascii() and user.removeprefix("-").isdigit() and len(user) <= 20
            return int(user) if whole and str(int(user)) == user and abs(int(user)) <= MOST_WHOLE else None
        return user


def milliseconds(value: Any) -> int:
    """A column's time as milliseconds since 1970; times without a zone are taken for UTC.

    Args:
        value: a time stamp, a date, or a number of seconds, milli-, micro- or nanoseconds.
    """
    if isinstance(value, datetime):
        return int(1000 * (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        return milliseconds(datetime(value.year, value.month, value.day))
    if isinstance(value, str):
        try:
            return milliseconds(datetime.fromisoformat(value))
        except ValueError:
            return 0
    number = float(value)
    return int(number * next(factor for below, factor in UNITS_OF_TIME if abs(number) < below))
