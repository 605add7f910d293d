"""Folders of ours: written by one command at a time, and replaced whole or not at all.

New files are staged inside the folder and moved over the old ones, so a folder may be a mount point, and whatever else stands in
it stays. The rename of the staged files to `COMMITTED` is the moment of replacement. Before it the folder is the old one, after
it the new one, and `finish` does what a kill left undone.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import polars as pl

from recodiff.errors import CheckpointError, DataError, RecodiffWarning
from recodiff.runtime import files
from recodiff.runtime.spill_folder import SPILLED, remove_spill, spill_of

LOCK = ".lock"
STAGED, COMMITTED = ".recodiff-new.partial", ".recodiff-new"
"""New files while they are written, and once all of them are there."""
PLAN = "plan.json"
"""Among the new files: which of them are moved, and which old ones go."""
HIDDEN = frozenset({LOCK, STAGED, COMMITTED})
"""What these functions keep in a folder; a folder with nothing else is empty."""
AGAIN = "copy the folder again, or write it anew"
"""What to do where the plan is damaged."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system answers that has no locks."""
PARTIAL = re.compile(r"^\..+\.(\d+)\.partial$")
"""A temporary file of `files.replace_with`; the number is its process."""


class FolderKind(NamedTuple):
    """A kind of folder that we write.

    Args:
        marker: the file by which one is known; it is moved last.
        files: gives the names, below a folder, of the files that are ours there; none where its marker is not there, or another's.
    """

    marker: str
    files: Callable[[Path], frozenset[str]]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for this process: nothing else of ours writes into it meanwhile. A kill frees it.

    Entering again from the same thread is allowed. What a killed command left half done in the folder is finished first.

    Args:
        folder: made if it is not there.

    Raises:
        CheckpointError: another command holds it.
        OSError: it cannot be made or written.
    """
    import filelock

    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.resolve() / LOCK, timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise CheckpointError(f"'{folder}' is in use by another command; wait for it, or choose another folder") from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        warnings.warn(f"the file system of '{folder}' has no locks; run one command at a time in it", RecodiffWarning, stacklevel=3)
    try:
        if lock.lock_counter <= 1:  # not entered again
            finish(folder)
            sweep(folder)
        yield
    finally:
        if lock.is_locked and lock.lock_counter == 1:  # left for the last time
            (folder / LOCK).unlink(missing_ok=True)  # whoever waits for this very file sees that it is gone, and makes another
            with suppress(OSError):
                for place in made:  # nothing came of it
                    place.rmdir()
        lock.release()


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a folder that is held.

    Args:
        folder: that this process holds.
    """
    shutil.rmtree(folder / STAGED, ignore_errors=True)
    if (spill_of(folder) / SPILLED).is_file():
        remove_spill(spill_of(folder))
    for path in folder.iterdir():
        match = PARTIAL.match(path.name)
        if match and not path.is_dir() and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def check_free(path: Path, *, overwrite: bool, kind: FolderKind) -> Path:
    """The absolute path of a folder that may be written.

    Args:
        path: the folder.
        overwrite: whether a folder of this kind may be replaced.
        kind: of the folder; others are never replaced, unless empty.

    Raises:
        DataError: something else is there, or one of ours and `overwrite` is not set.
    """
    path = Path(path).expanduser().resolve()
    if path.is_dir():
        finish(path)
    if not path.exists() or (path.is_dir() and {entry.name for entry in path.iterdir()} <= HIDDEN):
        return path
    if not os.path.lexists(path / kind.marker):
        raise DataError(f"{path} exists and is not a folder of ours (no {kind.marker} in it), so it is left alone; choose another")
    if kind.marker not in kind.files(path):
        raise DataError(f"{path} holds a {kind.marker} of another program, so it is left alone; choose another folder")
    if not overwrite:
        raise DataError(f"{path} already holds data; choose another folder, or say overwrite=True (--overwrite) to replace it")
    return path


def refuse_files_of_others(folder: Path, names: Iterable[str], ours: Collection[str]) -> None:
    """Refuse to write where something stands that is not ours.

    Args:
        folder: to write into.
        names: of files to write, below it.
        ours: those that may be replaced.

    Raises:
        CheckpointError: a file of such a name is there, or a link leads elsewhere; it is named.
    """
    for name in sorted(names):
        if os.path.lexists(folder / name) and (name not in ours or (folder / name).is_dir()):
            raise CheckpointError(
                f"'{folder / name}' is there already, not of this program, and left alone; choose another folder, or move it"
            )
        if link := link_above(folder, name):
            raise CheckpointError(f"'{link}' is a link, and what lies behind it is left alone; choose another folder, or remove it")


def link_above(folder: Path, name: str) -> Path | None:
    """The first link on the way from a folder down to a file, if there is one: what lies behind it is not the folder's.

    Args:
        folder: where the way begins; it may be a link itself.
        name: of the file, below the folder.
    """
    return next((folder / place for place in PurePosixPath(name).parents if place.name and (folder / place).is_symlink()), None)


@contextmanager
def atomic_folder(path: Path, *, overwrite: bool, kind: FolderKind) -> Iterator[Path]:
    """Files of a data folder that appear whole or not at all; see `replaced`.

    Args:
        path: where the folder shall stand; folders above it are made.
        overwrite: as for `check_free`.
        kind: as for `check_free`.

    Raises:
        DataError: the place is taken, or writing failed; what stood there before still does.
        CheckpointError: another command writes there, or a file that is not ours stands in the way.
    """
    path = check_free(path, overwrite=overwrite, kind=kind)
    try:
        with held(path), replaced(path, kind.marker, kind.files(path)) as staged:
            yield staged
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).strip().splitlines()[0]
        raise DataError(f"cannot write {path} ({reason}); nothing was changed there") from error


@contextmanager
def replaced(folder: Path, marker: str, ours: Collection[str]) -> Iterator[Path]:
    """Files to be written that take the place of a folder's own ones, all of them or none.

    Args:
        folder: held, see `held`; what stands there and is not `ours` stays.
        marker: the file by which the folder is known; it is moved last.
        ours: names, below the folder, of files that are replaced, or go where they are not written anew.

    Yields:
        The folder to write into; folders in it become folders of `folder`.

    Raises:
        OSError: something cannot be written; the folder is as it was.
        CheckpointError: a file that is not ours stands in the way; the folder is as it was.
    """
    staged = folder / STAGED
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    try:
        yield staged
        new = sorted(
            (path.relative_to(staged).as_posix() for path in staged.rglob("*") if not path.is_dir()),
            key=lambda name: (name == marker, name),
        )
        refuse_files_of_others(folder, new, ours)
        old = (name for name in sorted(ours) if name not in new and _is_of_the_folder(name) and not link_above(folder, name))
        gone = [name for name in old if os.path.lexists(folder / name) and not (folder / name).is_dir()]
        for name in new:
            files.sync(staged / name)
        for place in _places(new):
            files.sync(staged / place)
        files.write_json(staged / PLAN, {"move": new, "remove": gone})
        files.sync(staged)
        os.rename(staged, folder / COMMITTED)
        files.sync(folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    _move(folder)


def finish(folder: Path) -> None:
    """Finish the replacement of a folder's files that a killed command had begun, and warn that it was done.

    Args:
        folder: any folder; one that nothing was left in stays as it is.

    Raises:
        CheckpointError: the folder cannot be written, so the replacement cannot be finished.
    """
    if not (folder / COMMITTED).is_dir():
        return
    try:
        _move(folder)
    except OSError as error:
        raise CheckpointError(
            f"'{folder}' was being replaced when its command was ended, and this cannot be finished "
            f"({error.strerror or error}); make the folder writable, or copy it to where it is"
        ) from None
    warnings.warn(f"'{folder}' was being replaced when its command was ended; this is finished now", RecodiffWarning, stacklevel=3)


def _move(folder: Path) -> None:
    """Moves what is committed; done twice, or by two processes at once, it comes to the same."""
    new = folder / COMMITTED
    with suppress(FileNotFoundError):  # another process has finished it
        plan = _plan(new / PLAN)
        for name in plan["remove"]:
            (folder / name).unlink(missing_ok=True)
        for name in plan["move"]:
            if (new / name).exists():  # else moved before
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    os.replace(new / name, folder / name)
        for place in _places(plan["remove"]):
            with suppress(OSError):  # something else stands in it, or it is gone already
                (folder / place).rmdir()
        for place in _places(plan["move"]):
            files.sync(folder / place)
            with suppress(FileNotFoundError):
                (new / place).rmdir()
        files.sync(folder)
        (new / PLAN).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        new.rmdir()


def _plan(path: Path) -> dict[str, list[str]]:
    """What is to be moved and removed: files of the folder alone, whoever wrote the plan.

    Raises:
        CheckpointError: it is damaged, or names anything else.
        FileNotFoundError: it is not there.
    """
    try:
        with files.reading(path, CheckpointError, AGAIN):
            plan = json.loads(path.read_text("utf-8"))
            named = (*plan["move"], *plan["remove"])
            if strange := [name for name in named if not _is_of_the_folder(name) or link_above(path.parents[1], name)]:
                raise CheckpointError(f"'{path}' names {strange[0]!r}, which is no file of its folder; {AGAIN}")
            return plan
    except CheckpointError:
        if not path.exists():
            raise FileNotFoundError(path) from None
        raise


def _is_of_the_folder(name: object) -> bool:
    """Whether it is a path of forward slashes to a file below a folder."""
    return isinstance(name, str) and "\0" not in name and all(part not in ("", ".", "..", *HIDDEN) for part in name.split("/"))


def _places(names: Iterable[str]) -> list[str]:
    """The folders, below a folder, that files of it lie in; inner ones first."""
    found = {place.as_posix() for name in names for place in PurePosixPath(name).parents if place.name}
    return sorted(found, key=lambda place: -place.count("/"))
