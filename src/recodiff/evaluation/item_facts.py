"""What list metrics ask about items: how popular they are, their genres, their embeddings.

Shapes: `I` items, `G` genres, `D` width of an embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.dataset import Dataset
from recodiff.data.genres import SEPARATORS, genres_of
from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError
from recodiff.runtime import files

Need = Literal["popularity", "genres", "embeddings"]
EMBEDDINGS = "item_emb.npy"
"""Item embeddings [I, D], beside the parts of a data folder."""
REMEDIES: dict[Need, str] = {
    "popularity": "measure a task of recodiff.stages(data), or give Task(..., facts=ItemFacts(data.train))",
    "genres": f"prepare the data with an item table that has a text column {' or '.join(map(repr, SEPARATORS))}",
    "embeddings": f"put {EMBEDDINGS}, one row per item, into the data folder, or give stages(data, embeddings=...)",
}


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """Facts about the items of a catalogue, each worked out when it is first asked for.

    Args:
        train: what popularity is counted in.
        item_table: one row per item position; a column `genres`, `genre` or `class` names the genres.
        embeddings: one row per item position, [I, D].
    """

    train: Interactions | None = None
    item_table: pl.DataFrame | None = None
    embeddings: NDArray[np.floating[Any]] | None = None

    @cached_property
    def popularity(self) -> NDArray[np.int64] | None:
        """Users of `train` who interacted with each item, [I]; None without `train`."""
        return None if self.train is None else np.bincount(self.train.matrix.indices, minlength=self.train.n_items)

    @property
    def n_users(self) -> int:
        """Users of `train` who interacted with any item."""
        return 0 if self.train is None else int((self.train.lengths() > 0).sum())

    @cached_property
    def genres(self) -> NDArray[np.float64] | None:
        """The genres of each item, 0 or 1, [I, G]; None where the table names none."""
        names_and_members = genres_of(self.item_table)
        return None if names_and_members is None else names_and_members[1]

    def get(self, need: Need, metric: str = "this metric") -> NDArray[Any]:
        """A fact that a metric cannot do without, of the shape that its field states.

        Args:
            need: which.
            metric: named in the error message.

        Raises:
            DataError: it is not known.
        """
        fact = getattr(self, need)
        if fact is None:
            raise DataError(f"{metric} needs the {need} of the items, which are not known here; {REMEDIES[need]}")
        return fact


def item_facts(data: Dataset, embeddings: NDArray[np.floating[Any]] | None = None) -> ItemFacts:
    """Facts about the items of a data folder.

    Args:
        data: popularity is counted in its training part.
        embeddings: one row per item position, [I, D].

    Raises:
        DataError: there is not one embedding per item.
    """
    if embeddings is not None and (embeddings.ndim != 2 or len(embeddings) != len(data.items)):
        raise DataError(f"embeddings of shape {embeddings.shape} for {len(data.items)} items; give one row per item position")
    return ItemFacts(data.train, data.item_table, embeddings)


def load_embeddings(folder: Path | None, items: IdMap, catalogue: IdMap | None = None) -> NDArray[np.floating[Any]] | None:
    """Item embeddings that lie in a data folder.

    Args:
        folder: of the data; None for data in memory.
        items: of the data as it lies there, one per row.
        catalogue: whose positions the result has; rows of items that `items` lacks are 0.

    Returns:
        Embeddings [I, D]; None where there are none, or not one for each of `items`.
    """
    path = None if folder is None else folder / EMBEDDINGS
    if path is None or not path.is_file():
        return None
    with files.reading(path, DataError, "give one row per item as a .npy file of numbers, or remove it"):
        embeddings = files.read_array(path)
    if embeddings.ndim != 2 or len(embeddings) != len(items):
        return None
    if catalogue is None or catalogue == items:
        return embeddings
    at = items.positions(catalogue.ids, unknown="mark")
    return np.vstack([embeddings, np.zeros_like(embeddings[:1])])[at]  # -1 is the row of zeros
