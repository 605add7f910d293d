"""LightGCN's text: a user and then its items on each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recodiff.data.readers.columns import Raw
from recodiff.data.readers.reader import Options, Reader
from recodiff.data.readers.tables import read_lines
from recodiff.errors import DataError

_LINE = r"^\d{1,18}( +\d{1,18})*$"


class LightGCN(Reader):
    """Lines of `user item item ...` in `train.txt` and `test.txt`."""

    name = "lightgcn"

    def recognise(self, path: Path) -> Sequence[Path]:
        """A file of one of the two names, or both in a folder."""
        if not path.is_dir():
            return [path] if path.name in ("train.txt", "test.txt") else []
        if not (path / "train.txt").exists():
            return []
        return [file for file in (path / "train.txt", path / "test.txt") if file.exists()]

    def read(self, files: Sequence[Path], options: Options) -> Raw:
        """`user`, `item`, and `part` where there are several files.

        Raises:
            DataError: a line holds anything but whole numbers from 0 on.
        """
        pieces = []
        for path in files:
            lines = read_lines(path, path.name)
            _check(lines, path.name)
            numbers = lines.drop_nulls().str.replace_all(" +", " ").str.split(" ").cast(pl.List(pl.Int64))
            pairs = pl.DataFrame({"user": numbers.list.first(), "item": numbers.list.slice(1)}).explode("item").drop_nulls()
            pieces.append(pairs.with_columns(part=pl.lit(path.stem)) if len(files) > 1 else pairs)
        return Raw.clean(pl.concat(pieces), files[0].name)


def _check(lines: pl.Series, name: str) -> None:
    bad = ~lines.str.contains(_LINE).fill_null(True)
    if bad.any():
        line = int(bad.arg_max() or 0)
        raise DataError(
            f"{name}, line {line + 1}: {lines[line][:60]!r} is not LightGCN's `user item item ...` in whole numbers; "
            "mend the line, or say format='table' if it is a table"
        )
