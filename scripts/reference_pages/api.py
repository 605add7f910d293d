"""The Python API: every public name with its stability, documented from its docstring."""

from __future__ import annotations

import griffe

import recodiff
import recodiff.testing
from reference_pages.markdown import anchor, first_paragraph, table
from reference_pages.sources import package

GROUPS = {
    "Data": ("data",),
    "Models": ("models", "runtime"),
    "Lists and vectors": ("ranking", "stores"),
    "Evaluation": ("evaluation",),
    "Experiments": ("experiments",),
    "Settings": ("configs",),
    "Writing a model": ("models.base", "models.batch", "models.network", "training", "testing"),
    "Errors": ("errors",),
}
"""Heading -> rooms and modules whose public names stand below it; a module's own heading goes before its room's."""
APART = {"testing": recodiff.testing.__all__}
"""Rooms that are imported by their own name, as they need an extra -> their public names."""
LEVELS = {
    "stable": "changes only after a deprecation that lasts a release",
    "provisional": "may change in a minor version; the changelog says so",
    "internal": "everything that is not on this page; may change at any time",
}


def page() -> str:
    """The levels, then the names by group."""
    levels = table(["level", "what it promises"], LEVELS.items())
    intro = "# Python API\n\nImported from `recodiff`, each name loads when it is first used.\n\n" + levels
    listed = table(
        ["name", "level", "what it is"], [(f"[`{name}`](#{anchor(name)})", level(name), _about(name)) for name in names()]
    )
    return intro + "\n\n" + listed + "\n\n" + "\n\n".join(map(_group, GROUPS)) + "\n"


def names() -> list[str]:
    """Public names below `recodiff`, with the room that they are imported from where it is not the package itself."""
    return sorted(recodiff.__all__) + [f"{room}.{name}" for room, apart in APART.items() for name in apart]


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


def group_of(name: str) -> str:
    """The heading of a public name.

    Raises:
        KeyError: no group has the room that it comes from.
    """
    _, room, *inner = _source(name).path.split(".")
    headings = {module: title for title, modules in GROUPS.items() for module in modules}
    return headings.get(f"{room}.{inner[0]}") or headings[room]


def _group(title: str) -> str:
    here = [name for name in names() if group_of(name) == title]
    parts = [f"### {name} {{#{anchor(name)}}}\n\n*{level(name)}*\n\n::: recodiff.{name}" for name in here]
    return "\n\n".join([f"## {title}", *parts])
