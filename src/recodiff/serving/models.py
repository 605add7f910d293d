"""The models of a service: which one answers whom, and newer folders taken up while it runs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any

from recodiff.errors import RecodiffError
from recodiff.serving.errors import RefusedError
from recodiff.serving.metrics import Metrics
from recodiff.serving.served import Served, load_served, stamp
from recodiff.serving.settings import ServiceSettings

LOGGER = logging.getLogger("recodiff.serving")


class Models:
    """The loaded models, by name.

    Args:
        settings: of the service.

    Raises:
        CheckpointError: a folder cannot be loaded.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.stamps = {name: stamp(folder) for name, folder in settings.runs.items()}
        self.served = {name: self._load(name) for name in settings.runs}
        self.refused: dict[str, bool] = dict.fromkeys(settings.runs, False)
        """Whether a newer folder is damaged, so that the older model goes on."""

    def _load(self, name: str) -> Served:
        return load_served(name, self.settings.runs[name], device=self.settings.device, trust_code=self.settings.trust_code)

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
        seen: dict[str, Any] = {}
        while True:
            await asyncio.sleep(self.settings.watch_seconds)
            for name in self.served:
                await self._look(name, seen)

    async def _look(self, name: str, seen: dict[str, Any]) -> None:
        """Takes up a newer folder once it has rested for a round, as one that is being copied changes all the time."""
        now = stamp(self.settings.runs[name])
        if now == self.stamps[name] or seen.get(name) != now:
            seen[name] = now
            return
        self.stamps[name] = now
        try:
            served = await asyncio.to_thread(self._load, name)
        except (RecodiffError, OSError, MemoryError) as error:
            self.refused[name] = True
            self.metrics.reloads.labels(name, "refused").inc()
            LOGGER.error("the newer folder of model %s is refused, and the older model goes on: %s", name, error)
            return
        self.served[name], self.refused[name] = served, False
        self.metrics.reloads.labels(name, "taken").inc()
        LOGGER.warning("model %s is now version %s", name, served.version)
