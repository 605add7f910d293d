"""Networks built without drawing their numbers: shapes for an estimate, room for weights that are loaded.

Shapes: none; whatever the network has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)


class Weightless(TorchFunctionMode):
    """Networks built under it have shapes and no numbers: what `torch.empty` makes takes no memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def blank(build: Callable[[], M]) -> M:
    """The module that `build` makes, its parameters there and not drawn: to be loaded, which drawing would make twice as long.

    Args:
        build: makes the same module at every call.
    """
    try:
        with Weightless():
            module = build()
    except (RuntimeError, TypeError, ValueError):  # it looks at its numbers
        return build()
    plain = (value for owner in module.modules() for value in vars(owner).values() if isinstance(value, Tensor))
    if any(tensor.is_meta for tensor in (*module.buffers(), *plain)):
        return build()
    made: dict[nn.Parameter, nn.Parameter] = {}  # one that stands in two places stays one
    for owner in module.modules():
        for name, parameter in list(owner.named_parameters(recurse=False, remove_duplicate=False)):
            if parameter.is_meta and parameter not in made:
                made[parameter] = nn.Parameter(torch.empty_like(parameter, device="cpu"), parameter.requires_grad)
            setattr(owner, name, made.get(parameter, parameter))
    return module
