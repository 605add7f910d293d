"""The models of a service: which one answers whom, and newer folders taken up while it runs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from recodiff.errors import RecodiffError
from recodiff.runtime.memory import give_freed_memory_back
from recodiff.serving.copies import Copies
from recodiff.serving.errors import RefusedError
from recodiff.serving.metrics import Metrics
from recodiff.serving.served import Served, load_served
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.watch import FolderWatch

LOGGER = logging.getLogger("recodiff.serving")
T = TypeVar("T")
REFUSED = "the newer folder of model %s is refused, and the older model goes on: %s"


class Models:
    """The loaded models, by name.

    Args:
        settings: of the service.
        copies: of the folders, which are mapped in their place; this process is then one of several.

    Raises:
        CheckpointError: a folder cannot be loaded.
    """

    def __init__(self, settings: ServiceSettings, copies: Copies | None = None) -> None:
        self.settings, self.copies, self.metrics = settings, copies, Metrics(None if copies is None else copies.noted)
        folders = settings.runs if copies is None else {name: copies.link(name) for name in settings.runs}
        self._watch = FolderWatch(folders)
        self.served = {name: self._load(name) for name in settings.runs}
        self._refused: set[str] = set()

    def _load(self, name: str) -> Served:
        folder, given = self._watch.folders[name], self.settings
        return load_served(name, folder, device=given.device, trust_code=given.trust_code, mapped=self.copies is not None)

    def newer_refused(self, name: str) -> bool:
        """Tell whether a newer folder is damaged, so that the older model goes on.

        Args:
            name: of the model.
        """
        return name in self._refused or (self.copies is not None and name in self.copies.noted().get("refused", ()))

    def get(self, name: str) -> Served:
        """The model of that name.

        Args:
            name: of the model.

        Raises:
            RefusedError: there is none.
        """
        if name not in self.served:
            raise RefusedError(404, f"no model is called {name[:80]!r}; the models are {', '.join(self.served)}")
        return self.served[name]

    def for_user(self, user: str | None) -> Served:
        """The model that answers a user where the request names none: by a hash of the id, so that it stays the same one.

        Args:
            user: the id; the default answers where there is none.
        """
        if user is not None and self.settings.split:
            at = int.from_bytes(hashlib.sha256(user.encode()).digest()[:8], "big") / 2**64
            for name, share in self.settings.split.items():
                if at < share:
                    return self.served[name]
                at -= share
        return self.served[self.settings.default]

    async def watch(self) -> None:
        """Look for newer folders until cancelled."""
        loaded = False
        with ThreadPoolExecutor(1, "loading") as loading:  # threads in turn would each keep memory of their own
            while True:
                await asyncio.sleep(self.settings.watch_seconds)
                if loaded:  # by now the last list of the older model is made
                    await _in(loading, give_freed_memory_back)
                newer = self._watch.newer()
                for name in newer:
                    await self._take(name, loading)
                loaded = bool(newer)

    async def _take(self, name: str, loading: ThreadPoolExecutor) -> None:
        try:
            served = await _in(loading, self._load, name)
        except (RecodiffError, OSError, MemoryError) as error:
            self._refused.add(name)
            self.metrics.reloads.labels(name, "refused").inc()
            LOGGER.error(REFUSED, name, error)
            return
        self.served[name] = served
        self._refused.discard(name)
        self.metrics.reloads.labels(name, "taken").inc()
        LOGGER.warning("model %s is now version %s", name, served.version)


async def _in(thread: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)
