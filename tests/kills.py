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
from itertools import count
from pathlib import Path
from typing import Any

from recodiff import cli

PATIENCE = 300
"""Seconds; a busy machine takes its time."""
COMMANDS = (
    "auto",
    "compare",
    "corrupt",
    "demo",
    "evaluate",
    "export",
    "prepare",
    "recommend",
    "refresh",
    "reproduce",
    "train",
    "tune",
)
PRELOADED = [
    *("kills", "polars", "torch", "torch._dynamo", "sklearn.cluster", "optuna", "safetensors.torch", "filelock"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("recodiff.models.diffrec.diffrec", "recodiff.models.linear.ease", "recodiff.models.popularity"),
    *(f"recodiff.cli.{name}" for name in COMMANDS),
]
"""What takes long to import, and what imports begin no threads."""
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


def small_demo(cache: Path) -> None:
    """Has the tour take its data from a cache, and train two models in a moment: kills of trainings are tested with `train`."""
    from recodiff.cli import demo as command
    from recodiff.experiments import demo as tour

    os.environ["RECODIFF_CACHE"] = str(cache)
    tour.TOUR_MODELS = ("popularity", "ease-ml-100k")
    command.MODELS_SHOWN = ("Popularity", "EASE")


def small_auto() -> None:
    """Has `auto` compare two methods that take a moment, with few trials."""
    from recodiff.experiments import auto as module

    module.WITH_TIME = ("popularity", "ease")
    module.MOST_TRIALS = 3


def small_reproduce() -> None:
    """Has a figure of the paper be of two trainings that take a moment."""
    from lab import figure_of, tiny
    from recodiff.experiments.reproduce import catalogue

    points = (tiny(key, panel="p", line="DiffRec", point=key) for key in ("one", "two"))
    catalogue.EXPERIMENTS["figure5"] = figure_of(*points)


def _run(arguments: list[str], point: int | None, before: Callable[[], None] | None) -> None:
    os.setpgrp()
    if before is not None:
        before()
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


def killed(*arguments: object, point: int | None = None, before: Callable[[], None] | None = None) -> bool:
    """Runs a command of the command line, killed before its file operation of that number; whether that came before its end.

    Args:
        arguments: of the command line.
        point: the operation, counted from 0; None to let it run to its end.
        before: called in the process first.

    Raises:
        AssertionError: it ended in any other way than well.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_run, args=([str(argument) for argument in arguments], point, before))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"hangs after a kill at {point}")
    assert process.exitcode in (0, -signal.SIGKILL), f"exit code {process.exitcode} at {point}"
    return process.exitcode != 0


SLICE, COUNTS = os.environ.get("RECODIFF_KILLS"), os.environ.get("RECODIFF_KILLS_COUNTED")
"""`1` for kills at all operations, `2/5` for the second of five slices of them; and a file that is told how many there were."""
SMALL = ("--set", "training.epochs=4", "--set", "training.check_every_epochs=1", "--set", "denoiser.hidden=[8]", "--threads", "1")
Words = tuple[object, ...]


def at_points(
    stride: int,
    fresh: Callable[[], Path],
    command: Callable[[Path], Words],
    check: Callable[[Path], None],
    before: Callable[[], None] | None = None,
) -> int:
    """Kills `command` in a fresh place at every `stride`-th operation, and checks the place each time.

    Gives the number of kills; of a slice, about how many operations there are.
    """
    part, parts = map(int, f"{SLICE}/1".split("/")[:2]) if SLICE else (1, stride)
    for number, point in enumerate(count(part - 1, parts)):
        place = fresh()
        if not killed(*command(place), point=point, before=before):
            shutil.rmtree(place)
            if COUNTS:
                with open(COUNTS, "a") as counts:
                    counts.write(f"{os.environ['PYTEST_CURRENT_TEST'].split('::')[-1].split()[0]} {number}\n")
            return point if SLICE else number  # a fine slice of few operations may have none
        check(place)
        shutil.rmtree(place)
    raise AssertionError


def empty(place: Path) -> Callable[[], Path]:
    """Makes a folder with a file of the user's in it."""

    def fresh() -> Path:
        place.mkdir()
        (place / "notes.txt").write_text("mine")
        return place

    return fresh


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]
