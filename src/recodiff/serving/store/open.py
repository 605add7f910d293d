"""Open a store by URL."""

from __future__ import annotations

from recodiff.data.dataset import Dataset
from recodiff.errors import ConfigError
from recodiff.runtime.sql import open_engine, sentences
from recodiff.serving.store.base import HistoryStore, three_columns
from recodiff.serving.store.own import OwnStore
from recodiff.serving.store.theirs import TheirStore

USUAL_STORE = "sqlite:///events.db"
"""A file in the current folder."""


def open_histories(url: str = USUAL_STORE, table: str | None = None, columns: str | None = None) -> HistoryStore:
    """Open the store of histories.

    Args:
        url: of the database.
        table: of yours, to be read alone; tables of our own unless given.
        columns: of that table, `user=NAME,item=NAME,time=NAME`.

    Raises:
        ConfigError: the URL cannot be used, or a table is named without its columns.
        DataError: the database refuses, or there is no such table or column.
        MissingExtraError: the driver is not installed.
    """
    if (table is None) != (columns is None):
        raise ConfigError("a table of yours needs both --table NAME and --columns user=NAME,item=NAME,time=NAME")
    named = None if columns is None else three_columns(columns)
    with sentences(url):
        if table is None or named is None:
            return OwnStore(open_engine(url))
        return TheirStore(open_engine(url, read_only=True), table, named)


def take_over(store: HistoryStore, url: str, data: Dataset) -> int:
    """Write the histories of a data folder into a store, once: a second call with the same data writes nothing.

    Args:
        store: with tables of our own.
        url: of its database, for messages.
        data: its parts make up the histories.

    Returns:
        Events written.

    Raises:
        ConfigError: the store is a table that is read alone.
        DataError: the database refuses, or has the histories of other data.
    """
    if not isinstance(store, OwnStore):
        raise ConfigError("--data is written into tables of our own, and --table is read alone; give one of the two")
    with sentences(url):
        return store.take_over(data.history("+".join(data.parts())), f"data {data.fingerprint()}")
