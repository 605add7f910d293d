"""Users and items whose scores are hard to tell apart."""

from __future__ import annotations

import torch
from torch import Tensor

from recodiff.models.batch import ItemVectors

KINDS = ["random", "last bits", "unequal norms", "biases dominate", "equal", "tiny", "small beside large", "above 16 bits"]


def near_ties(kind: str, n_items: int, width: int, seed: int) -> tuple[Tensor, ItemVectors]:
    """Users and items whose scores differ in their last bits."""
    draw = torch.Generator().manual_seed(seed)
    users, vectors, bias = (torch.randn(shape, generator=draw) for shape in ((6, width), (n_items, width), (n_items,)))
    if kind == "last bits":
        order = torch.stack([torch.randperm(width, generator=draw) for _ in range(n_items)])
        users = users[:, :1].expand(-1, width).contiguous()  # the same terms, added in other orders
        vectors, bias = vectors[0][order], torch.zeros(n_items)
    elif kind == "unequal norms":
        vectors = vectors * torch.logspace(-4, 4, n_items)[torch.randperm(n_items, generator=draw), None]
    elif kind == "biases dominate":
        bias = 1e4 + bias.round()
    elif kind == "equal":
        vectors, bias = vectors.round(), torch.zeros(n_items)
        users = users.round()
    elif kind == "tiny":
        users, vectors, bias = users * 1e-25, vectors * 1e-18, bias * 1e-42
    elif kind == "small beside large":
        users, vectors = (
            users * torch.tensor([1e-30, 1e-12, 1.0, 1e12, 0.0, 1e-38])[:, None],
            vectors * 10.0 ** (-6 * bias.abs())[:, None],
        )
    elif kind == "above 16 bits":  # alike in 8 bits, apart by less
        vectors = vectors[:1] * (1 + 2.0**-9 * torch.rand(n_items, 1, generator=draw))
        bias = torch.zeros(n_items)
    return users, ItemVectors(vectors, bias)
