"""What a store of histories is, and how one is opened."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from recodiff.errors import DataError
from recodiff.serving.errors import StoreDownError

LOGGER = logging.getLogger("recodiff.serving")


@dataclass(frozen=True)
class Event:
    """One thing that a user did.

    Args:
        item: an id, as text.
        at: milliseconds since 1970, UTC.
    """

    item: str
    at: int


@dataclass(frozen=True)
class NewEvent(Event):
    """An event that is appended.

    Args:
        user: an id, as text.
    """

    user: str


class KeyReusedError(Exception):
    """An idempotency key came before, with other events."""


class HistoryStore(ABC):
    """Histories by user.

    Args:
        engine: of the database.
    """

    read_only = False
    """Whether events are refused."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @abstractmethod
    def histories(self, users: Sequence[str], most: int) -> list[list[Event]]:
        """The newest events of users, oldest first; none of a user whom the store does not know.

        Args:
            users: ids, as text.
            most: events of a user at most.

        Raises:
            StoreDownError: the database does not answer.
        """

    def append(self, events: Sequence[NewEvent], key: str | None, digest: str) -> bool:
        """Write events, all of them or none; they outlive the process once this returns.

        Args:
            events: in the order in which they happened.
            key: by which a repeated request is known, or None.
            digest: of the request, to tell a repeat from another request under the same key.

        Returns:
            Whether they were written; False where the key came before with the same events.

        Raises:
            KeyReusedError: the key came before, with other events.
            StoreDownError: the database does not answer.
        """
        raise NotImplementedError("a table that is read alone takes no events")

    def forget(self, user: str) -> int:
        """Delete a user's events, and say how many there were.

        Args:
            user: an id, as text.

        Raises:
            StoreDownError: the database does not answer.
        """
        raise NotImplementedError("a table that is read alone loses no events")

    def check(self) -> None:
        """Ask the database for nothing.

        Raises:
            StoreDownError: it does not answer.
        """
        with answering(), self.engine.connect() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


@contextmanager
def answering() -> Iterator[None]:
    """A context in which a database that fails is StoreDownError; what it said is logged."""
    try:
        yield
    except SQLAlchemyError as error:
        LOGGER.error("the store refused: %s", str(getattr(error, "orig", error)).split("\n")[0])
        raise StoreDownError from None


def three_columns(text: str) -> dict[str, str]:
    """Column names from `user=NAME,item=NAME,time=NAME`.

    Args:
        text: as on the command line.

    Raises:
        DataError: one is lacking, or another is named.
    """
    parts = [part.partition("=") for part in text.split(",")]
    columns = {role.strip(): name.strip() for role, _, name in parts}
    if set(columns) != {"user", "item", "time"} or not all(columns.values()):
        raise DataError(f"--columns {text} does not name the three columns; write user=NAME,item=NAME,time=NAME")
    return columns
