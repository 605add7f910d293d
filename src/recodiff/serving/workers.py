"""Several processes that answer at one address: they share its socket, the weights and the figures.

The process above them holds no model. It copies the model folders and looks for newer ones (`Copies`), starts another worker in
place of one that has died, and ends with all of them.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from recodiff.errors import ConfigError, RecodiffError
from recodiff.runtime.run import Run
from recodiff.runtime.sql import is_in_memory
from recodiff.serving.copies import Copies
from recodiff.serving.metrics import FOLDER
from recodiff.serving.models import REFUSED
from recodiff.serving.server import GRACE_SECONDS
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.watch import FolderWatch
from recodiff.serving.worker import WorkerOrder, work

LOGGER = logging.getLogger("recodiff.serving")
WATCH_SECONDS = 0.25
"""How often a worker looks for a newer copy."""
PRELOADED = ["recodiff.serving.worker", "recodiff.serving.models", "recodiff.serving.store.open"]
"""Modules that are imported once, by a process that does nothing else and of which each worker is a fork.

It has no threads, and never calls torch or polars; a fork of a process that had would be unsafe. A worker then starts in a second,
and shares what the modules take, 130 MB of torch alone.
"""
TICK_SECONDS = 0.2
"""How often signals are looked at; an end of a worker is seen at once."""
STARTS = 3
"""Ends in a row of a worker that never answered, after which the service gives up, if none ever has."""
LONGEST_PAUSE = 30.0
"""Seconds before a worker that keeps ending is started again."""


def refuse_several(settings: ServiceSettings, store: str) -> None:
    """Refuse what several workers cannot share.

    Args:
        settings: of the service.
        store: the URL of the store of histories.

    Raises:
        ConfigError: weights that are not in the CPU's memory, or a database in the memory of one process.
    """
    if (device := Run(device=settings.device).torch_device.type) != "cpu":
        raise ConfigError(f"several workers share weights in memory, and '{device}' has its own; say --device cpu, or --workers 1")
    if is_in_memory(store):
        raise ConfigError(
            f"'{store}' is in the memory of one process, and several workers need one database; give --store sqlite:///FILE"
        )


@dataclass
class _Place:
    """Where a worker runs.

    Args:
        process: that runs there.
        above: our end of its pipe; it ends when we do.
        ready: whether it answers.
        failures: workers in a row that ended here before they answered.
        again: when the next one is started, where none runs; of `time.monotonic`.
    """

    process: ForkServerProcess | None = None
    above: Connection | None = None
    ready: bool = False
    failures: int = 0
    again: float = 0.0


@dataclass
class Workers:
    """The workers of a service, and what is done for all of them.

    Args:
        order: what each is started with; its models are copied by `take_all` first.
        settings: of the service as a whole; their folders are watched.
        count: of workers, 2 or more.
        listening: the socket, which they accept from.
    """

    order: WorkerOrder
    settings: ServiceSettings
    count: int
    listening: socket.socket
    _stopping: int = field(default=0, init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.copies = Copies(self.order.folder)
        self._watch = FolderWatch(self.settings.runs)
        self._places = [_Place() for _ in range(self.count)]
        self._starts = 0
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def take_all(self) -> dict[str, int]:
        """Copy all model folders, and give their numbers of items.

        Raises:
            CheckpointError: one cannot be loaded.
            OSError: there is no room for the copies.
        """
        trusted = self.settings.trust_code
        return {name: self.copies.take(name, folder, trust_code=trusted).size for name, folder in self.settings.runs.items()}

    def run(self, answers: Callable[[], None]) -> None:
        """Have the workers answer until Ctrl-C or SIGTERM; requests under way are answered first.

        Args:
            answers: called once all of them do.

        Raises:
            ConfigError: they end before they answer; the log says why.
        """
        watching = threading.Thread(target=self._look_for_newer, daemon=True)
        said = False
        with _signals(self._stop), _figures(self.order.folder / "metrics"):
            watching.start()
            try:
                while not self._stopping:
                    self._start_lacking()
                    self._hear()
                    if not said and all(place.ready for place in self._places):
                        answers()
                        said = True
                    if not said and any(place.failures >= STARTS for place in self._places):
                        raise ConfigError("the workers end before they answer; the lines above say why")
            finally:
                self._over.set()
                self._end()
        watching.join()

    def _stop(self, *_: object) -> None:
        self._stopping += 1

    def _start_lacking(self) -> None:
        for place in self._places:
            if place.process is None and time.monotonic() >= place.again:
                place.above, its = self._context.Pipe()
                place.process = self._context.Process(target=work, args=(self.order, self.listening, its))
                before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C reaches all; we tell the workers
                try:
                    place.process.start()
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                its.close()
                self._starts += 1
                self.copies.note(starts=self._starts)

    def _hear(self) -> None:
        """Wait for what workers say, or for the end of one."""
        here = [(place, place.process, place.above) for place in self._places]
        heard: list[Any] = [process.sentinel for _, process, _ in here if process is not None]
        heard += [above for place, _, above in here if above is not None and not place.ready]
        happened = wait(heard, TICK_SECONDS) if heard else time.sleep(TICK_SECONDS) or []
        for place, process, above in here:
            if above in happened and above is not None:
                with suppress(EOFError):  # it has ended, which its sentinel says
                    place.ready, place.failures = above.recv(), 0
            if process is not None and process.sentinel in happened:
                self._bury(place, process)

    def _bury(self, place: _Place, process: ForkServerProcess) -> None:
        process.join()
        if process.pid is not None:
            mark_process_dead(process.pid, os.environ[FOLDER])
        if place.above is not None:
            place.above.close()
        place.failures += not place.ready
        pause = min(2.0 ** (place.failures - 1), LONGEST_PAUSE) if place.failures else 0.0
        place.process, place.above, place.ready, place.again = None, None, False, time.monotonic() + pause
        if not self._stopping:
            LOGGER.error("worker %s ended (%s); another is started", process.pid, _how(process.exitcode))

    def _end(self) -> None:
        """Ask all workers to end, and wait for what they answer still; a second signal waits no longer."""
        self.listening.close()  # a connection that comes once the workers have stopped accepting is refused, and does not wait
        asked, until = self._stopping, time.monotonic() + GRACE_SECONDS + 5
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            process.terminate()
        while any(process.is_alive() for process in running) and time.monotonic() < until and self._stopping <= asked:
            wait([process.sentinel for process in running if process.is_alive()], TICK_SECONDS)
        for process in running:
            if process.is_alive():
                process.kill()
            process.join()

    def _look_for_newer(self) -> None:
        while not self._over.wait(self.settings.watch_seconds):
            for name in self._watch.newer():
                self._take(name)
            self.copies.sweep()

    def _take(self, name: str) -> None:
        try:
            self.copies.take(name, self.settings.runs[name], trust_code=self.settings.trust_code)
            result = "taken"
        except (RecodiffError, OSError, MemoryError) as error:
            result = "refused"
            LOGGER.error(REFUSED, name, error)
        noted = self.copies.noted()
        refused = set(noted.get("refused", ())) - {name} | ({name} if result == "refused" else set())
        counts = noted.get("reloads", {})
        counts[name] = counts.get(name, {}) | {result: counts.get(name, {}).get(result, 0) + 1}
        self.copies.note(refused=sorted(refused), reloads=counts)


def _how(code: int | None) -> str:
    return f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"


@contextmanager
def _signals(stop: Callable[..., None]) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _figures(folder: Path) -> Iterator[None]:
    """Workers find in their environment where figures are shared."""
    folder.mkdir()
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(FOLDER)
        if before is not None:
            os.environ[FOLDER] = before
