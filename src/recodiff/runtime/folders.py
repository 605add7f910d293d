"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from recodiff.errors import DataError


def check_free(path: Path, *, overwrite: bool, marker: str) -> Path:
    """The absolute path of a folder that may be written.

    Args:
        path: the folder.
        overwrite: whether a folder that holds `marker` may be replaced.
        marker: the file by which one of ours is known; other folders are never replaced, unless empty.

    Raises:
        DataError: something else is there, or one of ours and `overwrite` is not set.
    """
    path = Path(path).expanduser().resolve()
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    if not (path / marker).is_file():
        raise DataError(f"{path} exists and is not a folder of ours (no {marker} in it), so it is left alone; choose another")
    if not overwrite:
        raise DataError(f"{path} already holds data; choose another folder, or say overwrite=True (--overwrite) to replace it")
    return path


@contextmanager
def atomic_folder(path: Path, *, overwrite: bool, marker: str) -> Iterator[Path]:
    """A new folder beside `path` to write into; it takes the place of `path` at the end, and vanishes if anything fails.

    Args:
        path: where the folder shall stand; folders above it are made.
        overwrite, marker: as for `check_free`.

    Raises:
        DataError: the place is taken, or writing failed; what stood there before still does.
    """
    path = check_free(path, overwrite=overwrite, marker=marker)
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        yield partial
        take_place(partial, path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).strip().splitlines()[0]
        raise DataError(f"cannot write {path} ({reason}); nothing was changed there") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def take_place(new: Path, path: Path) -> None:
    """Renames the folder `new` to `path`; a folder that stands there goes only once that is done."""
    if not path.exists():
        os.rename(new, path)
        return
    old = new.with_suffix(".old")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
