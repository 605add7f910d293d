"""What a file format is to the rest: it recognises its files, reads interactions from them, and gives titles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from recodiff.data.readers.columns import BadRows, Given, Raw
from recodiff.data.readers.parts import Piece
from recodiff.data.readers.times import TimeUnit
from recodiff.data.readers.titles import named_columns, read_titles
from recodiff.runtime.spill import Spill

PartOrder = Literal["auto", "valid-test", "test-valid"]
ITEM_FILES = ("items.parquet", "items.csv", "items.tsv")
"""Tables of titles that any format may have beside it."""


@dataclass(frozen=True)
class Options:
    """The wishes of a caller on how a log is read.

    Args:
        given: role -> column name or position, False if there is none, None to recognise it.
        separator, header, encoding, quotes: how delimited text is written; recognised where None.
        time_unit: what a number in the time column counts.
        on_bad_rows: refuse the log at its first malformed row, or drop such rows and count them.
        item_lists: whether texts such as `[8, 9]` are lists of items; asked for where they look like it, unless given.
        part_order: which of the parts test and valid is the later one in a release folder; recognised where `auto`.
        copies: where columns are copied to, to be read as a table that streams; they are held in memory unless given.
    """

    given: Given = field(default_factory=dict)
    separator: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quotes: bool | None = None
    time_unit: TimeUnit = "auto"
    on_bad_rows: BadRows = "refuse"
    part_order: PartOrder = "auto"
    item_lists: bool | None = None
    copies: Spill | None = None

    @property
    def by_position(self) -> bool:
        """Whether a column is named by its position."""
        places = [wanted for wanted in self.given.values() if wanted is not None and wanted is not False]
        return any(isinstance(wanted, int) or wanted.isdigit() for wanted in places)


class Reader(ABC):
    """A file format. Its one instance stands in `recodiff.data.readers.formats.READERS`."""

    name: ClassVar[str]
    streams: ClassVar[bool] = False
    """Whether `read` can give a table that streams."""

    @abstractmethod
    def recognise(self, path: Path) -> Sequence[Piece]:
        """The files of interactions that a file or folder holds in this format; none where it is another format.

        Args:
            path: a file or a folder, which exists.

        Raises:
            DataError: the path is of this format, and cannot be used.
        """

    def candidates(self, path: Path) -> Sequence[Piece]:
        """The files to read where the caller says that a path is of this format: a file itself, what a folder may hold.

        Args:
            path: of a file or folder.
        """
        return self.recognise(path) if path.is_dir() else [Piece(path)]

    @abstractmethod
    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """The interactions of what `recognise` gave, or of a file that the caller says is of this format.

        Args:
            pieces: at least one.
            options: how the caller wants them read.

        Raises:
            DataError: a file is damaged or not of this format, or a column is not clear.
        """

    def titles_beside(self, file: Path) -> Path | None:
        """The table of titles that goes with a file (or release folder) of interactions, if there is one.

        Args:
            file: of interactions.
        """
        folder = file if file.is_dir() else file.parent
        names = (*self.title_files(file), *ITEM_FILES)
        return next((folder / name for name in names if (folder / name).exists()), None)

    def title_files(self, file: Path) -> Sequence[str]:
        """Names of this format's own tables of titles for a file of interactions.

        Args:
            file: of interactions.
        """
        return ()

    def has_titles(self, path: Path) -> bool:
        """Tell whether a table of titles is in this format's own form.

        Args:
            path: of the table.
        """
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
