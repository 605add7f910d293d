"""Tables and text in Markdown, in which a name stays a name whatever characters it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from recodiff.runtime.progress import printable

_MARKUP = re.compile(
    r"[\\`|*~$]"
    r"|<(?=[A-Za-z/!?])"  # a tag; "< .001" is none
    r"|&(?=#?\w+;)"  # an entity
    r"|\](?=[\[(:])"  # a link
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis; snake_case is none
)


def cell(text: str) -> str:
    """Text within a line or a table's cell: markup and controls in it are shown and not obeyed, a line break becomes a space.

    Args:
        text: as it is to be read.
    """
    return _MARKUP.sub(r"\\\g<0>", printable(" ".join(text.split("\n"))))


def line(text: str) -> str:
    """Text that begins a line or a list's entry, where `#`, `-` or `1.` would begin a block.

    Args:
        text: as it is to be read.
    """
    escaped = cell(text)
    begins = re.match(r"[#>+-]|\d{1,9}[.)]", escaped)
    return escaped if begins is None else f"{begins.group()[:-1]}\\{escaped[begins.end() - 1 :]}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text.

    Args:
        heads: one per column.
        rows: a cell per column each.
    """
    lines = [list(map(cell, heads)), ["---"] * len(heads), *(list(map(cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
