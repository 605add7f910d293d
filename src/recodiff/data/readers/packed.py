"""Archives as published: read from a temporary folder, without unpacking by hand."""

from __future__ import annotations

import bz2
import lzma
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recodiff.errors import DataError, RecodiffError
from recodiff.runtime import files

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_STREAMS = {".bz2": bz2.open, ".xz": lzma.open}
_STEP = 1 << 20
_DEEPEST = 3
"""Archives within archives that are unpacked; one may be made to hold itself."""
_ASIDE = ("__MACOSX", ".DS_Store")


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder or file that an archive holds; the path itself where it is none.

    Args:
        path: `.zip`, `.tar` (compressed or not), `.bz2`, `.xz`, or anything else.

    Raises:
        DataError: the archive is damaged, empty, or larger than the free space of the temporary folder.
    """
    if not path.is_file() or not _is_packed(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="recodiff-") as temporary:
        folder = Path(temporary)
        with files.reading(path, DataError, "fetch it again"):
            content = _opened(path, folder, path.name)
        try:
            yield content
        except RecodiffError as error:
            raise type(error)(str(error).replace(str(folder), str(path))) from None


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith((*_TARS, *_STREAMS, ".zip"))


def _opened(path: Path, folder: Path, name: str, depth: int = 0) -> Path:
    """What an archive holds; what is packed in it is unpacked too."""
    if depth > _DEEPEST:
        raise ValueError(f"archives lie in it more than {_DEEPEST} deep")
    folder.mkdir(exist_ok=True)
    _unpack(path, folder)
    for inner in sorted(folder.rglob("*")):
        if inner.is_file() and inner.name.lower().endswith(tuple(_STREAMS)) and not inner.name.lower().endswith(_TARS):
            _decompress(inner, inner.parent)
            inner.unlink()
    content = _content(folder, name)
    return (
        _opened(content, folder / f"in {content.name}", name, depth + 1) if content.is_file() and _is_packed(content) else content
    )


def _unpack(path: Path, folder: Path) -> None:
    free, name = shutil.disk_usage(folder).free, path.name.lower()
    if name.endswith(".zip") and not tarfile.is_tarfile(path):
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not set(Path(member.filename).parts) & set(_ASIDE)]
            _check_room(sum(member.file_size for member in members), free)
            archive.extractall(folder, members)
    elif name.endswith((*_TARS, ".zip")):
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile() or member.isdir()]
            _check_room(sum(member.size for member in members), free)
            archive.extractall(folder, members, filter="data")
    else:
        _decompress(path, folder)


def _decompress(path: Path, folder: Path) -> None:
    free, size = shutil.disk_usage(folder).free, 0
    with _STREAMS[path.suffix.lower()](path) as content, (folder / path.stem).open("wb") as target:
        while piece := content.read(_STEP):
            size += len(piece)
            _check_room(size, free)
            target.write(piece)


def _check_room(size: int, free: int) -> None:
    if size > free:
        raise ValueError(f"it holds {size:,} bytes or more, and the temporary folder has room for {free:,}")


def _content(folder: Path, name: str) -> Path:
    """The innermost folder that holds more than one folder, or the only file."""
    held = [path for path in sorted(folder.iterdir()) if path.name not in _ASIDE and not path.name.startswith("._")]
    if not held:
        raise DataError(f"{name} is empty; fetch it again")
    if len(held) > 1:
        return folder
    return _content(held[0], name) if held[0].is_dir() else held[0]
