"""The registry of models: name, what it is, what it can do, and where it differs from its config's defaults."""

from __future__ import annotations

import importlib
from typing import Any

from recodiff.errors import MissingExtraError
from recodiff.models.registry import MODELS, Entry, build
from reference_pages.markdown import anchor, code, first_paragraph, table

TRAITS = {
    "order_aware": "needs time",
    "item_vectors": "item vectors",
    "remembers_users": "remembers users",
    "seeded": "draws numbers",
}
"""Trait -> heading of its column."""


def page() -> str:
    """A table of all models, and a section for each class."""
    rows = [(f"[`{name}`](#{anchor(name)})", entry.title, entry.about, *_traits(name)) for name, entry in MODELS.items()]
    head = (
        "# Models\n\nNames for `model` in a settings file, for the command line and for `recodiff.build`. The traits are those of "
        "the default settings; another weighting may need time.\n\n"
    )
    header = ["name", "title", "what it is", *TRAITS.values()]
    return head + table(header, rows) + "\n\n" + "\n\n".join(map(section, MODELS)) + "\n"


def _traits(name: str) -> list[str]:
    try:
        traits = build(name).traits
    except MissingExtraError:
        return ["?"] * len(TRAITS)
    return ["yes" if getattr(traits, trait) else "" for trait in TRAITS]


def section(name: str) -> str:
    """A model: its class, the class's docstring, and the settings that the name brings."""
    entry = MODELS[name]
    module, _, cls = entry.path.partition(":")
    lines = [f"## {entry.title} {{#{anchor(name)}}}", f"{code(name)}, class `{module}.{cls}`. {_about(entry)}"]
    try:
        lines.append(f"Settings: [{type(build(name).config).__name__}](settings.md#{anchor(type(build(name).config).__name__)}).")
    except MissingExtraError as error:
        lines.append(f"Settings: not shown, since {error}.")
    if changed := list(_flat(entry.settings)):
        lines.append(table(["the name sets", "to"], [(code(key), code(value)) for key, value in changed]))
    return "\n\n".join(lines)


def _about(entry: Entry) -> str:
    module, _, cls = entry.path.partition(":")
    return first_paragraph(getattr(importlib.import_module(module), cls))


def _flat(settings: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(settings, dict):
        return [(path, settings)]
    return [row for key, inner in settings.items() for row in _flat(inner, f"{path}.{key}" if path else str(key))]
