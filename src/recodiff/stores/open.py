"""From a folder or a table to lists."""

from __future__ import annotations

import json
from pathlib import Path

from recodiff.errors import CheckpointError
from recodiff.runtime import files
from recodiff.stores.kinds import folder_class_of
from recodiff.stores.manifest import FORMAT, VERSION, Manifest
from recodiff.stores.onnx import Onnx
from recodiff.stores.pgvector import SCHEMES, USUAL_TABLE, PGVector
from recodiff.stores.store import Store
from recodiff.stores.write import STORE_ITEMS, STORE_MARKER, titles_of

AGAIN = "write it anew with recodiff export"


def open_store(place: str | Path, *, table: str = USUAL_TABLE) -> Store:
    """Open what `export_store` wrote; the model is not needed.

    Example: with open_store("vectors") as store: store.query(user_vectors(model, history), 20, seen=history)

    Args:
        place: a folder, or the URL of a PostgreSQL database.
        table: of the database.

    Returns:
        A store; its `query` gives lists as `recommend` does.

    Raises:
        CheckpointError: the folder is missing, damaged, foreign or of a later version.
        DataError: the database refuses, or the table is no store.
        MissingExtraError: the engine's package is not installed.
    """
    if str(place).startswith(SCHEMES):
        return PGVector.opened(str(place), table)
    path = Path(place)
    manifest = read_manifest(path)
    folder = path / manifest.folder
    for name, said in manifest.hashes.items():
        if not (folder / name).is_file() or files.sha256(folder / name) != said:
            raise CheckpointError(f"'{folder / name}' is missing or not what was written; {AGAIN}")
    with files.reading(folder / STORE_ITEMS, CheckpointError, AGAIN):
        items, _ = titles_of(folder)
    if manifest.kind == Onnx.kind:
        return Onnx(manifest, items, folder)
    return folder_class_of(manifest.kind)(manifest, items, folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a store's folder.

    Args:
        folder: of the store.

    Raises:
        CheckpointError: the folder is no store, or of a later version.
    """
    path = folder / STORE_MARKER
    with files.reading(path, CheckpointError, f"give a folder that `recodiff export RUN {folder} --to ...` wrote"):
        held = json.loads(path.read_text("utf-8"))
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not of a store; {AGAIN}")
    if held.get("version") != VERSION:
        raise CheckpointError(f"'{folder}' has version {held.get('version')}, this recodiff reads {VERSION}; update recodiff")
    with files.reading(path, CheckpointError, AGAIN):
        manifest = Manifest(**held)
    if strange := [name for name in (manifest.folder, *manifest.hashes) if not files.is_plain_name(name)]:
        raise CheckpointError(f"'{path}' names {strange[0]!r}, which is nothing in its folder; {AGAIN}")
    return manifest
