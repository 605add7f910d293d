"""The fingerprint of interactions, from arrays that are held or read piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import polars as pl

from recodiff.data.ids import IdMap


def hashed(arrays: Iterable[Iterable[Any] | None], users: IdMap, items: IdMap, events: str | None) -> str:
    """The fingerprint of interactions, see `Interactions.fingerprint`.

    Args:
        arrays: the bytes, in pieces, of where histories begin, items, weights and times; None for no times.
        users: external user ids.
        items: external item ids.
        events: what interactions of one time are, where there are any; of distinct times it makes no difference.
    """
    digest = hashlib.sha256()
    for pieces in arrays:
        for piece in [b"none"] if pieces is None else pieces:
            digest.update(piece)
    for ids in (users.ids, items.ids):
        digest.update((ids.cast(pl.String).str.join("\0").item() or "").encode())
    if events is not None:
        digest.update(events.encode())
    return digest.hexdigest()[:16]
