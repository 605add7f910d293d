"""Files that are either whole or not there: everything is written to a temporary name and renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from recodiff.errors import CheckpointError, RecodiffError
from recodiff.moved import old_names

LONGEST_NAME = 200
"""Bytes; file systems take 255, and endings come after it."""


def replace_with(path: Path, write: Callable[[Path], object], failures: tuple[type[Exception], ...] = ()) -> None:
    """Have `write` fill a temporary file beside `path`, and rename it into place; a failure leaves `path` as it was.

    Args:
        path: to appear or to be replaced.
        write: called with the temporary file.
        failures: errors of the writing library that stand for an OSError, for example on a full disk.

    Raises:
        OSError: the file cannot be written; it names `path`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        sync(partial)
        os.replace(partial, path)
        sync(path.parent)
    except (OSError, *failures) as error:
        number, what = (getattr(error, name, None) for name in ("errno", "strerror"))
        raise OSError(number or errno.EIO, what or str(error), str(path)) from error
    finally:
        with suppress(OSError):  # on a read-only disk there is nothing to remove, and no way to
            partial.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, error: type[RecodiffError], remedy: str) -> Iterator[None]:
    """Turn whatever a library raises while it reads a file into one sentence that names the file.

    Args:
        path: the file; one that is no regular file (a pipe, a device, a folder) is refused, not waited for.
        error: what is raised.
        remedy: how the sentence ends.

    Raises:
        RecodiffError: of the kind `error`; one of ours that is raised within passes as it is, and so does a lack of memory.
    """
    try:
        refuse_irregular(path, error, remedy)
        yield
    except (RecodiffError, MemoryError):
        raise
    except FileNotFoundError:
        raise error(f"'{path}' is missing; {remedy}") from None
    except BaseException as raised:
        if not isinstance(raised, Exception) and type(raised).__name__ != "PanicException":  # what polars makes of a bug of its own
            raise
        lines = str(raised).strip().splitlines() or [type(raised).__name__]
        raise error(f"'{path}' cannot be read ({lines[0]}); {remedy}") from None


def refuse_irregular(path: Path, error: type[RecodiffError], remedy: str) -> None:
    """Refuse what is no regular file before it is opened: a pipe or a device would be waited for.

    Args:
        path: the file.
        error: what is raised.
        remedy: how the sentence ends.

    Raises:
        RecodiffError: of the kind `error`: the path is something else than a file.
        OSError: there is nothing there, or it cannot be looked at.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise error(f"'{path}' is no file; {remedy}")


def described(path: Path, format: str | None = None) -> dict[str, Any] | None:
    """The content of a JSON file that describes its folder; None where it is not there, cannot be read, or is of another format.

    Args:
        path: of the file.
        format: that it names; any unless given.
    """
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and format in (None, found.get("format")) else None


def is_plain_name(name: object) -> bool:
    """Tell whether a text names a file or folder beneath another, and leads nowhere else.

    Args:
        name: as it was given.
    """
    if not isinstance(name, str) or "/" in name or "\0" in name or name.startswith("."):
        return False
    return 0 < len(name.encode(errors="replace")) <= LONGEST_NAME


def read_array(path: Path) -> Any:
    """A `.npy` file of numbers, whose size is checked against its header before anything is made.

    Args:
        path: of the file.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is no such file, or shorter or longer than it says.
        EOFError: it is empty.
    """
    import numpy as np

    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"format version {version} is not read")
        shape, _, dtype = read_header(file)
        said, there = math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell()
        if dtype.hasobject or said != there:
            raise ValueError(f"it should hold {said:,} bytes of numbers and holds {there:,}")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to its disk.

    Args:
        path: a file or a folder. A file system that cannot do it for folders is taken as it is.

    Raises:
        OSError: the disk failed, or is full.
    """
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(opened)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; see `replace_with` for `path` and what is raised.

    Args:
        text: the content, written as UTF-8.
    """
    replace_with(path, lambda partial: partial.write_text(text, "utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; see `replace_with` for `path` and what is raised.

    Args:
        value: anything that JSON holds.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path: Path, tensors: Mapping[str, Any], note: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors.

    Args:
        path: to appear or to be replaced.
        tensors: by name, on any device.
        note: text kept beside them, by name.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def write(partial: Path) -> None:
        partial.touch()
        usual = partial.stat().st_mode
        save_file(whole, partial, dict(note or {}))
        partial.chmod(usual)  # safetensors lets only the owner read what it writes

    replace_with(path, write, (SafetensorError,))


class TensorPiece(NamedTuple):
    """A slice of a tensor that is written.

    Args:
        name: of the tensor.
        here: the slice.
        dim: the dimension along which it is a slice; it is whole along the others.
        start: where it begins along that dimension.
    """

    name: str
    here: Any
    dim: int = 0
    start: int = 0


def write_pieces(
    path: Path, tensors: Mapping[str, Any], pieces: Iterable[TensorPiece], note: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors from pieces, one of which is in memory at once.

    Args:
        path: to appear or to be replaced.
        tensors: by name; their shapes and types alone are read.
        pieces: of all tensors, in any order.
        note: text kept beside them, by name.

    Raises:
        OSError: the file cannot be written.
    """
    import torch

    names = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64"}  # those that models and AdamW have
    header: dict[str, Any] = {"__metadata__": dict(note)} if note else {}
    begins, at = {}, 0
    for name, tensor in sorted(tensors.items(), key=lambda item: -item[1].element_size()):  # so that all stand aligned
        begins[name], at = at, at + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begins[name], at]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for piece in pieces:
                _place(file, 8 + len(text) + begins[piece.name], tensors[piece.name].shape, piece)

    replace_with(path, write)


def _place(file: BinaryIO, begin: int, shape: Any, piece: TensorPiece) -> None:
    """Writes a piece where it belongs in a tensor of `shape` that begins at byte `begin`."""
    here, inner = piece.here.detach().cpu().contiguous(), math.prod(shape[piece.dim + 1 :]) * piece.here.element_size()
    runs = here.reshape(math.prod(shape[: piece.dim]), -1)
    for number, run in enumerate(runs.numpy()):
        file.seek(begin + (number * (shape[piece.dim] if shape else 1) + piece.start) * inner)
        file.write(memoryview(run).cast("B"))


def read_tensors(path: Path, *, mapped: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and text of a safetensors file.

    Args:
        path: of the file.
        mapped: whether the tensors are the file itself: read when they are looked at and shared among processes. They change,
            or the process dies, where another program writes into the file in place.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    from safetensors import safe_open

    with (
        reading(path, CheckpointError, "copy the whole folder again, or train anew"),
        safe_open(path, framework="pt") as opened,
    ):
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return tensors if mapped else {name: tensor.clone() for name, tensor in tensors.items()}, opened.metadata() or {}


def read_note(path: Path) -> dict[str, str]:
    """The text of a safetensors file.

    Args:
        path: of the file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    from safetensors import safe_open

    with reading(path, CheckpointError, "copy the whole folder again, or train anew"), safe_open(path, framework="pt") as opened:
        return opened.metadata() or {}


def is_unchanged(path: Path, expected: object) -> bool:
    """Tell whether a file is there and has that SHA-256.

    Args:
        path: of the file.
        expected: in hexadecimal digits.
    """
    try:
        return path.is_file() and sha256(path) == expected
    except OSError:
        return False


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits.

    Args:
        path: of the file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__getattr__ = old_names(__name__)
