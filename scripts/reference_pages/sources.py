"""What griffe reads from the sources: docstrings of fields, and whether there is one at all."""

from __future__ import annotations

from functools import cache

import griffe


@cache
def package() -> griffe.Module:
    """The package as its sources have it; nothing is imported."""
    found = griffe.load("recodiff", try_relative_path=False)
    assert isinstance(found, griffe.Module)
    return found


def field_docstring(cls: type, name: str) -> str:
    """The docstring below a field of a class or of the nearest base that has one; empty where nobody wrote one."""
    for base in cls.__mro__:
        if not base.__module__.startswith("recodiff"):
            continue
        members = package()[f"{base.__module__.removeprefix('recodiff.')}.{base.__qualname__}"].members
        if name in members and members[name].docstring:
            return members[name].docstring.value
    return ""
