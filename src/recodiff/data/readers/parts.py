"""Which files of a folder are one log: a single one, pieces that a program wrote, or parts as published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recodiff.data.readers.values import PART_WORDS

ASIDE = ("items", "users", "readme", "license", "terms", "item_list", "user_list")
"""Stems of files that hold no interactions."""
_TEXTS = ("readme", "license", "terms")
_ORDER = ("train", "valid", "test")
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


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files with one of the endings, by name; hidden ones and those of other content left out."""
    named = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith((".", "_"))]
    return [file for file in named if ending(file) in endings and stem(file).lower() not in ASIDE]


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
    found = {piece.part for piece in parts}
    return sorted(parts, key=lambda piece: (_ORDER.index(piece.part or ""), piece.path)) if len(found) > 1 else []


def _is_series(files: Sequence[Path]) -> bool:
    """Whether names differ in numbers alone, as those of part files do."""
    return all(re.search(r"\d", stem(file)) for file in files)
