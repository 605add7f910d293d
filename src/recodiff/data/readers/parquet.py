"""Parquet: one file, or a folder of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import Raw, find_columns
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.titles import titles_of_parquet
from recodiff.errors import DataError

ENDINGS = (".parquet", ".pq")


class Parquet(Reader):
    """A table whose columns have types."""

    name = "parquet"

    def recognise(self, path: Path) -> Sequence[Path]:
        """A file with the ending, or all of a folder but titles and users."""
        if not path.is_dir():
            return [path] if path.name.removesuffix(".gz").endswith(ENDINGS) else []
        return [file for file in sorted(path.glob("*.parquet")) if file.stem not in ("items", "users")]

    def read(self, files: Sequence[Path], options: Options) -> Raw:
        """One or several files as one table.

        Raises:
            DataError: a file is damaged, the pieces differ in columns, or a column cannot be told.
        """
        name = files[0].name if len(files) == 1 else files[0].parent.name
        try:
            scan = pl.scan_parquet(list(files), glob=False)
            roles = find_columns(scan.collect_schema().names(), options.given, name)
            frame = scan.select(pl.col(column).alias(role) for role, column in roles.items()).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"{name} cannot be read as Parquet ({reason}); is every file whole, and of one make?") from None
        return Raw(frame, name, roles, lambda row: f"row {row} (the first is 0)", is_text=False)

    def has_titles(self, path: Path) -> bool:
        """A file with the ending."""
        return path.suffix in ENDINGS

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """The columns with their types."""
        return titles_of_parquet(path)
