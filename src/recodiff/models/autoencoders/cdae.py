"""CDAE: a denoising autoencoder of a user's row that also knows the user.

Shapes: `B` users in a batch, `U` users, `I` items, `H` width of the hidden layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.factors.contrast import AnyContrastLoss, Logistic, contrast_scores, sum_by_user
from recodiff.models.network import TorchRecommender
from recodiff.moved import old_names
from recodiff.tensors.products import inner_products
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Contrast, Pair, Pairs
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits

HiddenActivation = Literal["sigmoid", "relu", "tanh"]
HIDDEN_ACTIVATIONS: dict[HiddenActivation, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
}


class CDAEConfig(ModelConfig):
    """Settings of CDAE."""

    hidden: int = Field(default=200, ge=1)
    """H, width of the hidden layer."""
    activation: HiddenActivation = "tanh"
    """h, of the hidden layer."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """q, share of a row's entries that is taken away at a training step; the rest grow by 1 / (1 - q)."""
    negatives: int = Field(default=5, ge=1)
    """Negatives that are drawn for each positive item."""
    loss: AnyContrastLoss = Logistic()
    """Of the scores of positive items and negatives."""
    training: TrainingConfig = TrainingConfig()


class CDAENet(nn.Module):
    """W, V, b, W', b' of `CDAE`; its forward is the training loss.

    Args:
        n_users: U.
        n_items: I.
        config: the model's settings.
        generator: of the initial weights. V begins at zero: before training every user is an unseen one.
    """

    def __init__(self, n_users: int, n_items: int, config: CDAEConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.loss, self.dropout, self.activation = config.loss, config.dropout, HIDDEN_ACTIVATIONS[config.activation]
        spread = (2 / (n_items + config.hidden)) ** 0.5
        self.encoder, self.decoder = (
            nn.Parameter(torch.empty(n_items, config.hidden).normal_(0, spread, generator=generator)) for _ in range(2)
        )
        self.users = nn.Parameter(torch.zeros(n_users, config.hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(config.hidden))
        self.bias = nn.Parameter(torch.zeros(n_items))

    def encode(self, rows: Rows, own: Tensor | float) -> Tensor:
        """The code z [B, H] of rows and of what is known of their users beside.

        Args:
            rows: [B, I].
            own: what is known of the users, [B, H], or zero.
        """
        return self.activation(rows.matmul(self.encoder) + own + self.hidden_bias)

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each user of the pair, summed over the positive items, [B]."""
        assert pair.users is not None
        row = pair.source.drop(self.dropout, generator) if self.dropout else pair.source
        z = self.encode(row, self.users.index_select(0, pair.users))
        positives, negatives = contrast_scores(pair, z, self.decoder, self.bias)
        return sum_by_user(pair, self.loss(positives, negatives, progress))


class CDAE(TorchRecommender[CDAENet]):
    """Wu et al., *Collaborative Denoising Auto-Encoders for Top-N Recommender Systems*, WSDM 2016.

    z_u = h(W' y_u + V_u + b),   s_ui = W2_i . z_u + b2_i,   y_u the user's row, in training with a share q of it dropped,

    and the loss is taken on what u interacted with and on items drawn from the others. It remembers its users by V_u and looks at
    their histories as well; an unseen user has no V_u. Trained by AdamW, whose `weight_decay` stands for the paper's l2; the
    paper has AdaGrad.
    """

    Config = CDAEConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, remembers_users=True)

    def build(self, n_items: int, generator: torch.Generator) -> CDAENet:
        """See `TorchRecommender`."""
        return CDAENet(len(self.users), n_items, self.config, generator)

    def pairs(self) -> Pairs:
        """Items that a user interacted with beside others."""
        return Contrast(self.config.negatives)

    def score(self, batch: Batch) -> Tensor:
        """Scores of the decoder, [B, I]."""
        return inner_products(self.user_vectors(batch), self.module.decoder, self.module.bias)

    def vectors(self) -> ItemVectors:
        """The decoder's weights and biases (W2, b2)."""
        _ = self.items
        return ItemVectors(self.module.decoder.detach(), self.module.bias.detach())

    @torch.no_grad()
    def user_vectors(self, batch: Batch) -> Tensor:
        """The codes z, [B, H]."""
        places = batch.places()
        own = torch.where((places < 0)[:, None], 0.0, self.module.users[places.clamp(min=0)])
        return self.module.encode(batch.history, own)


__getattr__ = old_names(__name__)
