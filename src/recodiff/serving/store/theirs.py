"""A table of events of your own: read by naming it and its columns, never written."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa

from recodiff.data.readers.times import PER_SECOND, parse_time, unit_of
from recodiff.errors import DataError
from recodiff.runtime.sql import table
from recodiff.serving.store.base import Event, HistoryStore, answering

LOGGER = logging.getLogger("recodiff.serving")
MOST_WHOLE = 2**63 - 1
TIME_TYPES = (sa.DateTime, sa.Date, sa.Numeric, sa.Integer, sa.String, sa.types.NullType)
"""What a column of times may be; SQLAlchemy gives the last where it does not know the type, such as for views of SQLite."""
LOOKED_AT = 1000
"""Times that are read when the store is opened."""
TIMES = "times are dates, numbers since 1970 or ISO text such as 2026-01-02T03:04:05; convert them in a view, and name that"


class TheirStore(HistoryStore):
    """Events in a table of yours.

    An event whose time cannot be read is left out; `unread` counts them, and the log says so.

    Args:
        engine: of the database, read only.
        name: of the table or view, as `runtime.sql.table` takes it.
        columns: `user`, `item` and `time` -> the column's name.

    Raises:
        DataError: there is no such table or column, or the first rows hold what is no time.
        SQLAlchemyError: the database cannot be read.
    """

    read_only = True

    def __init__(self, engine: sa.Engine, name: str, columns: dict[str, str]) -> None:
        super().__init__(engine)
        found = table(engine, name, columns)
        self.user, self.item = found.c[columns["user"]], found.c[columns["item"]]
        self.place = f"column '{columns['time']}' of table '{name}'"
        self.time = found.c[columns["time"]]
        # As the driver gives it: SQLAlchemy fails at a number in a column that SQLite declares as a date.
        self.raw_time = sa.type_coerce(self.time, sa.types.NULLTYPE)
        self.unread = 0
        if not isinstance(self.time.type, TIME_TYPES):
            raise DataError(f"{self.place} is of type {self.time.type}; {TIMES}")
        with engine.connect() as connection:
            looked = sa.select(self.raw_time).where(self.time.is_not(None)).limit(LOOKED_AT)
            _refuse_unread(self.place, connection.execute(looked).scalars().all())

    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """See `HistoryStore`."""
        found = []
        with answering(), self.engine.connect() as connection:
            for user in users:
                key = self._key(user)
                if key is None:
                    found.append([])
                    continue
                rows = connection.execute(
                    sa.select(self.item, self.raw_time)
                    .where(self.user == key, self.item.is_not(None), self.time.is_not(None))
                    .order_by(self.time.desc(), self.item.desc())
                    .limit(most)
                )
                found.append(self._events(rows)[::-1])
        return found

    def _events(self, rows: Iterable[Sequence[Any]]) -> list[Event]:
        events: list[Event] = []
        for item, value in rows:
            at = milliseconds(value)
            if at is not None:
                events.append(Event(str(item), at))
                continue
            self.unread += 1
            if self.unread == 10 ** (len(str(self.unread)) - 1):  # the 1st, the 10th, the 100th
                LOGGER.warning("events left out, %s so far: %s holds %r; %s", self.unread, self.place, value, TIMES)
        return events

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


def milliseconds(value: Any) -> int | None:
    """A column's time as milliseconds since 1970; times without a zone are taken for UTC.

    Args:
        value: a time stamp, a date, ISO text, or a number of seconds, milli-, micro- or nanoseconds.

    Returns:
        None of anything else.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("/", "-"))
        except ValueError:
            return None
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return int(1000 * (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    return int(value * 1000 / PER_SECOND[unit_of(float(value))])


def _refuse_unread(place: str, values: Sequence[Any]) -> None:
    """Refuse times that cannot be read, and numbers that spell dates."""
    for value in values:
        if milliseconds(value) is None:
            raise DataError(f"{place} holds {value!r}; {TIMES}")
    numbers = [float(value) for value in values if not isinstance(value, str | date)]
    try:
        parse_time(pl.Series(numbers, dtype=pl.Float64))
    except TypeError as error:
        raise DataError(f"{place} {str(error).split(';')[0]}; {TIMES}") from None
