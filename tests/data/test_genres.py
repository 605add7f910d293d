"""Genres, from the columns that known data sets keep them in."""

from __future__ import annotations

import polars as pl
import pytest

from recodiff.data.genres import genres_of


@pytest.mark.parametrize(("column", "separator"), [("genres", "|"), ("genre", "|"), ("class", " ")])
def test_each_item_has_its_genres(column: str, separator: str) -> None:
    texts = [f"Drama{separator}Action", "Drama", None, "", "Western"]
    found = genres_of(pl.DataFrame({"title": list("abcde"), column: texts}))
    assert found is not None
    names, member = found
    assert names == ["Action", "Drama", "Western"]
    assert member.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_a_genre_given_twice_counts_once_and_none_is_no_genre() -> None:
    found = genres_of(pl.DataFrame({"genres": ["A | A", "(no genres listed)"]}))
    assert found is not None
    assert found[1].tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "table", [None, pl.DataFrame({"title": ["a"]}), pl.DataFrame({"genres": [3]}), pl.DataFrame({"genres": [None, ""]})]
)
def test_without_genres_there_are_none(table: pl.DataFrame | None) -> None:
    assert genres_of(table) is None
