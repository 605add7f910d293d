"""MF: matrix factorisation by pairwise comparison.

Shapes: `B` users in a batch, `U` users, `I` items, `D` width of the vectors.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from recodiff.models.factors.embeddings import FactorModel, FactorNet, Factors, FactorsConfig
from recodiff.tensors.random import keep_mask
from recodiff.tensors.rows import Rows


class MFConfig(FactorsConfig):
    """Settings of MF."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the users' vectors that is zeroed at a training step."""


class MFNet(FactorNet):
    """The vectors themselves, and a bias for each item. A user's bias would cancel in every comparison, so there is none."""

    def __init__(self, n_users: int, n_items: int, config: MFConfig, generator: torch.Generator) -> None:
        super().__init__(n_users, n_items, config, generator)
        self.dropout = config.dropout
        self.bias = nn.Parameter(torch.zeros(n_items))

    def compute(self, generator: torch.Generator | None = None) -> Factors:
        """See `FactorNet`."""
        users = self.users
        if generator is not None and self.dropout:
            users = users * keep_mask((len(users), users.shape[1]), self.dropout, users, generator) / (1 - self.dropout)
        return Factors(users, self.items, self.bias)

    def received(self, history: Rows) -> Tensor:
        """Nothing, [B, D]."""
        return self.items.new_zeros(len(history), self.items.shape[1])


class MF(FactorModel):
    """Matrix factorisation learned by BPR (Rendle et al., UAI 2009), the paper's MF.

    s_ui = p_u . q_i + b_i, and for each interaction (u, i) and items j that u has not interacted with

        -log sigma(s_ui - s_uj) + lambda/2 (|p_u|^2 + |q_i|^2 + |q_j|^2)

    `loss` puts another in the place of BPR, the denoising `truncated` and `reweighted` among them.
    """

    Config = MFConfig

    def build(self, n_items: int, generator: torch.Generator) -> MFNet:
        """See `TorchRecommender`."""
        return MFNet(len(self.users), n_items, self.config, generator)
