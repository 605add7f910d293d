"""The k largest of many columns.

Shapes: `B` rows, `I` columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64
"""Columns whose maximum decides whether they are looked into for the largest scores."""
LEAST_BLOCKS = 8
"""Times k: with fewer blocks there is nothing to gain."""


def largest(scores: Tensor, k: int, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """Find what `scores.topk(k)` of [B, I] finds: of many columns only the k blocks with the greatest maxima are searched.

    Whatever is among the k largest stands in one of those blocks, so the values are the same. Among equal scores the order is
    arbitrary, and another item may stand in the last place.

    Args:
        scores: contiguous.
        k: at most I.
        block: columns of a block.

    Returns:
        Values and columns, both [B, k], the largest first.
    """
    n_blocks = scores.shape[1] // block
    if n_blocks < LEAST_BLOCKS * k:
        return scores.topk(k)
    whole = n_blocks * block
    blocks = scores[:, :whole].unflatten(1, (n_blocks, block)).amax(2).topk(k).indices
    within = torch.arange(block, device=scores.device)
    rest = torch.arange(whole, scores.shape[1], device=scores.device).expand(len(scores), -1)
    columns = torch.cat([(blocks[:, :, None] * block + within).flatten(1), rest], 1)
    values, at = scores.gather(1, columns).topk(k)
    return values, columns.gather(1, at)
