"""What float32 holds of vectors, their squares and products, and so which of them have bounds in fewer bits.

Shapes: `B` users, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recodiff.runtime import memory

ROUNDOFF, SLACK = 2.0**-24, 1.02
"""Of float32; for the rounding of the bounds themselves."""
LEAST_NORM, MOST_NORM = 2.0**-30, 2.0**60
"""Norms between which float32 holds all squares and products that matter."""
FLOOR = 2.0**-20
"""Of the greatest norm: what every norm and rest is taken greater by. More than what is lost of numbers that float32 has not."""
LEAST_BIAS = 2.0**-100
"""A bias that is nearer to 0, and not 0, has pieces that float32 has not."""
MOST_TERMS = 2**16
"""Whose rounding is within SLACK."""
LEAST_TERM = 2.0**-125
"""What may be lost of a product or sum that is too small for float32."""
ROWS_BYTES = 2**20
"""Rows that are rounded at once."""
SHARE_OF_FREE = 0.5
"""Of what is free that a copy may take."""


def users_fit(users: Tensor) -> bool:
    """Tell whether bounds hold for every user; not where a number is NaN.

    Args:
        users: float32 [B, H].
    """
    norms, largest = torch.linalg.vector_norm(users, dim=1), users.abs().amax(1)
    return bool(((largest == 0) | (largest >= LEAST_NORM) & (norms <= MOST_NORM)).all())


def items_fit(vectors: Tensor, bias: Tensor, norm: float, *, bytes_each: int) -> bool:
    """Tell whether bounds hold for every item, and a copy of so many bytes an item fits in memory.

    Args:
        vectors: float32 [I, H].
        bias: float32 [I].
        norm: the greatest |v|.
        bytes_each: 1 or more.
    """
    free, sizes = memory.available_memory(), bias.abs()
    fits = free is None or len(vectors) * bytes_each <= SHARE_OF_FREE * free
    held = bool(((sizes == 0) | (sizes >= LEAST_BIAS) & (sizes <= MOST_NORM)).all())
    return fits and held and LEAST_NORM <= norm <= MOST_NORM and vectors.shape[1] <= MOST_TERMS
