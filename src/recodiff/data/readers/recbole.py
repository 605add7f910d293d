"""RecBole's atomic files: `.inter` beside `.item`, tab-separated, without quotes, `name:type` in the header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recodiff.data.readers.delimited import DelimitedText
from recodiff.data.readers.parts import Piece, ending, pieces_in
from recodiff.data.readers.titles import named_columns, read_titles


class RecBole(DelimitedText):
    """Delimited text in which a quote is a letter like any other."""

    name = "recbole"
    quoted = False

    def recognise(self, path: Path) -> Sequence[Piece]:
        """An `.inter` file, or the one of a folder, or its parts (`x.train.inter` ...)."""
        if path.is_dir():
            return pieces_in(path, (".inter",))
        return [Piece(path)] if ending(path) == ".inter" else []

    def title_files(self, file: Path) -> Sequence[str]:
        """The `.item` file of the same name."""
        return [f"{file.stem}.item", f"{file.name.split('.')[0]}.item"]

    def has_titles(self, path: Path) -> bool:
        """An `.item` file."""
        return path.suffix == ".item"

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """The columns without their types; the year of release follows the title, as in MovieLens."""
        table = read_titles(path, named_columns, quoted=False, drop_long=drop_long)
        if not {"release_year", "title"} <= set(table.columns):
            return table
        year, title = pl.col("release_year"), pl.col("title")
        undated = year.str.contains(r"^\d{4}$") & ~title.str.contains(r"\(\d{4}\)$")
        return table.with_columns(title=pl.when(undated).then(pl.format("{} ({})", title, year)).otherwise(title))
