"""MovieLens as GroupLens publishes it: `u.data`, `ratings.dat` and `ratings.csv`, each with its table of films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recodiff.data.readers.delimited import DelimitedText
from recodiff.data.readers.lines import first_lines
from recodiff.data.readers.parts import Piece
from recodiff.data.readers.tables import in_memory
from recodiff.data.readers.text_tables import open_table
from recodiff.errors import DataError

FILMS = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
"""File of ratings -> file of titles."""
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


class MovieLens(DelimitedText):
    """Delimited text under known names, with films beside it."""

    name = "movielens"

    def recognise(self, path: Path) -> Sequence[Piece]:
        """A file of one of the names, or the first of them in a folder; a `ratings.csv` only if its header is MovieLens' own."""
        if not path.is_dir():
            return [Piece(path)] if path.name in FILMS and _is_theirs(path) else []
        return [Piece(path / name) for name in FILMS if (path / name).exists() and _is_theirs(path / name)][:1]

    def title_files(self, file: Path) -> Sequence[str]:
        """The films of this release."""
        return [FILMS[file.name]] if file.name in FILMS else []

    def has_titles(self, path: Path) -> bool:
        """Tell whether it is `u.item`, which alone has a form of its own."""
        return path.name == "u.item"

    def titles(self, path: Path, *, drop_long: bool = False) -> pl.DataFrame:
        """Id, title, dates, a link and a 0/1 column for each genre, in Latin-1."""
        text = open_table(path, separator="|", header=False, encoding="latin-1", quoted=False)
        columns = text.columns()
        if len(columns) != 5 + len(_GENRES):
            raise DataError(
                f"{path.name} has {len(columns)} columns, not the {5 + len(_GENRES)} of MovieLens' u.item; fetch it again"
            )
        flags = [pl.when(pl.col(column) == "1").then(pl.lit(genre)) for column, genre in zip(columns[5:], _GENRES, strict=True)]
        named = [pl.col(column).alias(name) for column, name in zip(columns, ("item", "title", "release_date"), strict=False)]
        table, _ = text.collect([*named, pl.concat_list(flags).list.drop_nulls().list.join("|").alias("genres")])
        return in_memory(table)


def _is_theirs(path: Path) -> bool:
    """Whether a file is of MovieLens by its header, where it has one; others have files called ratings.csv too."""
    return path.suffix != ".csv" or "movieId" in first_lines(path)[0]
