"""TensorBoard: event files in the folder `tensorboard` of the work, shown by `tensorboard --logdir`.

It keeps no files, so the model card is shown as text, and where the files lie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from recodiff.errors import ConfigError
from recodiff.tracking.tracker import TENSORBOARD, TrackerRun

TEXTS = (".md", ".toml", ".csv")
"""Endings of files that are shown whole."""
MOST_SHOWN = 100_000
"""Characters of such a file."""


def begin_tensorboard(name: str, out: Path | None) -> TrackerRun:
    """Begin a run.

    Args:
        name: of the run, which is its folder's.
        out: the folder of the work.

    Raises:
        ConfigError: there is no such folder.
    """
    if out is None:
        raise ConfigError("TensorBoard's files lie in the folder of the run; give one with out=")
    return TensorBoardRun(out / TENSORBOARD / _as_folder(name))


class TensorBoardRun:
    """A folder of event files.

    Args:
        folder: made if it is not there; what an earlier run of that name left stays.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SummaryWriter(str(folder), flush_secs=10)
        self.settings: dict[str, str | float | bool] = {}
        self.found: dict[str, float] = {}

    def parameters(self, values: Mapping[str, str | float | bool]) -> None:
        """See `TrackerRun`; they are written at the end, beside the figures, as TensorBoard lays runs side by side so."""
        self.settings |= values

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackerRun`."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def figures(self, values: Mapping[str, float]) -> None:
        """See `TrackerRun`."""
        self.found |= values

    def files(self, paths: Sequence[Path], what: str) -> None:
        """See `TrackerRun`."""
        listed = "\n".join(f"    {path.resolve()}" for path in paths)
        self.writer.add_text(what, f"Files of this run:\n\n{listed}")
        for path in paths:
            if path.suffix in TEXTS:
                text = path.read_text("utf-8")[:MOST_SHOWN]
                shown = text if path.suffix == ".md" else "\n".join(f"    {line}" for line in text.splitlines())
                self.writer.add_text(path.name, shown)

    def child(self, name: str) -> TrackerRun:
        """See `TrackerRun`."""
        return TensorBoardRun(self.folder / _as_folder(name))

    def end(self, *, ok: bool) -> None:
        """See `TrackerRun`."""
        if self.settings or self.found:
            self.writer.add_hparams(
                self.settings | {"finished": ok}, {f"result/{key}": value for key, value in self.found.items()}, run_name="."
            )
        self.writer.close()


def _as_folder(name: str) -> str:
    return re.sub(r"[^\w.+=@-]+", "-", name).strip("-.") or "run"
