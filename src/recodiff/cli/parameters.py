"""Parameters that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from recodiff.moved import old_names


def whole_number(kind: Any, tokens: Sequence[Any]) -> int:
    """Read a whole number as it was typed; 1.5 is refused, not rounded.

    Args:
        kind: the parameter's type, which cyclopts gives.
        tokens: what was typed.
    """
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"'{tokens[0].value}' is not a whole number") from None


Whole = Annotated[int, Parameter(converter=whole_number)]


def use_threads(threads: int | None) -> None:
    """Bound this process's CPU threads, where a number is given.

    Args:
        threads: 1 or more, or None.

    Raises:
        ConfigError: it is below one.
    """
    import torch

    from recodiff.runtime.run import Run

    if (wanted := Run(threads=threads).threads) is not None:
        torch.set_num_threads(wanted)


__getattr__ = old_names(__name__)
