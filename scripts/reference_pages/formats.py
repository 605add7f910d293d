"""File formats that `recodiff prepare` reads, and the folders that the program writes."""

from __future__ import annotations

import inspect
from types import ModuleType

from recodiff.data import saving as data_folder
from recodiff.data.readers import columns, formats
from recodiff.models import saving as model_folder
from recodiff.training import checkpoint
from reference_pages.markdown import code, first_paragraph, table

FOLDERS: dict[str, ModuleType] = {"A data folder": data_folder, "A model folder": model_folder, "A checkpoint": checkpoint}
"""Heading -> the module that writes it, whose docstring says what it holds."""


def page() -> str:
    """Formats, names of columns, and what stands in the folders."""
    known = [(code(name), first_paragraph(type(reader))) for name, reader in formats.READERS.items()]
    roles = [(role, ", ".join(map(code, names))) for role, names in columns.KNOWN.items()]
    parts = [
        "# File formats",
        "## What `prepare` reads",
        "The first that recognises a file or folder reads it; `--format` names one.",
        table(["format", "what it is"], known),
        "## Names of columns",
        "Without case and punctuation; the first name of a role wins.",
        table(["role", "names"], roles),
        "## What the program writes",
        *(f"### {title}\n\n{inspect.getdoc(module)}" for title, module in FOLDERS.items()),
    ]
    return "\n\n".join(parts) + "\n"
