"""Parquet: one file, or a folder of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl

from recodiff.data.readers.columns import Raw, find_columns, in_files, labels_of
from recodiff.data.readers.contents import WHOLE
from recodiff.data.readers.frames import first_values, may_be_read, unused_parts, unused_times
from recodiff.data.readers.parts import Piece, natural, pieces_in
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.titles import titles_of_columns
from recodiff.errors import DataError
from recodiff.runtime.crash_check import crash_checked
from recodiff.runtime.files import reading, refuse_irregular

ENDINGS = (".parquet", ".pq")


class Parquet(Reader):
    """A table whose columns have types."""

    name = "parquet"
    called = "Parquet"
    endings: ClassVar[tuple[str, ...]] = ENDINGS
    streams = True

    def recognise(self, path: Path) -> Sequence[Piece]:
        """A file with the ending, or the parts or all files of a folder but titles and users."""
        if not path.is_dir():
            return [Piece(path)] if path.name.lower().removesuffix(".gz").endswith(self.endings) else []
        named = [file for file in sorted(path.iterdir(), key=natural) if file.name.endswith(self.endings[0])]
        return pieces_in(path, self.endings) or [Piece(file) for file in named if file.stem not in ("items", "users")]

    def read(self, pieces: Sequence[Piece], options: Options) -> Raw:
        """One or several files as one table.

        Raises:
            DataError: a file is damaged, the pieces differ in columns, or a column is not clear.
        """
        parts = list(dict.fromkeys(piece.part for piece in pieces))
        files = [[piece.path for piece in pieces if piece.part == part] for part in parts]
        name = pieces[0].path.name if len(pieces) == 1 else pieces[0].path.parent.name
        read = []
        for group in files:
            with reading(group[0], DataError, WHOLE):
                for path in group[1:]:
                    refuse_irregular(path, DataError, WHOLE)
                called = name if len(parts) == 1 else group[0].name
                read.append(
                    crash_checked(group, lambda group=group, called=called: self._read(group, called, options), DataError, WHOLE)
                )
        return Raw.joined(read, parts, name)

    def has_titles(self, path: Path) -> bool:
        """A file with the ending."""
        return path.suffix.lower() in self.endings

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """The columns with their types."""
        return titles_of_columns(path, self.scan, self.called)

    def scan(self, paths: Sequence[Path]) -> pl.LazyFrame:
        """The table of some files, not yet read.

        Args:
            paths: at least one.
        """
        return pl.scan_parquet(list(paths), glob=False)

    def _read(self, files: Sequence[Path], name: str, options: Options) -> Raw:
        try:
            scan = self.scan(files)
            schema = scan.collect_schema()
            roles = find_columns(schema.names(), options.given, name)
            chosen = scan.select(pl.col(column).alias(role) for role, column in roles.items())
            frame = chosen.collect() if options.copies is None else options.copies.keep(chosen)
            unread = [column for column in schema.names() if column not in roles.values()]
            sample = first_values(scan, [column for column in unread if may_be_read(schema[column])])
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"{name} cannot be read as {self.called} ({reason}); is every file whole, and of one make?") from None
        order = {} if "time" in roles or len(files) == 1 else {"time": in_files([file.name for file in files])}
        return Raw(
            frame,
            name,
            roles,
            lambda row: f"row {row} (the first is 0)",
            is_text=False,
            labels=labels_of(schema.names(), roles) | order,
            unread=tuple(unread),
            warnings=tuple(unused_parts(sample, name)),
            moments=tuple(unused_times(sample, options.given)),
        )
