"""Files that others made: whatever a library raises is one sentence, and sizes are checked before anything is made."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.errors import CheckpointError, DataError
from recodiff.runtime.files import read_array, reading


class PanicException(BaseException):
    """What polars raises where Rust panics."""


@pytest.mark.parametrize(
    "raised", [ValueError("bad"), KeyError("x"), RecursionError(), PanicException("bug\nmore"), OSError(5, "I/O")]
)
def test_anything_a_library_raises_is_one_sentence(tmp_path: Path, raised: BaseException) -> None:
    path = tmp_path / "a[1].json"
    path.touch()
    with (
        pytest.raises(DataError, match=r"'.*a\[1\]\.json' cannot be read \(.+\); do so$") as found,
        reading(path, DataError, "do so"),
    ):
        raise raised
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("raised", [MemoryError(), KeyboardInterrupt(), CheckpointError("ours")])
def test_what_is_not_about_the_file_passes(tmp_path: Path, raised: BaseException) -> None:
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(type(raised)), reading(path, DataError, "do so"):
        raise raised


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataError, match="is no file; do so"), reading(path, DataError, "do so"):
            pytest.fail("it would wait")
    with pytest.raises(DataError, match="is missing; do so"), reading(tmp_path / "none", DataError, "do so"):
        pytest.fail("there is nothing")


@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.zeros((0, 2), np.float32), np.float64(3), np.asfortranarray(np.eye(3))]
)
def test_arrays_come_back(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), array)


def made_up(shape: str, dtype: str, content: bytes) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    ("shape", "dtype"), [("(99999999999, 2)", "<i8"), ("(2,)", "<i8"), ("(1,)", "|O"), ("(4611686018427387904, 4)", "<i8")]
)
def test_a_header_that_lies_about_its_size_is_refused_before_anything_is_made(tmp_path: Path, shape: str, dtype: str) -> None:
    (tmp_path / "a.npy").write_bytes(made_up(shape, dtype, b"12345678"))
    with pytest.raises(ValueError, match="it should hold"):
        read_array(tmp_path / "a.npy")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_an_error_that_readers_know(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.npy"
    path.write_bytes(content)
    with pytest.raises(DataError), reading(path, DataError, "do so"):
        read_array(path)
