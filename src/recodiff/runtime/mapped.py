"""Arrays in a file that is mapped and not read: opening takes no time, and the processes of a machine share the memory.

The layout is that of safetensors: eight bytes with the length of a JSON header (types, shapes, places), the header, the numbers.
Other programs read it, its sizes can be checked before anything is believed, and several arrays stand in one file. Arrow's files
would do as well, but map only where nothing is compressed and no array is cut into batches; `.npy` needs a file for each array.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {"I64": np.dtype("<i8"), "I32": np.dtype("<i4"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
COPIED_AT_ONCE = 1 << 22
"""Bytes that are copied at once."""
MOST_HEADER = 1 << 20
"""Bytes of a header that are believed."""


@dataclass
class Growing:
    """An array of one dimension that is written to a file piece by piece, and read so.

    Args:
        path: the file, which is made anew.
        dtype: of the numbers, one of `TYPES`.
        size: numbers so far.
    """

    path: Path
    dtype: np.dtype[Any]
    size: int = 0

    def __post_init__(self) -> None:
        self.path.write_bytes(b"")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as that of an array."""
        return (self.size,)

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return self.size * self.itemsize

    def add(self, array: NDArray[Any]) -> None:
        """Append numbers.

        Args:
            array: the numbers, [n].

        Raises:
            OSError: it cannot be written.
        """
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(array, dtype=self.dtype).data)
        self.size += len(array)

    def pieces(self) -> Iterator[bytes]:
        """The bytes of all numbers, in turn."""
        with self.path.open("rb") as file:
            while piece := file.read(COPIED_AT_ONCE):
                yield piece


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any] | Growing]) -> str:
    """Write arrays, none of which is copied in memory.

    Args:
        path: the file.
        arrays: by name, of any shape [...] and the types of `TYPES`.

    Returns:
        The SHA-256 of the header, in hexadecimal digits.

    Raises:
        OSError: the file cannot be written.
    """
    names = {dtype: name for name, dtype in TYPES.items()}
    placed = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # so that all stand aligned
    header, at = {}, 0
    for name, array in placed:
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start = len(text).to_bytes(8, "little") + text
    with path.open("wb") as file:
        file.write(start)
        for _, array in placed:
            file.writelines(array.pieces() if isinstance(array, Growing) else [np.ascontiguousarray(array).data])
    return hashlib.sha256(start).hexdigest()


def map_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a file, read-only, none of which is read yet, and the SHA-256 of its header.

    Args:
        path: a file that `write_arrays` or safetensors wrote.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the header is not one, or says other sizes than the file has.
    """
    with path.open("rb") as file:
        size, length = path.stat().st_size, file.read(8)
        begin = 8 + int.from_bytes(length, "little")
        if len(length) < 8 or begin > min(size, MOST_HEADER):
            raise ValueError("it does not begin with a header")
        text = file.read(begin - 8)
        header = json.loads(text)
        header.pop("__metadata__", None)
        ends = [_check(name, entry) for name, entry in header.items()]
        if max(ends, default=0) != size - begin:
            raise ValueError(f"it should hold {max(ends, default=0):,} bytes of numbers and holds {size - begin:,}")
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = {name: _array(view, begin, entry) for name, entry in header.items()}
    return found, hashlib.sha256(length + text).hexdigest()


def _check(name: str, entry: Mapping[str, Any]) -> int:
    """The byte at which an array ends."""
    (begin, end), shape = entry["data_offsets"], entry["shape"]
    sizes = [begin, end, *shape]
    whole = all(isinstance(number, int) and 0 <= number < 2**62 for number in sizes)
    if entry["dtype"] not in TYPES or not whole or math.prod(shape) * TYPES[entry["dtype"]].itemsize != end - begin:
        raise ValueError(f"the place of {name[:40]!r} is not of its type and shape")
    return end


def _array(view: mmap.mmap, begin: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    count, dtype = math.prod(entry["shape"]), TYPES[entry["dtype"]]
    if not count:
        return np.empty(entry["shape"], dtype)
    return np.frombuffer(view, dtype, count, begin + entry["data_offsets"][0]).reshape(entry["shape"])
