"""The command line. Commands load when they are called, so help answers at once."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

from recodiff.cli.overview import overview
from recodiff.errors import RecodiffError, RecodiffWarning
from recodiff.runtime import user_code
from recodiff.runtime.progress import printable, speaks

if TYPE_CHECKING:
    from inspect import BoundArguments

    from cyclopts import App
    from rich.console import Console

COMMANDS = {
    "demo": "The tour: fetch real data, train, compare, recommend, write a report.",
    "auto": "From a log to a model: choose the best of several methods in a given time, and train it on everything.",
    "prepare": "Turn raw interactions into a data folder.",
    "corrupt": "Add random items to the training and validation parts of a data folder.",
    "train": "Train a model and write its folder.",
    "refresh": "Train a model's settings on a newer log, and put the new model in its place unless it is worse.",
    "tune": "Search settings on the validation part of a data folder.",
    "evaluate": "Measure a model on a data folder.",
    "recommend": "Make lists for known users, for all users, or for a history typed by hand.",
    "serve": "Serve models over HTTP, with a store of histories and a page to look at.",
    "similar": "The items most like given ones.",
    "export": "Write user and item vectors for a vector index or database.",
    "compare": "Train several models on one data folder, and lay them side by side with paired tests.",
    "reproduce": "Run a table or figure of the paper, and lay the published figures beside ours.",
    "info": "Tell what a data folder, a model folder or a preset holds.",
}
GO_ON = {
    "auto": "; the same command goes on from here",
    "train": "; the same command with --resume goes on from here",
    "refresh": "; the same command goes on from here",
    "tune": "; the same command goes on after the last whole trial",
    "compare": "; the same command goes on from here",
    "reproduce": "; the same command goes on from here",
}
"""What to do where a command was interrupted."""
TAKES_SETTINGS = ("train", "tune")
"""Commands that have --set."""
INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of what was interrupted by Ctrl-C and of what the system asked to end, a shell's convention."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: a system that stops, a container that is taken down, a job whose time is over."""


SPEAKS_LATER_SECONDS = 15
"""Under torchrun only the first process says at once what stopped it: if it stopped all, the others are ended before they speak."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake ends with one sentence and a non-zero exit code.

    Args:
        arguments: what follows `recodiff`; those of the process unless given.
    """
    # Threads that spin for long while they wait make torch several times slower wherever another process wants a core.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    with suppress(FileNotFoundError):  # the folder may be gone
        user_code.LOOKED_IN[:] = [os.getcwd()]  # so that `model = "module:Class"` finds a module beside the settings
    given = list(sys.argv[1:] if arguments is None else arguments)
    called = given[0] if given else ""
    warnings.simplefilter("always", RecodiffWarning)
    warnings.showwarning = _show_warning
    _end_with_a_sentence()
    try:
        if given in ([], ["--help"], ["-h"]):
            print(overview(COMMANDS))
            return
        command, bound = _parsed(given, called, alone=arguments is None)
        command(*bound.args, **bound.kwargs)
    except RecodiffError as error:
        _stop(str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, and that is all there is to say
        sys.exit(1)
    except OSError as error:
        place = f" '{error.filename}'" if error.filename else ""
        _stop(f"the system refused{place} ({error.strerror or error}); check the path, its permissions and free space", 1)
    except MemoryError as error:
        _stop(_too_little_memory(str(error) or "an allocation failed"), 1)
    except Terminated:
        _stop(f"ended by the system (SIGTERM){GO_ON.get(called, '')}", TERMINATED)
    except KeyboardInterrupt:
        _stop(f"interrupted{GO_ON.get(called, '')}", INTERRUPTED)
    except RuntimeError as error:
        if not _is_memory(error):
            raise
        _stop(_too_little_memory(str(error).splitlines()[0]), 1)


def _too_little_memory(why: str) -> str:
    return f"there is too little memory ({why}); close other programs, or see docs/how-to/scale-out"


def _is_memory(error: RuntimeError) -> bool:
    """Whether PyTorch's allocator failed: on a GPU it has an exception of its own, on a CPU words alone."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _end_with_a_sentence() -> None:
    """Has SIGTERM end as Ctrl-C does. Under torchrun it ends a process at once: one that waits for others could not be asked."""
    if threading.current_thread() is not threading.main_thread() or "TORCHELASTIC_RUN_ID" in os.environ:
        return

    def end(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)


def _parsed(given: list[str], called: str, *, alone: bool) -> tuple[Callable[..., Any], BoundArguments]:
    """The command and its arguments, its modules imported.

    Python's garbage collector would walk all that the imports make again and again, a fifth of a second, and once more when the
    process ends. So it rests meanwhile; and where the process is the command's `alone`, it leaves out what was made till then.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        from cyclopts import CycloptsError

        try:
            command, bound, _ = _app(called).parse_args(given, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            see = f"recodiff {called} --help" if called in COMMANDS else "recodiff --help"
            _stop(f"{' '.join(str(error).split())}{_forgotten(given, called)} See `{see}`.", 2)
        if alone:
            gc.freeze()
        return command, bound
    finally:
        if collects:
            gc.enable()


def _forgotten(given: Sequence[str], called: str) -> str:
    """Where a setting was typed bare, what to put before it."""
    bare = [word for before, word in pairwise(given) if "=" in word and not before.startswith("--") and not word.startswith("--")]
    return f" A setting comes after --set: --set {bare[0]}." if bare and called in TAKES_SETTINGS else ""


def _app(called: str) -> App:
    """The commands. The one that is called shows its docstring as help; the others are not even imported."""
    from cyclopts import App, Parameter

    app = App(
        name="recodiff",
        version=_version,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=(), show_default=_worth_saying),
    )
    for name, summary in COMMANDS.items():
        app.command(f"recodiff.cli.{name}:{name}", name=name, **({} if name == called else {"help": summary}))
    return app


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Shows ours as one sentence on standard error; those of libraries go unseen, as they are about code."""
    if issubclass(category, RecodiffWarning) and speaks():
        _errors().print(f"warning: {_one_line(str(message))}")


def _version() -> str:
    from importlib.metadata import version

    return version("recodiff")


def _worth_saying(default: Any) -> str | None:
    return None if default is None or default is False else str(default)


def _stop(sentence: str, code: int) -> NoReturn:
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from recodiff.runtime import distributed

        distributed.leave_at_once()
        if not speaks():
            if code == INTERRUPTED:
                sys.exit(code)
            time.sleep(SPEAKS_LATER_SECONDS)
    _errors().print(f"recodiff: {_one_line(sentence)}")
    sys.exit(code)


def _errors() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _one_line(sentence: str) -> str:
    """A sentence on one line: what others wrote in it (a file name, a library's message) may hold line breaks and escapes."""
    return printable(" ".join(sentence.split()))
