"""What a store says of itself, and the sentence about a package that is lacking."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from pydantic import Field

from recodiff.config import BaseConfig
from recodiff.errors import missing_extra
from recodiff.stores.points import Measure

FORMAT, VERSION = "recodiff-store", 1
Index = Literal["exact", "hnsw"]
"""Whether all items are compared, or those that a graph leads to."""


class Manifest(BaseConfig):
    """The manifest of a store: enough to ask it, and to know which model it answers for."""

    format: str = FORMAT
    version: int = VERSION
    kind: str
    """Name of the engine."""
    index: Index = "exact"
    """How it finds the nearest."""
    items: int
    """I, the items it holds."""
    width: int
    """H, the width of a user's vector; 0 where it takes histories."""
    measure: Measure = "ip"
    """What it compares."""
    longest: float = 0.0
    """The greatest length of an item's vector, under `l2`."""
    breadth: int = 1
    """Candidates that a graph looks at, as a multiple of the rows asked for."""
    recall: dict[str, float] = Field(default_factory=dict)
    """Of a graph, what part of the exact lists it found when it was written, by their length."""
    folder: str = ""
    """Where the engine's files are, beside the manifest."""
    hashes: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of files that are only ever read, by name."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What else an engine keeps."""
    model: dict[str, Any] = Field(default_factory=dict)
    """The model: its name and what identifies its weights."""


def needed(module: str, package: str) -> Any:
    """Import a package that only some stores need.

    Args:
        module: its name in Python.
        package: its name in the registry.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing_extra(error, module, f"this store needs the package {package}", package) from None
