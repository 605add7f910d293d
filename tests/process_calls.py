"""Calls for a process of its own; it imports this file, so it is a light one."""

from __future__ import annotations

import os
import signal

import numpy as np

from recodiff.errors import DataError


def touch(megabytes: int) -> int:
    return int(np.ones(megabytes * 2**17).sum())


def refuse(what: str) -> None:
    raise DataError(what)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(code: int) -> None:
    os._exit(code)


def deaf() -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


class AwkwardError(Exception):
    """Cannot be made again from what it says."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def awkward() -> None:
    raise AwkwardError("this", "that")


def unanswerable() -> object:
    return lambda: None
