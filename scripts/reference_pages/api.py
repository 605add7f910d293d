"""The Python API: every public name with its stability, documented from its docstring."""

from __future__ import annotations

import griffe

import recodiff
from reference_pages.markdown import anchor, first_paragraph, table
from reference_pages.sources import package

GROUPS = {
    "Data": ("data",),
    "Models": ("models", "runtime"),
    "Lists and vectors": ("ranking",),
    "Evaluation": ("evaluation",),
    "Experiments": ("experiments", "reports"),
    "Settings": ("configs", "config"),
    "Writing a model": ("testing",),
    "Errors": ("errors",),
}
"""Heading -> rooms whose public names stand below it."""
LEVELS = {
    "stable": "changes only after a deprecation that lasts a release",
    "provisional": "may change in a minor version; the changelog says so",
    "internal": "everything that is not on this page; may change at any time",
}


def page() -> str:
    """The levels, then the names by group."""
    levels = table(["level", "what it promises"], LEVELS.items())
    intro = "# Python API\n\nAll of it is imported from `recodiff` and loads when it is first used.\n\n" + levels
    listed = table(
        ["name", "level", "what it is"], [(f"[`{name}`](#{anchor(name)})", level(name), _about(name)) for name in names()]
    )
    return intro + "\n\n" + listed + "\n\n" + "\n\n".join(_group(title, rooms) for title, rooms in GROUPS.items()) + "\n"


def names() -> list[str]:
    """Public names of `recodiff`."""
    return sorted(recodiff.__all__)


def level(name: str) -> str:
    """A name's stability."""
    return "stable" if name in recodiff.STABLE else "provisional"


def undocumented() -> list[str]:
    """Public names, and public methods of public classes, without a docstring."""
    return [missing for name in names() for missing in _missing(name)]


def _missing(name: str) -> list[str]:
    found = _source(name)
    missing = [] if found.has_docstring else [f"recodiff.{name}"]
    if found.is_class:
        inner = [member for key, member in found.members.items() if not key.startswith("_") and not member.is_alias]
        missing += [f"recodiff.{name}.{member.name}" for member in inner if member.is_function and not member.has_docstring]
    return missing


def _source(name: str) -> griffe.Object | griffe.Alias:
    found = package()[name]
    return found.final_target if found.is_alias else found


def _about(name: str) -> str:
    docstring = _source(name).docstring
    return " ".join(docstring.value.split("\n\n")[0].split()) if docstring else first_paragraph(getattr(recodiff, name))


def _room(name: str) -> str:
    return _source(name).path.split(".")[1]


def _group(title: str, rooms: tuple[str, ...]) -> str:
    known = {room for group in GROUPS.values() for room in group}
    here = [name for name in names() if _room(name) in rooms or (title == "Settings" and _room(name) not in known)]
    parts = [f"### {name} {{#{anchor(name)}}}\n\n*{level(name)}*\n\n::: recodiff.{name}" for name in here]
    return "\n\n".join([f"## {title}", *parts]) if parts else ""
