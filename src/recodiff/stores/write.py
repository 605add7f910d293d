"""From a model to a store: a folder or a table that is whole or not there."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import ConfigError, ModelError
from recodiff.models.base import Recommender
from recodiff.ranking.recommend import HISTORIES, history_of
from recodiff.ranking.vectors import item_vectors, user_vectors
from recodiff.runtime import files
from recodiff.runtime.folders import FolderKind, check_free, held
from recodiff.stores.calibration import PROBES, calibrated
from recodiff.stores.kinds import STORE_KINDS, class_of, folder_class_of
from recodiff.stores.manifest import FORMAT, Index, Manifest
from recodiff.stores.onnx import Onnx, check_equal
from recodiff.stores.pgvector import SCHEMES, USUAL_TABLE, PGVector
from recodiff.stores.points import Floats, Measure, Points, Titles
from recodiff.stores.store import FolderStore, Store

STORE_MARKER, STORE_ITEMS = "store.json", "items.parquet"
STORE_FOLDER = re.compile(rf"({'|'.join(STORE_KINDS)})-[0-9a-f]{{8}}")
"""Names of folders that hold an engine's files."""
TYPICAL_LENGTH = 20
"""Items of a history that stands for a user where no data is given."""


def export_store(
    model: Recommender,
    out: str | Path,
    to: str,
    *,
    index: Index | None = None,
    table: str = USUAL_TABLE,
    history: Interactions | None = None,
    titles: Titles = None,
    overwrite: bool = False,
) -> Manifest:
    """Write a model's items into a vector index or database, from which `open_store` gives the lists of `recommend`.

    The bias of an item is the last number of its vector, and the number that meets it in a user's is 1.

    Args:
        model: a fitted model with item vectors.
        out: a folder to make; for pgvector the URL of a database.
        to: the engine, one of `STORE_KINDS`.
        index: `exact` compares every item, `hnsw` those that a graph leads to; the engine's own unless given.
        table: of pgvector, `schema.name` in another schema.
        history: users to measure a graph with; histories at random unless given.
        titles: one for each item, kept beside the ids.
        overwrite: whether a store that is there may be replaced.

    Returns:
        What the store says of itself; `recall` where it has a graph.

    Raises:
        ModelError: the scores are no inner product, or the graph finds too little.
        ConfigError: the engine is unknown, or does not have that index.
        DataError: the place is taken, or the database refuses.
        MissingExtraError: the engine's package is not installed.
    """
    if history is not None:
        need_interactions(history, "history", HISTORIES)
    about = {"name": model.registered, "parameters": model.parameters}
    if to == Onnx.kind:
        described = Manifest(kind=to, items=len(model.items), width=0, model=about)
        return _written_folder(model, Path(out), described, titles, lambda place: _filled_onnx(model, place, described), overwrite)
    cls, chosen = _chosen(to, index)
    vectors = item_vectors(model)
    manifest = Manifest(kind=to, index=chosen, items=len(model.items), width=vectors[0].shape[1], model=about)
    if issubclass(cls, PGVector):
        return _written_table(model, str(out), manifest, vectors, history, table, titles, overwrite)
    kind = folder_class_of(to)
    return _written_folder(
        model, Path(out), manifest, titles, lambda place: _filled(kind, place, manifest, model, history, vectors), overwrite
    )


def _chosen(to: str, index: Index | None) -> tuple[type[Store], Index]:
    cls = class_of(to)
    if index is not None and index not in cls.indexes:
        raise ConfigError(f"{to} has no index {index!r} here; it has {', '.join(cls.indexes)}")
    return cls, index or cls.indexes[0]


def _written_table(
    model: Recommender,
    url: str,
    manifest: Manifest,
    vectors: tuple[Floats, Floats],
    history: Interactions | None,
    table: str,
    titles: Titles,
    overwrite: bool,
) -> Manifest:
    if not url.startswith(SCHEMES):
        kind = url.split("://")[0]  # the rest may hold a password
        raise ConfigError(f"pgvector needs the URL of a database in place of '{kind}', such as postgresql://user@host/database")
    points = Points.of(*vectors, "ip")
    with PGVector.writing(url, table, points, model.items, titles, manifest, overwrite=overwrite) as store:
        if manifest.index == "hnsw":
            breadth, recall = calibrated(store, _probes(model, history), *vectors)
            store.describe(manifest.model_copy(update={"breadth": breadth, "recall": recall}))
    return store.manifest


def _written_folder(
    model: Recommender, out: Path, manifest: Manifest, titles: Titles, fill: Callable[[Path], Manifest], overwrite: bool
) -> Manifest:
    """A folder of the engine's files beside the manifest, which is written last and names that folder."""
    path = check_free(out, overwrite=overwrite, kind=FolderKind(STORE_MARKER, _store_files))
    with held(path):
        place = path / f"{manifest.kind}-{secrets.token_hex(4)}"
        try:
            place.mkdir()
            manifest = fill(place)
            _write_items(place / STORE_ITEMS, model.items, titles)
            hashes = hashes_of(place, static=class_of(manifest.kind).static)
            manifest = manifest.model_copy(update={"folder": place.name, "hashes": hashes})
            for file in place.rglob("*"):
                files.sync(file)
            files.write_json(path / STORE_MARKER, manifest.model_dump(mode="json"))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        for old in path.iterdir():  # of the store that was there, or of a command that was killed
            if old.is_dir() and old != place and STORE_FOLDER.fullmatch(old.name):
                shutil.rmtree(old, ignore_errors=True)
    return manifest


def _store_files(folder: Path) -> frozenset[str]:
    """The manifest, where it is one of ours; the engine's files lie in a folder that it names."""
    return frozenset({STORE_MARKER} if files.described(folder / STORE_MARKER, FORMAT) else ())


def _filled_onnx(model: Recommender, place: Path, manifest: Manifest) -> Manifest:
    Onnx.write(place, model)
    draw, n = np.random.default_rng(0), len(model.items)
    lengths = draw.integers(1, min(50, n), 50, endpoint=True)
    check_equal(Onnx(manifest, model.items, place), model, _typed(model, [int(length) for length in lengths]))
    return manifest


def _filled(
    cls: type[FolderStore],
    place: Path,
    manifest: Manifest,
    model: Recommender,
    history: Interactions | None,
    vectors: tuple[Floats, Floats],
) -> Manifest:
    """The files, under the first measure with which the store finds enough."""
    measures: tuple[Measure, ...] = cls.measures
    for measure in measures:
        points = Points.of(*vectors, measure)
        shutil.rmtree(place)
        place.mkdir()
        settings = cls.write(place, points, model.items, manifest.index)
        manifest = manifest.model_copy(update={"measure": measure, "longest": points.longest, "settings": settings})
        if manifest.index == "exact":
            break
        with cls(manifest, model.items, place) as store:
            try:
                breadth, recall = calibrated(store, _probes(model, history), *vectors)
            except ModelError:
                if measure == measures[-1]:
                    raise
                continue
        return manifest.model_copy(update={"breadth": breadth, "recall": recall})
    return manifest


def _probes(model: Recommender, history: Interactions | None) -> Floats:
    """Vectors of users to measure a graph with."""
    draw = np.random.default_rng(0)
    if history is not None and (some := np.flatnonzero(history.lengths())).size:
        return user_vectors(model, history.take(np.sort(draw.permutation(some)[:PROBES])))
    return user_vectors(model, _typed(model, [min(TYPICAL_LENGTH, len(model.items))] * PROBES))


def _typed(model: Recommender, lengths: list[int]) -> Interactions:
    """Histories at random of those lengths."""
    draw, items = np.random.default_rng(0), model.items
    return history_of(model, *(items.externals(draw.choice(len(items), length, replace=False)).to_list() for length in lengths))


def _write_items(path: Path, items: IdMap, titles: Titles) -> None:
    table = pl.DataFrame({"id": items.ids})
    table = table if titles is None else table.with_columns(title=pl.Series(titles, dtype=pl.String))
    files.replace_with(path, table.write_parquet, (pl.exceptions.PolarsError,))


def hashes_of(place: Path, *, static: bool) -> dict[str, str]:
    """SHA-256 of the files of a store, by name; of the catalogue alone where the engine goes on writing.

    Args:
        place: the folder.
        static: whether the engine no longer writes there.
    """
    names = [file.name for file in place.iterdir() if file.is_file()] if static else [STORE_ITEMS]
    return {name: files.sha256(place / name) for name in sorted(names)}


def titles_of(place: Path) -> tuple[IdMap, Any]:
    """The catalogue of a store's folder, and its titles if it has any.

    Args:
        place: the folder of the store.
    """
    table = pl.read_parquet(place / STORE_ITEMS, glob=False)
    return IdMap(table["id"]), table["title"].to_list() if "title" in table.columns else None
