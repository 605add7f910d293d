"""Parts of a large data folder: files that are mapped, so that opening takes no time and no memory of the process's own.

A part is `starts` (where each user's history begins, and the end of the last), `items` (positions), `weights`, and `times` where
there are any; a user's entries stand oldest first, as in `Interactions`.

Shapes: `n_users` users, `nnz` interactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recodiff.data.fingerprint import hashed
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Events, Interactions, TimeKind
from recodiff.data.order import little_endian
from recodiff.errors import DataError
from recodiff.runtime import files
from recodiff.runtime.mapped import TYPES, Growing, map_arrays, write_arrays
from recodiff.runtime.spill import Spill

AGAIN = "prepare the data again"
READ_UP_TO = 64 << 20
"""Bytes up to which a file is read whole when it is opened, and compared with what was written."""

Described = Mapping[str, Any]
"""What `dataset.json` says of a part's file: `bytes`, `header` (its SHA-256) and the part's `fingerprint`."""


def write_part(part: Interactions, path: Path) -> dict[str, Any]:
    """Write a part, and return what `dataset.json` shall say of the file.

    Args:
        part: the interactions.
        path: the file.

    Raises:
        OSError: it cannot be written.
    """
    matrix = part.matrix
    arrays: dict[str, NDArray[Any]] = {
        "starts": matrix.indptr.astype(np.int64, copy=False),
        "items": matrix.indices.astype(np.int64, copy=False),
        "weights": matrix.data,
    }
    if part.times is not None:
        arrays["times"] = part.times
    header = write_arrays(path, arrays)
    return {"bytes": path.stat().st_size, "header": header, "fingerprint": part.fingerprint()}


class PartWriter:
    """Writes a part of which only some users are in memory at once, as `write_part` writes the whole.

    Args:
        spill: where its arrays grow.
        users: how many there are.
        timed: whether there are times.
    """

    def __init__(self, spill: Spill, users: int, *, timed: bool) -> None:
        types = {"items": "I64", "weights": "F32"} | ({"times": "I64"} if timed else {})
        self._arrays = {name: Growing(spill.file(".bin"), TYPES[kind]) for name, kind in types.items()}
        self._lengths = np.zeros(users, dtype=np.int64)
        self._shares_times = False
        self.span: tuple[int, int] | None = None
        """The first and the last time."""

    @property
    def nnz(self) -> int:
        """Interactions so far."""
        return self._arrays["items"].size

    def add(self, part: Interactions, first: int) -> None:
        """Append what some users have.

        Args:
            part: of these users alone, after those that were added before.
            first: the position of its first user.

        Raises:
            OSError: it cannot be written.
        """
        self._lengths[first : first + part.n_users] = part.lengths()
        self._shares_times |= part.shares_times()
        arrays = {"items": part.matrix.indices, "weights": part.matrix.data}
        if part.times is not None:
            arrays["times"] = part.times
            span = int(part.times.min()), int(part.times.max())
            self.span = span if self.span is None else (min(span[0], self.span[0]), max(span[1], self.span[1]))
        for name, array in arrays.items():
            self._arrays[name].add(array)

    def finish(self, path: Path, users: IdMap, items: IdMap, events: Events) -> dict[str, Any]:
        """Write the part, and return what `dataset.json` shall say of the file.

        Args:
            path: the file.
            users: external user ids.
            items: external item ids.
            events: what interactions of a user at one time are.

        Raises:
            OSError: it cannot be written.
        """
        starts = np.concatenate([[0], np.cumsum(self._lengths)])
        header = write_arrays(path, {"starts": starts, **self._arrays})
        columns = [self._arrays["items"], self._arrays["weights"], self._arrays.get("times")]
        stored = ([little_endian(starts)], *(None if column is None else column.pieces() for column in columns))
        found = hashed(stored, users, items, events if self._shares_times else None)
        for column in self._arrays.values():
            column.path.unlink()
        return {"bytes": path.stat().st_size, "header": header, "fingerprint": found}


def open_part(
    path: Path, described: Any, users: IdMap, items: IdMap, time_kind: TimeKind | None, events: Events, *, check: bool
) -> Interactions:
    """Open a part.

    Args:
        path: the file.
        described: what `dataset.json` says of it, see `Described`.
        users: external user ids.
        items: external item ids.
        time_kind: what times are; None where there are none.
        events: what interactions of a user at one time are.
        check: whether all of the content is compared with what was written; of a `READ_UP_TO` file it always is.

    Raises:
        DataError: the file is missing, of another size, damaged, or not the one that was written beside `dataset.json`.
    """
    with files.reading(path, DataError, AGAIN):
        arrays, header = map_arrays(path)
        size = path.stat().st_size
    if not isinstance(described, Mapping) or (size, header) != (described.get("bytes"), described.get("header")):
        raise _other(path)
    starts, entries, weights, times = _arrays(path, arrays, len(users), time_kind)
    if check or size <= READ_UP_TO:
        if len(entries) and not 0 <= int(entries.min()) <= int(entries.max()) < len(items):
            raise DataError(f"{path} holds item positions beyond the {len(items)} of items.parquet; {AGAIN}")
        matrix = csr_array((weights, entries, starts), shape=(len(users), len(items)))
        try:
            part = Interactions(matrix, times, time_kind, users, items, events)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        if part.fingerprint() != described.get("fingerprint"):
            raise _other(path)
        return part
    matrix = csr_array((weights, entries, starts), shape=(len(users), len(items)))
    part = object.__new__(Interactions)  # whose checks would read all of it; they were made when it was written
    part.__dict__.update(matrix=matrix, times=times, time_kind=time_kind, users=users, items=items, events=events)
    part.__dict__["_fingerprint"] = str(described.get("fingerprint"))
    return part


def _other(path: Path) -> DataError:
    return DataError(f"{path} is not what was written beside its dataset.json; {AGAIN}")


def _arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], n_users: int, time_kind: TimeKind | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """The arrays of a part, of the right types and lengths; what says where histories begin is read."""
    types = {"starts": "<i8", "items": "<i8", "weights": "<f4"} | ({} if time_kind is None else {"times": "<i8"})
    if {name: array.dtype.str for name, array in arrays.items()} != types:
        raise DataError(f"{path} does not hold {', '.join(types)}; {AGAIN}")
    starts, nnz = arrays["starts"], arrays["items"].size
    lengths = {name: arrays[name].shape for name in types}
    if lengths != {name: (n_users + 1,) if name == "starts" else (nnz,) for name in types}:
        raise DataError(f"{path} holds arrays whose lengths do not belong together; {AGAIN}")
    if starts[0] != 0 or starts[-1] != nnz or (starts[1:] < starts[:-1]).any():
        raise DataError(f"{path} does not say where each of the {n_users} histories begins; {AGAIN}")
    return starts, arrays["items"], arrays["weights"], arrays.get("times")
