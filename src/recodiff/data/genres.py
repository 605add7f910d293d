"""The genres of items, from the column in which known data sets keep them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.moved import old_names

SEPARATORS = {"genres": "|", "genre": "|", "class": " "}
"""Column -> what stands between two genres: MovieLens, and RecBole's form of it (`class`)."""
NO_GENRES = frozenset({"", "(no genres listed)"})


def genres_of(table: pl.DataFrame | None) -> tuple[list[str], NDArray[np.float64]] | None:
    """Names of the genres, sorted, and which item has which, 0 or 1 [I, G]; None where the item table knows none.

    Args:
        table: one row per item position, see `Dataset.item_table`.
    """
    column = next((name for name in SEPARATORS if table is not None and name in table.columns), None)
    if table is None or column is None or table[column].dtype != pl.String:
        return None
    items = table.select(item=pl.int_range(pl.len()), genre=pl.col(column).str.split(SEPARATORS[column])).explode("genre")
    items = (
        items.with_columns(pl.col("genre").str.strip_chars()).drop_nulls().filter(~pl.col("genre").is_in(list(NO_GENRES))).unique()
    )
    names = items["genre"].unique().sort().to_list()
    if not names:
        return None
    member = np.zeros((table.height, len(names)))
    member[items["item"].to_numpy(), np.searchsorted(names, items["genre"].to_list())] = 1
    return names, member


__getattr__ = old_names(__name__)
