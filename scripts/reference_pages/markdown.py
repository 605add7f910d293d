"""Pieces of Markdown that several pages share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars inside a cell are kept from breaking it."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text that can stand in a table."""
    return " ".join(text.replace("|", "\\|").split())


def code(value: Any) -> str:
    """A value as code; nothing where there is none."""
    return f"`{value}`" if str(value) else ""


def anchor(name: str) -> str:
    """An id of a heading for a dotted or hyphenated name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def first_paragraph(value: Any) -> str:
    """What the docstring begins with, on one line."""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


def indented(text: str) -> str:
    """Text inside a block of an admonition."""
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
