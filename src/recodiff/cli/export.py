"""`recodiff export`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recodiff.cli.catalogue import over_items_of
from recodiff.cli.output import refuse_file, refuse_taken, say
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError
from recodiff.models.saving import load_model
from recodiff.ranking.vectors import item_vectors, user_vectors
from recodiff.runtime import files
from recodiff.runtime.folders import held, replaced
from recodiff.runtime.progress import speaks

ITEMS, USERS = "items.parquet", "users.parquet"


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
    if not speaks():
        return
    refuse_taken(out, "the vectors")
    with held(out):
        for name in (ITEMS, USERS):
            refuse_file(out / name, overwrite)
        if data is None and (out / USERS).exists():
            raise ConfigError(f"'{out / USERS}' holds users of an earlier export; give --data to replace both, or another folder")
        for sentence in _write(_tables(run, data, trust_code), out):
            say(sentence)


def _tables(run: Path, data: Path | None, trust_code: bool) -> dict[str, pl.DataFrame]:
    """What is written, by the name of the file."""
    model = load_model(run, trust_code=trust_code)
    vectors, bias = item_vectors(model)
    tables = {ITEMS: pl.DataFrame({"item": model.items.ids, "vector": vectors, "bias": bias})}
    if data is not None:
        dataset = over_items_of(model, load_dataset(data))
        x = dataset.history("+".join(dataset.parts()))
        tables[USERS] = pl.DataFrame({"user": x.users.ids, "vector": user_vectors(model, x)})
    return tables


def _write(tables: dict[str, pl.DataFrame], out: Path) -> list[str]:
    """Write all files or none; what was written, a sentence each."""
    with replaced(out, marker=ITEMS, owned=lambda _: False) as staged:
        for name, table in tables.items():
            files.replace_with(staged / name, table.write_parquet, (pl.exceptions.PolarsError,))
    width = tables[ITEMS]["vector"].dtype.shape[0]  # pyright: ignore[reportAttributeAccessIssue]
    words = {ITEMS: f"item vectors of width {width}", USERS: "user vectors"}
    return [f"wrote {table.height} {words[name]} to {out / name}" for name, table in tables.items()]
