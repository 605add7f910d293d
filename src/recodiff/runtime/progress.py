"""Progress bars: shown on a terminal, silent where the output goes to a file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that move a terminal's cursor, colour what follows or turn its direction; line ends and tabs are none of them."""


def printable(text: str) -> str:
    """Text as it may be shown on a terminal: control characters of titles, ids and names become visible escapes.

    Args:
        text: of any origin.
    """
    return CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}" if match[0] < "\u0100" else f"\\u{ord(match[0]):04x}", text)


def speaks() -> bool:
    """Tell whether this process writes messages and files: of several under torchrun rank 0 alone."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"


@contextmanager
def bar(what: str, total: int | None, *, show: bool = True, start: int = 0) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on standard error.

    Args:
        what: the work, in a word or two.
        total: steps in all, None where not known.
        show: False keeps silent; so does an output that is not a terminal.
        start: steps already done.

    Yields:
        `advance(steps, note)`: that many more are done, with something to say beside the bar.
    """
    if not show or not speaks() or not sys.stderr.isatty():
        yield lambda steps, note: None
        return
    from rich.console import Console  # here, for a command that shows no bar to start sooner
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=start, note="")
        yield lambda steps, note: progress.update(task, advance=steps, note=printable(note))
