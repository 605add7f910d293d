"""Scores as inner products of a user's and an item's vector.

Shapes: `B` users in a batch, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from functools import cache

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor


@cache
def _blas() -> ThreadpoolController:
    """NumPy's, which is to take as many threads as PyTorch."""
    return ThreadpoolController()


@torch.no_grad()
def inner_products(users: Tensor, items: Tensor, bias: Tensor | None = None) -> Tensor:
    """u . v_i + b_i of all users and items; not for training.

    A lone user on a CPU costs little more than reading the items (`benchmarks/`, case `new_user`): NumPy's product of a matrix
    and a vector comes near that, PyTorch's took twice as long on an AMD processor.

    Args:
        users: [B, H].
        items: [I, H].
        bias: [I].

    Returns:
        [B, I], the caller's to write into.
    """
    if len(users) == 1 and items.device.type == "cpu" and items.dtype == users.dtype == torch.float32 and items.is_contiguous():
        with _blas().limit(limits=torch.get_num_threads(), user_api="blas"):
            scores = torch.from_numpy(items.detach().numpy() @ users[0].detach().numpy())[None]
    else:
        scores = users @ items.T
    return scores if bias is None else scores.add_(bias)
