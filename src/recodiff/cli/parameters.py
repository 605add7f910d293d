"""Parameters that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter


def whole(kind: Any, tokens: Sequence[Any]) -> int:
    """A whole number as it was typed; 1.5 is refused, not rounded."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"'{tokens[0].value}' is not a whole number") from None


Whole = Annotated[int, Parameter(converter=whole)]


def use_threads(threads: int | None) -> None:
    """Bounds this process's CPU threads, where a number is given.

    Raises:
        ConfigError: it is below one.
    """
    import torch

    from recodiff.runtime.run import Run

    if (wanted := Run(threads=threads).threads) is not None:
        torch.set_num_threads(wanted)
