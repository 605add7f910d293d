"""What a model is given, and what it may give beside scores.

Shapes: `B` users in a batch, `I` items, `H` width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from recodiff.tensors.rows import Rows


@dataclass(frozen=True)
class Batch:
    """Users to score.

    Args:
        history: what each has interacted with, weighted, oldest first; [B, I].
        users: where each stands among `Recommender.users`, int64 [B]; -1 for an unseen user. None: all are unseen.
        views: the same histories weighted otherwise, by the name of the model's view; each [B, I].
    """

    history: Rows
    users: Tensor | None = None
    views: Mapping[str, Rows] = field(default_factory=lambda: MappingProxyType({}))

    def view(self, name: str) -> Rows:
        """The histories as that view has them, [B, I]; a batch made by hand has them one way only.

        Args:
            name: one of the model's `history_views`.
        """
        return self.views.get(name, self.history)

    def places(self) -> Tensor:
        """The places of `users`, -1 for every user where they are not known; int64 [B]."""
        return torch.full_like(self.history.offsets[1:], -1) if self.users is None else self.users


@dataclass(frozen=True)
class ItemVectors:
    """Item i's score for a user is `vectors[i] . user + bias[i]`.

    Args:
        vectors: [I, H].
        bias: [I].
    """

    vectors: Tensor
    bias: Tensor
