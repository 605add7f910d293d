"""Reasons for lists, as `recodiff recommend --explain` writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from recodiff.data.interactions import Interactions
from recodiff.models.base import Recommender
from recodiff.ranking.explain import explain
from recodiff.ranking.recommend import Recommendations


def reasons(model: Recommender, history: Interactions, lists: Recommendations, titles: Sequence[str | None] | None) -> pl.Series:
    """The history items that speak for each recommendation, one text for each row of `lists.to_frame()`.

    Args:
        model: a fitted model.
        history: that the lists were made from.
        lists: of `recommend`.
        titles: one for each item position; without them, or where one is missing, the id stands.

    Raises:
        ModelError: the model's lists cannot be explained.
    """
    found = explain(model, history, lists, show_progress=True)
    names = lists.catalogue.ids.cast(pl.String).to_list()
    if titles is not None:
        names = [title or name for title, name in zip(titles, names, strict=True)]
    texts = []
    for row, rank in zip(*np.nonzero(lists.items >= 0), strict=True):
        because, effects = found.because[row, rank], found.effects[row, rank]
        texts.append(
            "; ".join(f"{names[item]} (+{effect:.3g})" for item, effect in zip(because, effects, strict=True) if item >= 0)
        )
    return pl.Series("because", texts, dtype=pl.String)
