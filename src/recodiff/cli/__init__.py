"""The command line. Commands load when they are called, so help answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError
from rich.console import Console

from recodiff.errors import RecodiffError

COMMANDS = {
    "demo": "The tour: fetch real data, train, compare, recommend, write a report.",
    "prepare": "Turn raw interactions into a data folder.",
    "train": "Train a model and write its folder.",
    "evaluate": "Measure a model on a data folder.",
    "recommend": "Make lists for known users, for all users, or for a history typed by hand.",
    "similar": "The items most like given ones.",
    "export": "Write user and item vectors for a vector index or database.",
    "info": "Tell what a data folder, a model folder or a preset holds.",
}

app = App(
    name="recodiff",
    help="Diffusion recommender models: from interaction logs to top-K recommendations.",
    version=lambda: version("recodiff"),
    help_format="plaintext",
)
for _name, _help in COMMANDS.items():
    app.command(f"recodiff.cli.{_name}:{_name}", name=_name, help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; a user's mistake ends with one sentence and a non-zero exit code."""
    sys.path.append(os.getcwd())  # so that `model = "module:Class"` finds a module beside the settings
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        sentence = " ".join(str(error).split())
        _stop(errors, f"{sentence} See `recodiff --help`.", 2)
    except RecodiffError as error:
        _stop(errors, str(error), 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, and that is all there is to say
        sys.exit(1)
    except OSError as error:
        place = f" '{error.filename}'" if error.filename else ""
        _stop(errors, f"the system refused{place} ({error.strerror or error}); check the path, its permissions and free space", 1)
    except KeyboardInterrupt:
        _stop(errors, "interrupted; an unfinished training run goes on with the same command and --resume", 130)


def _stop(errors: Console, sentence: str, code: int) -> None:
    errors.print(f"recodiff: {sentence}", markup=False)
    sys.exit(code)
