"""`recodiff similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
from cyclopts import Parameter

from recodiff.cli.output import print_json, print_table
from recodiff.cli.parameters import whole_number
from recodiff.models.saving import load_model, load_titles
from recodiff.ranking.vectors import similar_items

USUAL_SIMILAR = 10
"""Similar items unless said otherwise."""


def similar(
    run: Path,
    item: list[str],
    /,
    *,
    k: Annotated[int | None, Parameter(name=("--k", "-k"), converter=whole_number)] = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Find the items most similar to given ones, by the cosine of a model's item vectors.

    Example: recodiff similar runs/t 50 181 -k 5

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote.
    item
        Item ids.
    k
        Similar items of each, 1 to the size of the catalogue less one; 10, or all there are, unless given.
    trust_code
        Allow a model class from outside recodiff.
    json
        Print JSON.
    """
    model = load_model(run, trust_code=trust_code)
    frame = similar_items(model, item, min(USUAL_SIMILAR, len(model.items) - 1) if k is None else k)
    if titles := load_titles(run):
        for column, name in (("item", "title"), ("similar", "similar_title")):
            positions = model.items.positions(frame[column])
            frame = frame.with_columns(pl.Series(titles, dtype=pl.String).gather(positions).alias(name))
    if json:
        print_json(frame.to_dicts())
    else:
        print_table(frame.columns, frame.rows())
