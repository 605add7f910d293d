"""Folders that may be replaced while they are served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recodiff.serving.served import stamp


class FolderWatch:
    """Tells which model folders hold a newer model.

    Args:
        folders: by name; what they hold now is known already.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        self._known = {name: stamp(folder) for name, folder in self.folders.items()}
        self._seen: dict[str, Any] = {}

    def newer(self) -> list[str]:
        """Names of folders that have changed and then rested for a round: one that is being copied changes all the time."""
        found = []
        for name, folder in self.folders.items():
            now = stamp(folder)
            if now != self._known[name] and self._seen.get(name) == now:
                self._known[name] = now
                found.append(name)
            self._seen[name] = now
        return found
