"""Upper bounds of a lone user's scores from a copy of the items in 8 bits, which is a quarter of what float32 products read.

A vector v is s q and a rest: q are whole numbers from -127 to 127, s is the greatest |v_j| by 127. So is the user's, u = t p and a
rest. p . q is exact, and u . v - t s p . q is at most |t p| |v - s q| + |u - t p| |v| by Cauchy-Schwarz.

The products p . q are numkong's, the one well-kept library at hand whose product of a vector and many is bound by reading them
(`benchmarks/`, case `exact_lists`). Where it is not installed a lone user's products are float32's.

Shapes: `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recodiff.ranking.rounding import FLOOR, ROUNDOFF, ROWS_BYTES, SLACK, items_fit, users_fit

GREATEST = 127
BYTES_BESIDE = 16
"""Of an item beside its numbers: its scale, bias, norm and rest."""


class Copy8:
    """Item vectors in 8 bits; `copied_to_8` says whether there can be one.

    Args:
        vectors: float32 [I, H], on the CPU.
        bias: float32 [I].
        norm: the greatest |v|.
    """

    def __init__(self, vectors: Tensor, bias: Tensor, norm: float) -> None:
        n, width = vectors.shape
        self.numbers = torch.empty(n, width, dtype=torch.int8)
        self.scales, self.norms, self.rests = (torch.empty(n) for _ in range(3))
        unit = SLACK * (width + 8) * ROUNDOFF
        for part in torch.arange(n).split(max(ROWS_BYTES // (4 * width), 1)):
            here = slice(int(part[0]), int(part[-1]) + 1)
            vector = vectors[here]
            scales, norms = _scale(vector), torch.linalg.vector_norm(vector, dim=1)
            whole = _whole(vector, scales)
            self.numbers[here], self.scales[here] = whole, scales[:, 0]
            rests = torch.linalg.vector_norm(whole.mul_(scales).sub_(vector), dim=1)
            self.norms[here], self.rests[here] = norms, rests.add_(norms, alpha=2 * unit)
        for sizes in (self.norms, self.rests):
            sizes.mul_(SLACK).add_(FLOOR * norm)
        self.bias = bias + bias.abs() * unit
        self._array = self.numbers.numpy()

    @property
    def nbytes(self) -> int:
        """Bytes of the copy."""
        return sum(part.nbytes for part in (self.numbers, self.scales, self.norms, self.rests, self.bias))

    def bounds(self, user: Tensor) -> Tensor | None:
        """Bounds of the scores of all items, float32 [1, I]; None where they would not hold.

        Args:
            user: float32 [1, H].
        """
        if not users_fit(user):
            return None
        scale = _scale(user)
        whole = _whole(user, scale)
        numbers, rest = whole.to(torch.int8), torch.linalg.vector_norm(user - whole * scale)
        size = max(torch.linalg.vector_norm(user), torch.linalg.vector_norm(whole * scale))
        products = np.empty(len(self._array), np.int32)
        library().dot(numbers.numpy(), self._array, out=products)
        found = torch.from_numpy(products).float().mul_(self.scales).mul_(float(scale)).add_(self.bias)
        return found.add_(self.rests, alpha=float(size * SLACK)).add_(self.norms, alpha=float(rest * SLACK))[None]


def copied_to_8(vectors: Tensor, bias: Tensor, norm: float) -> Copy8 | None:
    """A copy of items in 8 bits; None where there is no library for its products, memory is short or bounds would not hold.

    Args:
        vectors: float32 [I, H], on the CPU.
        bias: float32 [I].
        norm: the greatest |v|.
    """
    fits = library() is not None and items_fit(vectors, bias, norm, bytes_each=vectors.shape[1] + BYTES_BESIDE)
    return Copy8(vectors, bias, norm) if fits else None


@cache
def library() -> Any:
    """The library of products of 8 bits; None where it is not there, or does not add them up exactly."""
    try:
        library = import_module("numkong")
        numbers = np.full((3, 1000), GREATEST, np.int8)
        numbers[1] *= -1
        numbers[2, ::2] = 1
        found = np.empty(3, np.int32)
        library.dot(numbers[1:2], numbers, out=found)
        wanted = numbers.astype(np.int64) @ numbers[1].astype(np.int64)
    except Exception:  # whatever ails it, there is another way
        return None
    return library if (found == wanted).all() else None


def _scale(vectors: Tensor) -> Tensor:
    """What a whole number stands for, [n, 1]; 1 where all are 0."""
    greatest = vectors.abs().amax(1, keepdim=True)
    return torch.where(greatest > 0, greatest / GREATEST, 1.0).clamp_(min=torch.finfo(torch.float32).tiny)


def _whole(vectors: Tensor, scales: Tensor) -> Tensor:
    return (vectors / scales).round_().clamp_(-GREATEST, GREATEST)
