"""The folder beside one that is written for what does not fit in memory: its name, its mark, and how it goes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

SPILLED = "recodiff-spill"
"""A file by which a folder beside one that is written is known as ours."""


def spill_of(folder: Path) -> Path:
    """The folder beside one that is written, for what does not fit in memory.

    Args:
        folder: that is written.
    """
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.spill")


def remove_spill(folder: Path) -> None:
    """Remove a folder of `spill_of`, the file by which it is known last: what a kill leaves of it is still known as ours.

    Args:
        folder: that has the file; what cannot be removed stays, and the file with it.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != SPILLED:
                path.unlink()
        (folder / SPILLED).unlink()
        folder.rmdir()
