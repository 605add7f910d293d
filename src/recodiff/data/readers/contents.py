"""What a file holds by its first bytes, whatever its name says: compressed text, and what is no text at all."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from recodiff.errors import DataError
from recodiff.runtime.files import refuse_irregular
from recodiff.runtime.memory import available_memory

WHOLE = "give a whole file of its format"
"""What to do where a file cannot be read."""
GZIP = b"\x1f\x8b"
OTHERS = {
    b"PK\x03\x04": "a zip archive or a workbook; name an archive .zip, and save a workbook as CSV",
    b"BZh": "compressed with bzip2; name it .bz2",
    b"\xfd7zXZ\x00": "compressed with xz; name it .xz",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard; unpack it, or compress it with gzip",
    b"PAR1": "a Parquet file; name it .parquet",
    b"ARROW1": "an Arrow file; name it .arrow",
    b"FEA1": "a Feather file of the first version; write it anew with pyarrow.feather.write_feather",
    b"SQLite format 3\x00": "a SQLite database; give its URL, sqlite:///{path}, and --table NAME",
    b"\x89HDF": "an HDF5 file; write its table as Parquet",
    b"\xd0\xcf\x11\xe0": "an old workbook; save it as CSV",
    b"Obj\x01": "an Avro file; write its table as Parquet",
    b"ORC": "an ORC file; write its table as Parquet",
    b"\xff\xfe": "UTF-16, it seems; give encoding='utf-16' (--encoding utf-16)",
    b"\xfe\xff": "UTF-16, it seems; give encoding='utf-16' (--encoding utf-16)",
}
"""First bytes -> what a file is, and what to do with it."""
_DUCKDB_AT = 8
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x7f]")
MOST_CONTROLS = 0.02
"""Share of control characters from which on bytes are no text; random ones have a tenth, a damaged text hardly any."""
SHARE_OF_MEMORY = 3
"""Text unpacked may take a third of what is free: its columns stand beside it."""
_STEP, _START = 1 << 20, 1 << 16


def is_gzip(path: Path) -> bool:
    """Tell whether a file is compressed with gzip, whatever its name says: browsers unpack what they fetch and keep the name.

    Args:
        path: of the file.

    Raises:
        DataError: it is no file but a pipe, a device or a folder, which would be waited for.
    """
    refuse_irregular(path, DataError, WHOLE)
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def start_of(path: Path, size: int) -> bytes:
    """The first bytes of a text, unpacked where it is compressed with gzip.

    Args:
        path: a file.
        size: how many, at most.

    Raises:
        DataError: the compressed content is damaged.
    """
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            return file.read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None


def unzipped(path: Path) -> Path | bytes:
    """The file itself, or its content where it is compressed with gzip.

    Args:
        path: of the file.

    Raises:
        DataError: the compressed content is damaged, or too large for the memory that is free.
    """
    if not is_gzip(path):
        return path.read_bytes().replace(b"\r", b"\n") if _has_old_ends(path) else path
    free = available_memory()
    most = None if free is None else free // SHARE_OF_MEMORY
    pieces, size = [], 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(_STEP):
                pieces.append(piece)
                size += len(piece)
                if most is not None and size > most:
                    raise DataError(
                        f"{path.name} holds more than {size:,} bytes once unpacked, too many for the {free:,} bytes of memory that "
                        "are free; convert it to Parquet"
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None
    content = b"".join(pieces)
    return content.replace(b"\r", b"\n") if _has_old_ends(path) else content


def _has_old_ends(path: Path) -> bool:
    """Whether lines end with a carriage return alone, as on old Macs and in some exports of Excel."""
    start = start_of(path, _START)
    return b"\r" in start and b"\n" not in start and b"\x00" not in start


def as_unzipped(path: Path, to: Path) -> Path:
    """The file itself, or another into which its content is written piece by piece where `unzipped` changes it.

    Args:
        path: of the file.
        to: the file to write.

    Raises:
        DataError: the compressed content is damaged.
    """
    old = _has_old_ends(path)
    if not (old or is_gzip(path)):
        return path
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file, to.open("wb") as copy:
            while piece := file.read(_STEP):
                copy.write(piece.replace(b"\r", b"\n") if old else piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None
    return to


def refuse_other_than_text(path: Path, start: bytes) -> None:
    """Refuse what is no text, by its first bytes.

    Args:
        path: of the file.
        start: its first bytes.

    Raises:
        DataError: it is something else; the sentence says what, where that is known.
    """
    what = next((what for magic, what in OTHERS.items() if start.startswith(magic)), "")
    if start[_DUCKDB_AT:].startswith(b"DUCK"):
        what = "a DuckDB database; give its URL, duckdb:///{path}, and --table NAME"
    if what or len(NO_TEXT.findall(start)) > MOST_CONTROLS * len(start):
        said = what.replace("{path}", str(path)) or f"bytes of another kind; {WHOLE}"
        raise DataError(f"{path.name} is no text, but {said}")


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path.name} is damaged ({error}); fetch it again")
