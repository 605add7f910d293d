"""One of several workers: what it is started with, and what it does."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import torch

from recodiff.errors import RecodiffError
from recodiff.serving.copies import Copies
from recodiff.serving.metrics import FOLDER
from recodiff.serving.server import answer, log_as_a_service, set_modules_aside
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.tokens import Tokens

LOGGER = logging.getLogger("recodiff.serving")
LONGEST_LINE = 1 << 22
"""Bytes of a line of choices that is written at once, so that lines of several workers do not mix."""


@dataclass(frozen=True)
class WorkerOrder:
    """All that a worker is started with.

    Args:
        settings: of the service.
        folder: of the copies that it maps.
        store: as `open_histories` takes it: URL, table, columns.
        tokens: who may ask.
        choices: a file, see `Service`.
        hosts: see `create_app`.
        threads: of its CPU.
    """

    settings: ServiceSettings
    folder: Path
    store: tuple[str, str | None, str | None]
    tokens: Tokens | None
    choices: Path | None
    hosts: Collection[str] | None
    threads: int


def work(order: WorkerOrder, listening: socket.socket, above: Connection) -> None:
    """Answer until SIGTERM, or until the process above is gone; the whole of a worker's process.

    Args:
        order: what it is started with.
        listening: the socket that all workers accept from.
        above: the pipe to that process, which gets True once this one answers.
    """
    from recodiff.serving.models import Models
    from recodiff.serving.service import Service
    from recodiff.serving.store.open import open_histories

    os.environ[FOLDER] = str(order.folder / "metrics")
    log_as_a_service()
    set_modules_aside()
    threading.Thread(target=_end_with, args=(above,), daemon=True).start()
    torch.set_num_threads(order.threads)
    try:
        models = Models(order.settings, Copies(order.folder))
        with opened_choices(order.choices) as lines:
            service = Service(models, open_histories(*order.store), order.tokens, lines)
            answer(service, listening, order.hosts, lambda: above.send(True))
    except RecodiffError as error:
        LOGGER.error("worker %s cannot answer: %s", os.getpid(), error)
        sys.exit(1)


def _end_with(above: Connection) -> None:
    try:
        above.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def opened_choices(path: Path | None) -> IO[str] | nullcontext[None]:
    """A file that takes each line whole, also from several workers; nothing where there is none.

    Args:
        path: of the file, which is appended to.
    """
    return nullcontext() if path is None else path.open("a", LONGEST_LINE, encoding="utf-8")
