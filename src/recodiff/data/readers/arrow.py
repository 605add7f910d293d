"""Arrow's own files, which are also called Feather."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl

from recodiff.data.readers.parquet import Parquet


class Arrow(Parquet):
    """A table whose columns have types, as Arrow and pandas' `to_feather` write it."""

    name = "arrow"
    called = "Arrow"
    endings: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc")

    def scan(self, paths: Sequence[Path]) -> pl.LazyFrame:
        """The table of some files, not yet read.

        Args:
            paths: at least one.
        """
        return pl.scan_ipc(list(paths), glob=False)
