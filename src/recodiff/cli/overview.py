"""What `recodiff --help` says: the commands in the order in which they are used.

The library that shows each command's own help is not used here. It would double the time, and it sorts commands by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from textwrap import fill

WIDEST_TEXT = 100
"""Columns of text at most; a line of more is hard to read."""


def overview(commands: Mapping[str, str], columns: int | None = None) -> str:
    """All commands, a line or two each.

    Args:
        commands: name -> what it does.
        columns: of the terminal; asked of the system unless given.
    """
    width = min(columns or shutil.get_terminal_size().columns, WIDEST_TEXT)
    behind = 4 + max(map(len, commands))

    def entry(name: str, text: str) -> str:
        return fill(text, max(width, behind + 20), initial_indent=f"  {name}".ljust(behind), subsequent_indent=" " * behind)

    return "\n".join(
        [
            "Usage: recodiff COMMAND",
            "",
            fill("Diffusion recommender models: from interaction logs to top-K recommendations.", width),
            "",
            "Commands:",
            *(entry(name, text) for name, text in commands.items()),
            "",
            "Options:",
            entry("--help", "Show this; after a command, show its options: recodiff train --help"),
            entry("--version", "Show the version."),
        ]
    )
