"""Commands killed at a chosen file operation, each in a process of its own.

The processes come from a server that has the libraries loaded and no threads yet: a copy of a process with threads may hang.
"""

from __future__ import annotations

import builtins
import io
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recodiff import cli

PRELOADED = ["kills", "polars", "torch", *(f"recodiff.cli.{name}" for name in ("prepare", "train", "recommend", "compare", "tune"))]
CALLS: list[tuple[Any, str]] = [
    (os, "rename"),
    (os, "replace"),
    (os, "fsync"),
    (os, "unlink"),
    (os, "rmdir"),
    (os, "mkdir"),
    (os, "makedirs"),
    (Path, "unlink"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "rmdir"),
    (Path, "mkdir"),
    (Path, "write_text"),
    (Path, "write_bytes"),
    (Path, "touch"),
    (shutil, "rmtree"),
]


def _run(arguments: list[str], point: int | None) -> None:
    os.setpgrp()
    done = [0]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if done[0] == point:
                os.kill(os.getpid(), signal.SIGKILL)
            done[0] += 1
            return real(*arguments, **named)

        return call

    for owner, name in CALLS:
        setattr(owner, name, counted(getattr(owner, name)))
    opened = counted(builtins.open)

    def open_counted(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        return (opened if set(mode) & set("wax+") else io.open)(file, mode, *more, **named)

    builtins.open = open_counted  # type: ignore[assignment]
    with open(os.devnull, "r+") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    cli.main(arguments)


def killed(*arguments: object, point: int | None = None) -> bool:
    """Runs a command of the command line, killed before its file operation of that number; whether that came before its end.

    Raises:
        AssertionError: it ended in any other way than well.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["kills", "polars", "torch", "recodiff.cli.train", "recodiff.cli.prepare", "recodiff.cli.compare"]
    )
    process = context.Process(target=_run, args=([str(argument) for argument in arguments], point))
    process.start()
    process.join(60)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"hangs after a kill at {point}")
    assert process.exitcode in (0, -signal.SIGKILL), f"exit code {process.exitcode} at {point}"
    return process.exitcode != 0
