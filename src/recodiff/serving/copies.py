"""Copies of the served model folders that several workers map: one process writes them, the others read.

The copies do not depend on the folders: whatever becomes of a folder, a worker that is started again finds the last model that
was good. `models/NAME` is a link to the newest copy, `copies/NAME-VERSION`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from recodiff.models.mapped import copy_to_map
from recodiff.runtime import files
from recodiff.serving.served import Served, load_served, stamp

STATUS, HELD = "status.json", "held"
PREFIX = "recodiff-serve-"
KEPT_SECONDS = 60.0
"""How long a copy stays once it is replaced: a worker may still be opening it."""


class Copies:
    """The copies in one folder.

    Args:
        folder: of this service alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._noting = threading.Lock()  # one thread notes starts, another what becomes of newer models

    def link(self, name: str) -> Path:
        """The path at which the newest copy of a model is found.

        Args:
            name: of the model.
        """
        return self.folder / "models" / name

    def take(self, name: str, source: Path, *, trust_code: bool = False) -> Served:
        """Load a model folder, and let its copy take the place of the older one.

        Args:
            name: of the model.
            source: its folder.
            trust_code: as for `load_model`.

        Raises:
            CheckpointError: the folder cannot be loaded; the older copy stays.
            OSError: there is no room for the copy.
        """
        before = stamp(source)
        served = load_served(name, source, trust_code=trust_code)
        copy = self.folder / "copies" / f"{name}-{served.version}-{time.time_ns()}"
        copy.mkdir(parents=True)
        try:
            copy_to_map(served.model, source, copy)
        except BaseException:
            shutil.rmtree(copy, ignore_errors=True)
            raise
        if stamp(source) != before:  # replaced meanwhile: its files may be of two models
            shutil.rmtree(copy, ignore_errors=True)
            return self.take(name, source, trust_code=trust_code)
        link, new = self.link(name), copy.with_name(f"{copy.name}.link")
        link.parent.mkdir(exist_ok=True)
        new.symlink_to(copy, target_is_directory=True)
        if link.exists():
            os.utime(link.resolve())  # from now on it is old, see `sweep`
        os.replace(new, link)
        return served

    def sweep(self) -> None:
        """Remove copies that were replaced a while ago; a worker that maps one keeps it until it has a newer one."""
        current = {link.resolve() for link in (self.folder / "models").iterdir()}
        for copy in (self.folder / "copies").iterdir():
            gone = copy.resolve() not in current and not copy.is_symlink()
            if gone and time.time() - copy.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(copy, ignore_errors=True)

    def note(self, **what: Any) -> None:
        """Write down what workers are to know beside the models; see `noted`.

        Args:
            what: values of JSON by name.
        """
        with self._noting:
            files.write_json(self.folder / STATUS, self.noted() | what)

    def noted(self) -> dict[str, Any]:
        """Read what was written down: `refused`, models whose newer folder is damaged; `reloads`, by name and result; `starts`."""
        try:
            return json.loads((self.folder / STATUS).read_text("utf-8"))
        except FileNotFoundError:
            return {}


@contextmanager
def folder_of_copies() -> Iterator[Path]:
    """A temporary folder for the copies, which goes at the end; those that a killed service has left go first."""
    above = Path(tempfile.gettempdir())
    for old in above.glob(f"{PREFIX}*"):
        _remove_unheld(old)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as made, filelock.FileLock(Path(made) / HELD):
        yield Path(made)


def _remove_unheld(folder: Path) -> None:
    try:
        if time.time() - folder.stat().st_mtime > KEPT_SECONDS:  # a younger one may be about to be held
            with filelock.FileLock(folder / HELD, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
    except (OSError, filelock.Timeout):
        return
