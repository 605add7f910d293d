"""Modules of the user's own, `module:Class` in settings: found in the folder in which a command is called, as Python finds others.

That folder is not on Python's path otherwise: libraries look for optional packages of many names, and would run its files.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

LOOKED_IN: list[str] = []
"""Folders in which such modules are looked for after all others; the command line has the one in which it is called."""


def import_user_module(name: str) -> ModuleType:
    """Import a module that a user has named, from Python's path, else from `LOOKED_IN`.

    The folder of one that was found there stays on the path: it may import its neighbours later, and so may a process of its own.

    Args:
        name: of the module, dotted; one of ours will do too.

    Raises:
        ImportError: there is none.
        Exception: whatever the module raises.
    """
    if importlib.util.find_spec(name.partition(".")[0]) is not None:
        return importlib.import_module(name)
    before = [*sys.path]
    sys.path += LOOKED_IN
    try:
        return importlib.import_module(name)
    except BaseException:
        sys.path[:] = before
        raise
