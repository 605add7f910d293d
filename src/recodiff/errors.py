"""The errors a user can cause. Each message is one sentence that names the value and the remedy.

The command line prints the message and exits with a non-zero code; anything that is not a `RecodiffError`
(or an operating-system error) is a bug of ours and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RecodiffError(Exception):
    """Base of every error that a user can cause and mend."""


class DataError(RecodiffError):
    """Interactions, ids or files that cannot be used as they are."""


class ConfigError(RecodiffError):
    """A setting that is unknown, out of range or at odds with another."""


class ModelError(RecodiffError):
    """A model asked for something it does not offer, or used before it was fitted."""


class CheckpointError(RecodiffError):
    """A model folder that is missing, damaged or foreign."""


class MissingExtraError(RecodiffError):
    """A package that only some features need is not installed."""


class RecodiffWarning(UserWarning):
    """A fact that a user should know and that stops nothing: one sentence, shown by the command line as `warning: ...`."""


def missing_extra(error: ImportError, module: str, need: str, install: str) -> MissingExtraError:
    """Make the error of a package that is not installed, or that is and fails when it is imported.

    Args:
        error: as the import raised it.
        module: that was imported.
        need: what needs which package, such as `tuning needs optuna`.
        install: what pip installs.
    """
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == module.partition(".")[0]:
        return MissingExtraError(f"{need}; get it with pip install {install}")
    return MissingExtraError(f"{need}, and importing it fails ({str(error).splitlines()[0]}); mend that, or pip install {install}")


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """A question that names the known word nearest to a given one; empty where none is near.

    Args:
        given: what was asked for.
        known: the words that there are.
    """
    close = difflib.get_close_matches(str(given), list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else ""
