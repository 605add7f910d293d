"""`recodiff export`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recodiff.cli.catalogue import over_items_of
from recodiff.cli.output import refuse_taken, say, write_frame
from recodiff.data.saving import load_dataset
from recodiff.models.saving import load_model
from recodiff.ranking.vectors import item_vectors, user_vectors


def export(
    run: Path,
    out: Path,
    /,
    *,
    data: Path | None = None,
    overwrite: bool = False,
    trust_code: bool = False,
) -> None:
    """Write item and user vectors whose inner product, plus the item's bias, is the score.

    Example: recodiff export runs/t vectors --data ml-1m

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote.
    out
        A folder: items.parquet (item, vector, bias) and, with --data, users.parquet (user, vector).
    data
        A data folder; its users get vectors, each from the whole history.
    overwrite
        Replace vectors that are already there.
    trust_code
        Allow a model class from outside recodiff.
    """
    refuse_taken(out, "the vectors")
    model = load_model(run, trust_code=trust_code)
    vectors, bias = item_vectors(model)
    write_frame(
        pl.DataFrame({"item": model.items.ids, "vector": vectors, "bias": bias}), out / "items.parquet", overwrite=overwrite
    )
    say(f"wrote {len(vectors)} item vectors of width {vectors.shape[1]} to {out / 'items.parquet'}")
    if data is not None:
        dataset = over_items_of(model, load_dataset(data))
        x = dataset.history("+".join(dataset.parts()))
        write_frame(
            pl.DataFrame({"user": x.users.ids, "vector": user_vectors(model, x)}), out / "users.parquet", overwrite=overwrite
        )
        say(f"wrote {x.n_users} user vectors to {out / 'users.parquet'}")
