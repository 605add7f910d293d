"""What a file format is to the rest: it recognises its files, reads interactions from them, and gives titles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import polars as pl

from recodiff.data.readers.columns import BadRows, Given, Raw, TimeUnit
from recodiff.data.readers.titles import named_columns, read_titles

ITEM_FILES = ("items.parquet", "items.csv", "items.tsv")
"""Tables of titles that any format may have beside it."""


@dataclass(frozen=True)
class Options:
    """How a caller wants a log read.

    Args:
        given: role -> column name or position, False if there is none, None to recognise it.
        separator, header, encoding: how delimited text is written; recognised where None.
        time_unit: what a number in the time column counts.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them.
    """

    given: Given = field(default_factory=dict)
    separator: str | None = None
    header: bool | None = None
    encoding: str | None = None
    time_unit: TimeUnit = "auto"
    on_bad_rows: BadRows = "refuse"


class Reader(ABC):
    """A file format. Its one instance stands in `recodiff.data.readers.formats.READERS`."""

    name: ClassVar[str]

    @abstractmethod
    def recognise(self, path: Path) -> Sequence[Path]:
        """The files of interactions that a file or folder holds in this format; none where it is another format.

        Args:
            path: a file or a folder, which exists.

        Raises:
            DataError: the path is of this format, and cannot be used.
        """

    @abstractmethod
    def read(self, files: Sequence[Path], options: Options) -> Raw:
        """The interactions of the files that `recognise` gave, or of a file that the caller says is of this format.

        Args:
            files: at least one.
            options: how the caller wants them read.

        Raises:
            DataError: a file is damaged or not of this format, or a column cannot be told.
        """

    def titles_beside(self, file: Path) -> Path | None:
        """The table of titles that goes with a file (or release folder) of interactions, if there is one."""
        folder = file if file.is_dir() else file.parent
        names = (*self.title_files(file), *ITEM_FILES)
        return next((folder / name for name in names if (folder / name).exists()), None)

    def title_files(self, file: Path) -> Sequence[str]:
        """Names of this format's own tables of titles for a file of interactions."""
        return ()

    def has_titles(self, path: Path) -> bool:
        """Whether a table of titles is in this format's own form."""
        return False

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """A table of titles: `item`, `title` where there is one, then the rest; all values still text.

        Args:
            path: the file.
            drop_long: leave out lines with too many fields instead of refusing them.

        Raises:
            DataError: the file cannot be read, or no column is clearly the id.
        """
        return read_titles(path, named_columns, drop_long=drop_long)
