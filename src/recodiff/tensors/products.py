"""Scores as inner products of a user's and an item's vector.

Shapes: `B` users in a batch, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from functools import cache

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from recodiff.moved import old_names


@cache
def _blas() -> ThreadpoolController:
    """NumPy's, which is to take as many threads as PyTorch."""
    return ThreadpoolController()


class ScoreBuffer:
    """Memory for the scores of one batch, which the next batch uses again.

    New pages for the scores of a large catalogue take longer than the products. Within `with room:` the first result of
    `inner_products` lies in it, until the next `with`; whoever needs that result longer must copy it.
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None
        self._outer: list[Token[ScoreBuffer | None]] = []
        self._free = False

    def __enter__(self) -> ScoreBuffer:
        self._free = True
        self._outer.append(_buffer.set(self))
        return self

    def __exit__(self, *error: object) -> None:
        _buffer.reset(self._outer.pop())

    def take(self, n: int, width: int, like: Tensor) -> Tensor | None:
        """Memory for [n, width] numbers of the type and device of `like`; None where it is in use.

        Args:
            n: rows.
            width: columns.
        """
        if not self._free:
            return None
        kept = self._memory
        if kept is None or len(kept) < n * width or (kept.dtype, kept.device) != (like.dtype, like.device):
            self._memory = kept = like.new_empty(n * width)
        self._free = False
        return kept[: n * width].view(n, width)


_buffer: ContextVar[ScoreBuffer | None] = ContextVar("buffer", default=None)


@torch.no_grad()
def inner_products(users: Tensor, items: Tensor, bias: Tensor | None = None) -> Tensor:
    """Scores u . v_i + b_i of all users and items, without gradients.

    A single user on a CPU costs little more than reading the items (`benchmarks/`, case `new_user`). NumPy's product of a matrix
    and a vector comes near that; PyTorch's took twice as long on an AMD processor.

    Args:
        users: [B, H].
        items: [I, H].
        bias: [I].

    Returns:
        [B, I], which the caller may write into; within a `ScoreBuffer` until that is used again.
    """
    if len(users) == 1 and items.device.type == "cpu" and items.dtype == users.dtype == torch.float32 and items.is_contiguous():
        with _blas().limit(limits=torch.get_num_threads(), user_api="blas"):
            scores = torch.from_numpy(items.detach().numpy() @ users[0].detach().numpy())[None]
    else:
        buffer = _buffer.get()
        out = None if buffer is None else buffer.take(len(users), len(items), users)
        scores = torch.mm(users, items.T, out=out)
    return scores if bias is None else scores.add_(bias)


__getattr__ = old_names(__name__)
