"""The engines by name; a module is imported when its engine is used."""

from __future__ import annotations

import importlib
from typing import Literal, get_args

from recodiff.errors import ConfigError
from recodiff.stores.store import FolderStore, Store

StoreKind = Literal["faiss", "hnswlib", "usearch", "duckdb", "sqlite-vec", "pgvector", "lancedb", "milvus", "qdrant", "onnx"]
"""Names of the engines, each a module of this room with a class of that `kind`; `recodiff export --to` takes them."""
STORE_KINDS: tuple[StoreKind, ...] = get_args(StoreKind)


def class_of(kind: str) -> type[Store]:
    """The class of an engine.

    Args:
        kind: of the store.

    Raises:
        ConfigError: there is none of that name.
    """
    if kind not in STORE_KINDS:
        raise ConfigError(f"there is no store {kind!r}; choose one of {', '.join(STORE_KINDS)}")
    module = importlib.import_module(f"recodiff.stores.{kind.replace('-', '_')}")
    classes = (one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Store))
    return next(one for one in classes if vars(one).get("kind") == kind)


def folder_class_of(kind: str) -> type[FolderStore]:
    """The class of an engine that holds vectors in a folder.

    Args:
        kind: of the store.

    Raises:
        ConfigError: there is none of that name.
    """
    found = class_of(kind)
    if not issubclass(found, FolderStore):
        raise ConfigError(f"{kind} keeps no vectors in a folder; choose one of {', '.join(STORE_KINDS)}")
    return found
