"""IRGAN: a generator that draws items for users, and a discriminator that tells them from what users interacted with.

Shapes: `B` users in a batch, `U` users, `I` items, `S` items drawn for each user, `P` positive entries of the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from recodiff.models.factors.contrast import sum_by_user
from recodiff.models.factors.embeddings import FactorModel
from recodiff.models.factors.mf import MFConfig, MFNet
from recodiff.tensors.losses import unrounded
from recodiff.tensors.random import by_row
from recodiff.training.pairs import Pair
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress

DENSE_ARRAYS = 14
"""[B, I] alive at once in a step: scores, laws and proposals, their gradients, and a cumulated law in float64."""
BYTES_PER_SAMPLE = 24
"""Of an item drawn from the generator: its number, and both players' scores with what their gradients keep."""


class IRGANConfig(MFConfig):
    """Settings of IRGAN; the generator and the discriminator have the same."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the users' vectors that is zeroed at a training step."""
    warmup_epochs: int = Field(default=25, ge=0)
    """Epochs in which the generator learns by `loss`, as MF does; the discriminator plays from the first."""
    samples: int = Field(default=64, ge=1)
    """S, items drawn from the generator for each user at a step, for either player anew."""
    met_share: float = Field(default=0.2, ge=0, lt=1)
    """lambda, how much of what the generator learns from is drawn from the history, in place of its own law."""
    discriminator_lr: float = Field(default=0.1, gt=0)
    """Learning rate of the discriminator; where it is not the quicker of the two, the players run in circles."""
    training: TrainingConfig = TrainingConfig(batch_size=1024, lr=1e-2, patience_epochs=40)


class IRGANNet(MFNet):
    """The generator, which ranks, with its discriminator; its forward is the training loss of both.

    Args:
        n_users: U.
        n_items: I.
        config: the model's settings.
        generator: of the initial vectors, the generator's first.
    """

    def __init__(self, n_users: int, n_items: int, config: IRGANConfig, generator: torch.Generator) -> None:
        super().__init__(n_users, n_items, config, generator)
        self.warmup_epochs, self.samples, self.met_share = config.warmup_epochs, config.samples, config.met_share
        self.discriminator = MFNet(n_users, n_items, config, generator)

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The two losses of each user of the pair, summed over the positive items, [B]; draws the discriminator's items, then the
        generator's."""
        assert pair.users is not None
        f, g = (self._scores(player, pair.users, generator) for player in (self.discriminator, self))
        log_p = torch.log_softmax(g, 1)
        loss = self._discriminated(f, log_p.detach().exp(), pair, generator) + self._penalty(self.discriminator, pair)
        if progress.epoch < self.warmup_epochs:
            return loss + super().forward(pair, progress, generator)
        return loss + self._rewarded(f.detach(), log_p, pair, generator) + self._penalty(self, pair)

    @staticmethod
    def _scores(player: MFNet, users: Tensor, generator: torch.Generator) -> Tensor:
        """[B, I]."""
        factors = player.compute(generator)
        return unrounded(torch.addmm(factors.bias, factors.users.index_select(0, users), factors.items.T))

    def _discriminated(self, f: Tensor, p: Tensor, pair: Pair, generator: torch.Generator) -> Tensor:
        """The discriminator's: the positive items from as many that are drawn from p, [B]."""
        drawn = self._draw(p, generator)
        positives = sum_by_user(pair, softplus(-f.flatten()[pair.source.flat()]))
        return positives + pair.source.sums() * softplus(f.gather(1, drawn)).mean(1)

    def _rewarded(self, f: Tensor, log_p: Tensor, pair: Pair, generator: torch.Generator) -> Tensor:
        """The generator's: what its gradient estimates is that of minus the mean reward under p, [B]."""
        p = log_p.detach().exp()
        total = pair.source.sums()
        positives = pair.source.dense() / total.clamp(min=torch.finfo(total.dtype).tiny)[:, None]
        proposal = (1 - self.met_share) * p + self.met_share * positives
        drawn = self._draw(proposal, generator)
        importance = p.gather(1, drawn) / proposal.gather(1, drawn)
        reward = 2 * torch.sigmoid(f.gather(1, drawn)) - 1
        return -total * (importance * reward * log_p.gather(1, drawn)).mean(1)

    def _draw(self, law: Tensor, generator: torch.Generator) -> Tensor:
        """Items drawn with replacement, int64 [B, S].

        Args:
            law: of each row, [B, I]; it may sum to less than 1.
            generator: of the draws.
        """
        shares = by_row(
            (len(law), self.samples),
            generator,
            lambda shape: torch.rand(shape, dtype=torch.float64, device=law.device, generator=generator),
        )
        below = law.double().cumsum(1)
        return torch.searchsorted(below, shares * below[:, -1:], right=True).clamp_(max=law.shape[1] - 1)

    @staticmethod
    def _penalty(player: MFNet, pair: Pair) -> Tensor:
        """lambda/2 times the squared vectors that a player compares, [B]."""
        assert pair.users is not None
        return sum_by_user(pair, player.l2 / 2 * player._sizes(pair, pair.users))


class IRGAN(FactorModel):
    """Wang et al., *IRGAN: A Minimax Game for Unifying Generative and Discriminative Information Retrieval Models*, SIGIR 2017.

    min over p, max over D of  sum_u E_{i in u} log D(i | u) + E_{i ~ p(. | u)} log(1 - D(i | u))

    with D = sigma(f_ui) the discriminator and p(. | u) = softmax(g_u.) the generator, each a matrix factorisation with item
    biases. The choice of an item has no gradient, so the generator learns by reinforcement. Items i are drawn from p_n = (1 -
    lambda) p + lambda (u's items, evenly). It is given p/p_n (2 D(i | u) - 1) grad log p(i | u), the program's reward; the
    article's is log(1 + exp f). The generator ranks.

    The program begins with a generator that was trained before, and has rounds of 100 epochs of the discriminator and 50 of
    the generator. Here the generator warms up by `loss`, MF's, and then both take a step on each batch by AdamW. The
    discriminator's is greater: the generator should answer to one that has caught up. An unseen user is folded in by `loss` among
    the generator's items.
    """

    Config = IRGANConfig

    def build(self, n_items: int, generator: torch.Generator) -> IRGANNet:
        """See `TorchRecommender`."""
        return IRGANNet(len(self.users), n_items, self.config, generator)

    def working_bytes(self, module: Any, batch: int) -> int:
        """Arrays [B, I], and the samples."""
        return 4 * DENSE_ARRAYS * batch * len(module.items) + BYTES_PER_SAMPLE * batch * self.config.samples

    def parameter_groups(self, module: Any) -> list[dict[str, Any]]:
        """The discriminator at its own rate."""
        (group,) = super().parameter_groups(module)
        return [
            group | {"params": [module.users, module.items, module.bias]},
            group | {"params": list(module.discriminator.parameters()), "lr": self.config.discriminator_lr},
        ]
