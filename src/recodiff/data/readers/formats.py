"""The registry of file formats, and how a path finds its reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recodiff.data.readers.arrow import Arrow
from recodiff.data.readers.delimited import DelimitedText
from recodiff.data.readers.diffrec import DiffRecRelease
from recodiff.data.readers.json_lines import JsonLines
from recodiff.data.readers.lightgcn import LightGCNLines
from recodiff.data.readers.movielens import MovieLens
from recodiff.data.readers.packed import unpacked
from recodiff.data.readers.parquet import Parquet
from recodiff.data.readers.parts import Piece
from recodiff.data.readers.reader import ITEM_FILES, Reader
from recodiff.data.readers.recbole import RecBole
from recodiff.data.readers.titles import fitted, titles_of_frame
from recodiff.errors import ConfigError, DataError
from recodiff.moved import old_names
from recodiff.runtime import files

# The first that recognises a path reads it.
READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (DiffRecRelease(), MovieLens(), LightGCNLines(), Parquet(), Arrow(), JsonLines(), RecBole(), DelimitedText())
}
FORMATS: tuple[str, ...] = ("auto", *reversed(READERS))


def locate(source: Path, format: str = "auto") -> tuple[Reader, Sequence[Piece]]:
    """The reader of a file or folder and the files that hold its interactions.

    Args:
        source: a file or folder.
        format: one of `FORMATS`.

    Raises:
        DataError: there is nothing there, or nothing that is known.
        ConfigError: the format's name is unknown.
    """
    if format not in FORMATS:
        raise ConfigError(f"format {format!r} is unknown; choose one of {', '.join(FORMATS)}")
    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of interactions")
    if (source / "dataset.json").exists():
        raise DataError(f"{source} is prepared already; use it as it is (load_dataset, --data), or prepare its source anew")
    if (source / "_temporary").is_dir() and not (source / "_SUCCESS").exists():
        raise DataError(
            f"{source} holds '_temporary' and no '_SUCCESS': the job that writes it has not ended; wait for it, or remove "
            "'_temporary' if its files are whole"
        )
    if not source.is_dir() and source.suffix == ".npy":
        raise DataError(f"{source} is not a table of interactions; give the folder it stands in")
    if format == "auto":
        return _recognised(source)
    if pieces := READERS[format].candidates(source):
        return READERS[format], pieces
    seems, _ = _recognised(source)
    raise DataError(f"{source} looks like {seems.name}, not {format}; give the file itself to have it read as {format}")


def _recognised(source: Path) -> tuple[Reader, Sequence[Piece]]:
    for reader in READERS.values():
        if pieces := reader.recognise(source):
            return reader, pieces
    held = ", ".join(path.name for path in sorted(source.iterdir())[:8]) or "nothing"
    raise DataError(f"{source} holds no interactions that are known at sight ({held}); {_advice(source)}")


def _advice(folder: Path) -> str:
    """What to do with a folder whose files are no log together."""
    names = {path.name for path in folder.iterdir()}
    if twice := next((name for name in sorted(names) if f"{name}.gz" in names), None):
        return f"{twice} and {twice}.gz seem to be the same; give one of them"
    if keys := [path for path in folder.iterdir() if path.is_dir() and re.fullmatch(r"[\w-]+=.+", path.name)]:
        column = keys[0].name.split("=")[0]
        return f"the column {column!r} stands in names of folders; in Python give pl.scan_parquet(folder) of polars, which reads it"
    return "give the file itself"


def read_items(source: Any, ids: pl.Series, *, drop_long: bool = False) -> pl.DataFrame:
    """A table of items: `item`, of the same type as the log's ids, then `title` where there is one, then the rest.

    Args:
        source: a path, or a frame.
        ids: the item ids of the log.
        drop_long: leave out lines with too many fields instead of refusing them.

    Raises:
        DataError: the file cannot be read, or no column is clearly the id.
    """
    if not isinstance(source, str | Path):
        return fitted(titles_of_frame(source, "the frame of titles"), ids)
    path = Path(source)
    with unpacked(path) as found:
        file = _item_file(found, path)
        reader = next((reader for reader in READERS.values() if reader.has_titles(file)), READERS["table"])
        with files.reading(file, DataError, "give a table of items: ids, and titles where there are any"):
            return fitted(reader.titles(file, drop_long=drop_long), ids)


def _item_file(found: Path, given: Path) -> Path:
    """The table of titles of an archive: its only file, or the one that is called so."""
    if found == given or found.is_file():
        return found
    named = next((found / name for name in ITEM_FILES if (found / name).exists()), None)
    if named is None:
        held = ", ".join(path.name for path in sorted(found.iterdir())[:8])
        raise DataError(f"{given.name} holds several files ({held}), none of them {ITEM_FILES[1]}; give the one with the titles")
    return named


__getattr__ = old_names(__name__)
