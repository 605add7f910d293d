"""What metrics of lists ask about items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recodiff import IdMap, Interactions, stages
from recodiff.data.dataset import Dataset
from recodiff.errors import DataError
from recodiff.evaluation.item_facts import EMBEDDINGS, ItemFacts, item_facts, load_embeddings

ITEMS = IdMap(["a", "b", "c"])
TRAIN = Interactions.from_arrays([0, 0, 2], [1, 2, 1], IdMap.range(4), ITEMS)
DATA = Dataset(TRAIN, TRAIN, TRAIN, None, pl.DataFrame({"title": ["A", "B", "C"], "genres": ["x|y", None, "y"]}), {"name": "d"})


def test_facts_are_of_the_training_part_and_the_item_table() -> None:
    facts = stages(DATA).test.facts
    assert facts.popularity is not None
    assert facts.popularity.tolist() == [0, 2, 1]
    assert facts.n_users == 2
    assert facts.get("genres").tolist() == [[1, 1], [0, 0], [0, 1]]
    assert facts.embeddings is None


def test_what_is_not_known_is_refused_with_the_way_to_it() -> None:
    nothing = ItemFacts()
    assert (nothing.popularity, nothing.n_users, nothing.genres) == (None, 0, None)
    with pytest.raises(DataError, match=r"some@5 needs the genres .* 'genres' or 'genre' or 'class'"):
        nothing.get("genres", "some@5")
    with pytest.raises(DataError, match="one row per item position"):
        item_facts(DATA, np.zeros((4, 2)))


def test_embeddings_are_those_of_the_folder_over_the_catalogue(tmp_path: Path) -> None:
    assert load_embeddings(None, ITEMS) is None
    assert load_embeddings(tmp_path, ITEMS) is None
    np.save(tmp_path / EMBEDDINGS, np.arange(6.0).reshape(3, 2))
    found = load_embeddings(tmp_path, ITEMS)
    assert found is not None
    np.testing.assert_array_equal(stages(DATA, embeddings=found).valid.facts.get("embeddings"), found)
    moved = load_embeddings(tmp_path, ITEMS, IdMap(["c", "new", "a"]))
    assert moved is not None
    assert moved.tolist() == [[4, 5], [0, 0], [0, 1]]
    assert load_embeddings(tmp_path, IdMap(["a"])) is None
