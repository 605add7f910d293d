"""The engines by name; a module is imported when its engine is used."""

from __future__ import annotations

import importlib

from recodiff.errors import ConfigError
from recodiff.stores.store import FolderStore, Store

HOMES = {
    "faiss": "faiss:Faiss",
    "hnswlib": "hnswlib:Hnswlib",
    "usearch": "usearch:USearch",
    "duckdb": "duckdb:DuckDB",
    "sqlite-vec": "sqlite_vec:SqliteVec",
    "pgvector": "pgvector:PGVector",
    "lancedb": "lancedb:LanceDB",
    "milvus": "milvus:Milvus",
    "qdrant": "qdrant:Qdrant",
    "onnx": "onnx:Onnx",
}
"""Name -> module of this room and class."""
KINDS = tuple(HOMES)


def class_of(kind: str) -> type[Store]:
    """The class of an engine.

    Args:
        kind: of the store.

    Raises:
        ConfigError: there is none of that name.
    """
    if kind not in HOMES:
        raise ConfigError(f"there is no store {kind!r}; choose one of {', '.join(KINDS)}")
    module, name = HOMES[kind].split(":")
    return getattr(importlib.import_module(f"recodiff.stores.{module}"), name)


def folder_class_of(kind: str) -> type[FolderStore]:
    """The class of an engine that holds vectors in a folder.

    Args:
        kind: of the store.

    Raises:
        ConfigError: there is none of that name.
    """
    found = class_of(kind)
    if not issubclass(found, FolderStore):
        raise ConfigError(f"{kind} keeps no vectors in a folder; choose one of {', '.join(KINDS)}")
    return found
