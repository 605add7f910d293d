"""`recodiff export`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from recodiff.cli.catalogue import over_items_of
from recodiff.cli.output import refuse_file, refuse_taken, say
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError
from recodiff.models.saving import load_model, load_titles
from recodiff.moved import old_names
from recodiff.ranking.vectors import item_vectors, user_vectors
from recodiff.runtime import files
from recodiff.runtime.folders import held, refuse_files_of_others, replaced
from recodiff.runtime.progress import speaks
from recodiff.runtime.sql import is_url
from recodiff.stores.kinds import StoreKind
from recodiff.stores.manifest import Manifest
from recodiff.stores.pgvector import USUAL_TABLE
from recodiff.stores.write import export_store

ITEM_VECTORS, USER_VECTORS = "items.parquet", "users.parquet"
EXPORTED = {ITEM_VECTORS: ["item", "vector", "bias"], USER_VECTORS: ["user", "vector"]}
"""Columns of the tables that are exported, by which ours are known."""
To = Literal["parquet", StoreKind]


def export(
    run: Path,
    out: str,
    /,
    *,
    to: To = "parquet",
    data: Path | None = None,
    index: Literal["exact", "hnsw"] | None = None,
    table: str = USUAL_TABLE,
    overwrite: bool = False,
    trust_code: bool = False,
) -> None:
    """Write item vectors whose inner product with a user's, plus the item's bias, is the score; or fill a vector store; or ONNX.

    Examples: recodiff export runs/t vectors --data ml-1m
              recodiff export runs/t index --to faiss

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote.
    out
        A folder: items.parquet (item, vector, bias) and, with --data, users.parquet (user, vector); or the store. For pgvector the
        URL of a database, such as postgresql://user@host/name.
    to
        parquet, an engine (`recodiff.open_store` then gives the lists of `recommend`), or onnx: the whole model in one file.
    data
        A data folder; its users get vectors, each from the whole history. A graph is measured with them.
    index
        Of an engine: exact compares every item, hnsw those that a graph leads to; the engine's own unless given.
    table
        Of pgvector; schema.name in another schema.
    overwrite
        Replace vectors that are already there.
    trust_code
        Allow a model class from outside recodiff.

    Raises
    ------
    ConfigError
        A database is to take no vectors, or --index or --table come without an engine.
    """
    if not speaks():
        return
    if is_url(out) and to != "pgvector":
        raise ConfigError("a database takes vectors with --to pgvector; give a folder for the others")
    if not is_url(out):
        refuse_taken(Path(out), "the vectors")
    if to == "parquet" and (index is not None or table != USUAL_TABLE):
        raise ConfigError("--index and --table are of an engine; say which with --to, for example --to faiss")
    if to == "parquet":
        _export_tables(run, Path(out), data, overwrite, trust_code)
        return
    model = load_model(run, trust_code=trust_code)
    dataset = None if data is None else over_items_of(model, load_dataset(data))
    history = None if dataset is None else dataset.history("+".join(dataset.parts()))
    titles = load_titles(run)
    described = export_store(model, out, to, index=index, table=table, history=history, titles=titles, overwrite=overwrite)
    say(_written(described, out, table))


def _written(described: Manifest, out: str, table: str) -> str:
    place = f"the table {table}" if is_url(out) else out  # an address may hold a password
    if not described.width:
        return f"wrote the model over {described.items} items to {place}"
    found = ", ".join(f"{recall:.3f} behind {seen} seen items" for seen, recall in described.recall.items())
    graph = f"; its graph finds of the 20 best: {found}" if found else ""
    return f"wrote {described.items} items to {place} ({described.kind}, {described.index}){graph}"


def _export_tables(run: Path, out: Path, data: Path | None, overwrite: bool, trust_code: bool) -> None:
    with held(out):
        for name in EXPORTED:
            refuse_file(out / name, overwrite)
        refuse_files_of_others(out, EXPORTED, _exported(out))
        if data is None and (out / USER_VECTORS).exists():
            raise ConfigError(
                f"'{out / USER_VECTORS}' holds users of an earlier export; give --data to replace both, or another folder"
            )
        for sentence in _write(_tables(run, data, trust_code), out):
            say(sentence)


def _exported(out: Path) -> frozenset[str]:
    """Names of the files in a folder that an earlier export wrote."""
    return frozenset(name for name, columns in EXPORTED.items() if _columns(out / name) == columns)


def _columns(path: Path) -> list[str]:
    try:
        return list(pl.read_parquet_schema(path)) if path.is_file() else []
    except (OSError, pl.exceptions.PolarsError):
        return []


def _tables(run: Path, data: Path | None, trust_code: bool) -> dict[str, pl.DataFrame]:
    """What is written, by the name of the file."""
    model = load_model(run, trust_code=trust_code)
    vectors, bias = item_vectors(model)
    tables = {ITEM_VECTORS: pl.DataFrame({"item": model.items.ids, "vector": vectors, "bias": bias})}
    if data is not None:
        dataset = over_items_of(model, load_dataset(data))
        x = dataset.history("+".join(dataset.parts()))
        tables[USER_VECTORS] = pl.DataFrame({"user": x.users.ids, "vector": user_vectors(model, x)})
    return tables


def _write(tables: dict[str, pl.DataFrame], out: Path) -> list[str]:
    """Write all files or none; what was written, a sentence each."""
    with replaced(out, ITEM_VECTORS, _exported(out) & tables.keys()) as staged:
        for name, table in tables.items():
            files.replace_with(staged / name, table.write_parquet, (pl.exceptions.PolarsError,))
    width = tables[ITEM_VECTORS]["vector"].dtype.shape[0]  # pyright: ignore[reportAttributeAccessIssue]
    words = {ITEM_VECTORS: f"item vectors of width {width}", USER_VECTORS: "user vectors"}
    return [f"wrote {table.height} {words[name]} to {out / name}" for name, table in tables.items()]


__getattr__ = old_names(__name__)
