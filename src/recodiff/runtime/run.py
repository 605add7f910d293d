"""What belongs to a run and not to the model: device, seed, threads, folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from recodiff.errors import ConfigError
from recodiff.runtime import distributed

MOST_THREADS = 4096
"""More than any machine has cores."""
Shared = Literal["none", "items"]
OnEpoch = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class Run:
    """The settings of a run that are not the model's: device, seed, threads, folder.

    Args:
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`...
        seed: of everything random.
        threads: CPU threads for the whole process; as torch has it unless given.
        out: folder for the log and the checkpoint; nothing is written without one.
        resume: go on from the checkpoint in `out`, if there is one.
        progress: whether a progress bar may be shown.
        tell: called with each sentence that a user should see before training, such as the estimate of its memory.
        shard: `items` has each of several processes hold the weights of its share of the items, for catalogues beyond one
            device; the model is the same. With one process it changes nothing.
        longest: seconds after which a training by epochs ends with the epoch that is under way, and keeps its best weights so far;
            the components of a mixture share them. What a training of an earlier command took counts.
        on_epoch: called after each epoch with its line of the log: `epoch`, `loss`, `seconds` and, where it was validated,
            figures. Of a mixture the names begin with that of the component. After a resumption the earlier lines come first.

    Raises:
        ConfigError: the threads are fewer than one or more than MOST_THREADS, or `shard` is neither.
    """

    device: str = "auto"
    seed: int = 0
    threads: int | None = None
    out: Path | None = None
    resume: bool = False
    progress: bool = True
    tell: Callable[[str], None] | None = None
    shard: Shared = "none"
    longest: float | None = None
    on_epoch: OnEpoch | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise ConfigError(f"threads = {self.threads} cannot be used; give 1 to {MOST_THREADS}, or leave it to torch")
        if self.shard not in get_args(Shared):
            raise ConfigError(f"shard = {self.shard!r} is unknown; say 'none' or 'items'")

    @property
    def torch_device(self) -> torch.device:
        """The device to use.

        Raises:
            ConfigError: there is no such device here.
        """
        name = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        name = distributed.own_gpu(name)
        try:
            device = torch.device(name)
            torch.zeros(1, device=device).item()  # a device that is only a name, such as `meta`, fails here
        except (RuntimeError, AssertionError, NotImplementedError):
            raise ConfigError(f"device '{self.device}' cannot be used on this machine; try 'cpu' or 'auto'") from None
        return device
