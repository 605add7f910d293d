"""Which files of a folder are one log: a single one, pieces that a program wrote, or parts as published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recodiff.data.readers.contents import start_of
from recodiff.data.readers.values import PART_WORDS
from recodiff.errors import DataError

ASIDE = ("items", "users", "readme", "license", "terms", "item_list", "user_list")
"""Stems of files that hold no interactions."""
_HEAD = 4096
_TEXTS = ("readme", "license", "terms")
_ORDER = ("train", "valid", "test")
_SPARK = re.compile(r"part-\d+(?:-[\w-]+)?(?:\.gz)?")
_NOISE = re.compile(r"[0-9a-f]{8,}|\d+|of|part|c\d+|snappy|gz")
"""Words in the names of pieces that say nothing about what is in them."""


class Piece(NamedTuple):
    """A file of interactions, and the part that it is, if it is one."""

    path: Path
    part: str | None = None


def pieces_in(folder: Path, endings: Sequence[str]) -> list[Piece]:
    """The files of a folder that are one log together, in the order train, valid, test; none where that is not clear.

    Args:
        folder: its files, or those of its folders `train`, `valid`, `test`.
        endings: of the files' names, `.gz` aside.
    """
    files = _files(folder, endings)
    if len(files) == 1:
        return [Piece(files[0])]
    if parts := _in_parts(files):
        return parts
    if files and len({_rest(file.name)[1] for file in files}) == 1 and _is_series(files):
        return [Piece(file) for file in files]
    inside = {part: sub for sub in sorted(folder.iterdir()) if sub.is_dir() and (part := _rest(sub.name)[0]) is not None}
    if files or "train" not in inside:
        return []
    return [Piece(file, part) for part in _ORDER if part in inside for file in _files(inside[part], endings)]


def left_out(folder: Path, pieces: Sequence[Piece], titles: object) -> list[str]:
    """Names of a folder's files that nothing was read from, but for those that hold no data.

    Args:
        folder: what was given.
        pieces: what was read.
        titles: the table of titles, if it is a file.
    """
    read = {piece.path for piece in pieces} | ({titles} if isinstance(titles, Path) else set())
    if folder in read:  # a reader of the whole folder
        return []
    named = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith((".", "_"))]
    return [file.name for file in named if file not in read and stem(file).lower() not in _TEXTS]


def unread_parts(folder: Path, pieces: Sequence[Piece], left: Sequence[str]) -> list[str]:
    """A warning for each file that is left out and has the first line of the parts that are read.

    Args:
        folder: what was given.
        pieces: what was read.
        left: names of the files that were not.
    """
    first = pieces[0]
    if first.part is None or first.path == folder:
        return []
    line = _first_line(first.path)
    alike = [name for name in left if ending(folder / name) == ending(first.path) and _first_line(folder / name) == line]
    return [
        f"{name} has the columns of {first.path.name} and is not read; if it is a part, call it after that (train, valid or test)"
        for name in alike
    ]


def _first_line(file: Path) -> bytes:
    try:
        return start_of(file, _HEAD).split(b"\n")[0].strip() if file.is_file() else b""
    except (DataError, OSError):
        return b""


def natural(path: Path) -> tuple[tuple[bool, int, str], ...]:
    """A key by which the piece 2 comes before the piece 10.

    Args:
        path: of a file.
    """
    words = re.split(r"(\d+)", path.name)
    return tuple((word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words if word)


def are_parts(values: Sequence[object]) -> bool:
    """Tell whether values are words for parts.

    Args:
        values: some of a column.
    """
    return bool(values) and all(str(value).strip().lower() in PART_WORDS for value in values)


def says_parts(source: str, name: str | int) -> str:
    """The warning that an unread column says which part a row belongs to.

    Args:
        source: how the table is called.
        name: of the column, or its position.
    """
    return (
        f"{source}: column {name!r} says which part each row belongs to, and is not used; keep these parts with part={name!r} "
        f"(--part-column {name})"
    )


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files with one of the endings, by name; hidden ones and those of other content left out."""
    named = [file for file in sorted(folder.iterdir(), key=natural) if file.is_file() and not file.name.startswith((".", "_"))]
    return [file for file in named if _has(file, endings) and stem(file).lower() not in ASIDE]


def _has(file: Path, endings: Sequence[str]) -> bool:
    """Whether a name has one of the endings; Spark writes text under names that have none."""
    return ending(file) in endings or (".csv" in endings and _SPARK.fullmatch(file.name) is not None)


def ending(file: Path) -> str:
    """The ending of a file's name, `.gz` aside.

    Args:
        file: its path.
    """
    return Path(file.name.removesuffix(".gz")).suffix.lower()


def stem(file: Path) -> str:
    """A file's name without its ending.

    Args:
        file: its path.
    """
    return Path(file.name.removesuffix(".gz")).stem


def _rest(name: str) -> tuple[str | None, str]:
    """The part that a name speaks of, and the name's other words."""
    words = [word for word in re.split(r"[^0-9a-z]+", name.lower()) if word]
    found = [word for word in words if word in PART_WORDS]
    others = "-".join(word for word in words if word not in PART_WORDS and not _NOISE.fullmatch(word))
    return (PART_WORDS[found[0]] if len(found) == 1 else None), others


def _in_parts(files: Sequence[Path]) -> list[Piece]:
    """Parts of one log; none unless there is a train part and another, alike in all other words of their names."""
    read = [(file, *_rest(file.name)) for file in files]
    named = {others for _, part, others in read if part == "train"}
    if len(named) != 1:
        return []
    parts = [Piece(file, part) for file, part, others in read if part is not None and others in named]
    words = {part: sorted({word for word, file in _words(parts) if file.part == part}) for part in _ORDER}
    if twice := next((part for part in _ORDER if len(words[part]) > 1), None):
        both = " and ".join(next(file.path.name for word, file in _words(parts) if word == each) for each in words[twice][:2])
        raise DataError(f"{both} are both called after the part {twice}; keep one of them, or call one after another part")
    found = {piece.part for piece in parts}
    return sorted(parts, key=lambda piece: (_ORDER.index(piece.part or ""), natural(piece.path))) if len(found) > 1 else []


def _words(parts: Sequence[Piece]) -> list[tuple[str, Piece]]:
    """The word for its part in each file's name."""
    return [(word, piece) for piece in parts for word in re.split(r"[^0-9a-z]+", piece.path.name.lower()) if word in PART_WORDS]


def _is_series(files: Sequence[Path]) -> bool:
    """Whether names differ in numbers alone, as those of part files do."""
    return all(re.search(r"\d", stem(file)) for file in files)
