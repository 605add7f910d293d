"""Networks built without drawing their numbers: shapes for an estimate, room for weights that are loaded.

Shapes: none; whatever the network has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)
DRAWS = (Tensor.normal_, Tensor.uniform_, Tensor.random_, Tensor.bernoulli_, Tensor.exponential_, Tensor.zero_, Tensor.fill_)
"""What initialises a weight in place. `normal_` on the meta device imports torch._dynamo and sympy, two seconds (PyTorch 2.13)."""


class Weightless(TorchFunctionMode):
    """A mode under which networks are built with shapes and without numbers: what `torch.empty` makes takes no memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in DRAWS and args[0].is_meta:
            return args[0]
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def uninitialised(build: Callable[[], M]) -> M:
    """The module that `build` makes, with room for its parameters and without drawing them: weights are loaded into it.

    Args:
        build: makes the same module at every call. Where it reads the numbers it draws, they are drawn.
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
                room = torch.empty_strided(parameter.shape, parameter.stride(), dtype=parameter.dtype)  # empty_like imports sympy
                made[parameter] = nn.Parameter(room, parameter.requires_grad)
            setattr(owner, name, made.get(parameter, parameter))
    return module


_keeps: ContextVar[bool] = ContextVar("keeps", default=False)


@contextmanager
def given_kept() -> Iterator[None]:
    """Within it `give_weights` gives a module the very tensors, however they lie in memory, and copies none."""
    before = _keeps.set(True)
    try:
        yield
    finally:
        _keeps.reset(before)


def give_weights(module: nn.Module, state: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Give a module without numbers its weights.

    Args:
        module: of `uninitialised`.
        state: by name; copied, but within `given_kept`.

    Returns:
        The names of parameters that `state` lacks, and those in it that the module does not have.
    """
    copied = dict(state)
    for name, parameter in module.named_parameters() if _keeps.get() else ():
        given = copied.get(name)
        if given is not None and (given.shape, given.dtype) == (parameter.shape, parameter.dtype):
            parameter.data = copied.pop(name)
    missing, foreign = module.load_state_dict(copied, strict=False)
    parameters = {name for name, _ in module.named_parameters()}
    return [name for name in missing if name in parameters and name not in state], list(foreign)
