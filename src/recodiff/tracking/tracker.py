"""What a tracker is asked, and the one that is asked while work goes on: it may fail, and the work does not.

`trackers` has a class for each of TRACKERS, `Tracked` is what trainings, searches and comparisons hold.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from recodiff.errors import ConfigError, RecodiffWarning, did_you_mean, missing_extra
from recodiff.runtime import distributed

TrackerName = Literal["tensorboard", "mlflow", "wandb"]
PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""Name -> the module that must be there."""
TENSORBOARD = "tensorboard"
"""The folder of its files, in that of the work."""
MOST_TEXT = 500
"""Characters of a parameter."""


class TrackerRun(Protocol):
    """A run in a tracker, as each of them has it. Any method may raise whatever the tracker raises."""

    def parameters(self, values: Mapping[str, str | float | bool]) -> None:
        """Write settings.

        Args:
            values: dotted name -> value.
        """
        ...

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """Write a point of each of several curves.

        Args:
            step: the epoch, from 1 on.
            values: name -> figure; finite.
        """
        ...

    def figures(self, values: Mapping[str, float]) -> None:
        """Write figures of the run as a whole.

        Args:
            values: name -> figure; finite.
        """
        ...

    def files(self, paths: Sequence[Path], what: str) -> None:
        """Keep files.

        Args:
            paths: of the files.
            what: they are together, in a word.
        """
        ...

    def child(self, name: str) -> TrackerRun:
        """Begin a run within this one.

        Args:
            name: it is shown under.
        """
        ...

    def end(self, *, ok: bool) -> None:
        """End the run.

        Args:
            ok: whether the work came to its end.
        """
        ...


class _State:
    """Whether a tracker still takes anything: one for a run and all within it."""

    def __init__(self, name: str) -> None:
        self.name, self.failed = name, False


class Tracked:
    """A run that is tracked as long as its tracker takes it: a first failure is one warning, and what follows is dropped.

    Args:
        run: of the tracker; None where nothing is tracked.
        state: shared by all runs of one command.
    """

    def __init__(self, run: TrackerRun | None = None, state: _State | None = None) -> None:
        self._run, self._state = run, state

    def parameters(self, settings: Mapping[str, Any]) -> None:
        """Write settings.

        Args:
            settings: nested.
        """
        self._ask("parameters", dict(_flat(settings)))

    def curve(self, entry: Mapping[str, float]) -> None:
        """Write what an epoch's line of a training log holds.

        Args:
            entry: with `epoch` among its keys.
        """
        self._ask("curve", int(entry["epoch"]), _finite({key: value for key, value in entry.items() if key != "epoch"}))

    def figures(self, values: Mapping[str, float | None]) -> None:
        """Write figures of the run as a whole.

        Args:
            values: name -> figure; what is None or not finite is left out.
        """
        self._ask("figures", _finite(values))

    def files(self, paths: Sequence[Path], what: str) -> None:
        """Keep files.

        Args:
            paths: of the files.
            what: they are together, in a word.
        """
        self._ask("files", list(paths), what)

    @contextmanager
    def child(self, name: str) -> Iterator[Tracked]:
        """A run within this one, for as long as the context lasts.

        Args:
            name: it is shown under.
        """
        with _until_end(Tracked(self._ask("child", name), self._state)) as inside:
            yield inside

    def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        if self._run is None or self._state is None or self._state.failed:
            return None
        try:
            return getattr(self._run, method)(*arguments, **named)
        except Exception as error:  # of any kind: a tracker must not cost a training
            self._state.failed = True
            reason = " ".join(str(error).split())[:MOST_TEXT] or type(error).__name__
            warnings.warn(
                f"{self._state.name} takes nothing more of this run ({reason}); the work goes on untracked",
                RecodiffWarning,
                stacklevel=4,
            )
            return None


NOT_TRACKED = Tracked()


@contextmanager
def _until_end(tracked: Tracked) -> Iterator[Tracked]:
    ok = False
    try:
        yield tracked
        ok = True
    finally:
        tracked._ask("end", ok=ok)


@contextmanager
def open_tracked(tracker: str | None, name: str, out: Path | None) -> Iterator[Tracked]:
    """A run in a tracker, for as long as the context lasts; of several processes the first alone has one.

    Args:
        tracker: one of `TrackerName`; None for none.
        name: the run is shown under.
        out: the folder of the work, in which TensorBoard has its own.

    Raises:
        ConfigError: there is no such tracker, or it cannot be begun.
        MissingExtraError: its package is not installed.
    """
    if tracker is None or not distributed.leads():
        yield NOT_TRACKED
        return
    if tracker not in get_args(TrackerName):
        close = did_you_mean(tracker, get_args(TrackerName)) or f"say {', '.join(get_args(TrackerName))}"
        raise ConfigError(f"there is no tracker {tracker!r}; {close}")
    try:
        importlib.import_module(PACKAGES[tracker])
        begin = getattr(importlib.import_module(f"recodiff.tracking.{tracker}_run"), f"begin_{tracker}")
    except ImportError as error:
        raise missing_extra(error, PACKAGES[tracker], f"tracking needs {PACKAGES[tracker]}", f'"recodiff[{tracker}]"') from None
    try:
        run: TrackerRun = begin(name, out)
    except ConfigError:
        raise
    except Exception as error:  # said before hours of work
        reason = " ".join(str(error).split())[:MOST_TEXT]
        raise ConfigError(f"{tracker} cannot be begun ({reason}); mend that, or leave --track {tracker} out") from None
    with _until_end(Tracked(run, _State(tracker))) as tracked:
        yield tracked


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str | float | bool]]:
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif isinstance(value, bool | int | float):
            yield name, value
        elif value is not None:
            yield name, str(value)[:MOST_TEXT]


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if value is not None and math.isfinite(value)}
