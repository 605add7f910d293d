"""CODIGEM: a chain of Gaussian noise, a network for each step back, and a decoder.

Shapes: `B` users in a batch, `I` items, `h` width of the last hidden layer, `T` steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.network import TorchRecommender
from recodiff.tensors.networks import MLP, RowLinear, linears
from recodiff.tensors.random import normal_like
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair, Pairs, Reconstruct
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits


class CodigemConfig(ModelConfig):
    """Settings of CODIGEM."""

    steps: int = Field(default=3, ge=1, le=1000)
    """T; steps beyond the first cost a network each and do not change the ranking."""
    beta: float = Field(default=1e-4, gt=0, lt=1)
    """Variance of the noise that each step adds."""
    hidden: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(200, 200, 200, 200, 200), min_length=1)
    """Hidden widths of the decoder and of each step's network."""
    training: TrainingConfig = TrainingConfig()


class CodigemNet(nn.Module):
    """The decoder and T - 1 networks of the way back; its forward is the training loss.

    Args:
        n_items: I.
        steps: T.
        beta: variance of each step's noise.
        hidden: widths of every network's hidden layers, each followed by a PReLU of its own.
        generator: draws the initial weights, the decoder's first.
    """

    def __init__(self, n_items: int, steps: int, beta: float, hidden: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.beta = beta

        def network(width: int) -> MLP:
            return MLP([RowLinear(n_items, hidden[0], generator), *linears([*hidden, width], generator)], nn.PReLU)

        self.decoder = network(n_items)
        self.back = nn.ModuleList(network(2 * n_items) for _ in range(steps - 1))

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each row of the pair, [B]; draws the noise step by step."""
        x = pair.source.dense()
        return self.loss(x, [normal_like(x, generator) for _ in range(len(self.back) + 1)])

    def loss(self, x: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """The negative of the evidence lower bound by one draw of z_1..z_T, [B].

        Args:
            x: rows [B, I].
            noise: eps_1..eps_T, each [B, I].
        """
        z = self.chain(x, noise)
        bound = log_normal(x, torch.tanh(self.decoder(z[0]))) + log_normal(z[-1])
        for network, (before, after) in zip(self.back, pairwise(z), strict=True):
            bound = bound + log_normal(before, *network(after).chunk(2, 1))
        for eps in noise:  # log q(z_t | z_{t-1}), which no parameter enters
            bound = bound - log_normal(eps) + x.shape[1] / 2 * math.log(self.beta)
        return -bound

    def chain(self, x: Tensor, noise: Sequence[Tensor]) -> list[Tensor]:
        """The chain z_1..z_T, each [B, I]: z_t = sqrt(1 - beta) z_{t-1} + sqrt(beta) eps_t, z_0 = x.

        Args:
            x: rows [B, I].
            noise: eps_1..eps_T, each [B, I].
        """
        z = [x]
        for eps in noise:
            z.append(math.sqrt(1 - self.beta) * z[-1] + math.sqrt(self.beta) * eps)
        return z[1:]

    def user_vectors(self, history: Rows) -> Tensor:
        """The input of the decoder's last layer, [B, h], by z_1 without its noise.

        Args:
            history: rows [B, I].
        """
        return self.decoder.hidden(replace(history, values=math.sqrt(1 - self.beta) * history.values))


def log_normal(x: Tensor, mean: Tensor | None = None, log_variance: Tensor | None = None) -> Tensor:
    """The logarithm of N(x; mean, diag(exp(log_variance))), the standard normal unless given, [B].

    Args:
        x: [B, I].
        mean: [B, I]; 0 unless given.
        log_variance: [B, I]; 0 unless given.
    """
    squares = (x if mean is None else x - mean).square()
    if log_variance is not None:
        squares = squares * torch.exp(-log_variance) + log_variance
    return -(squares.sum(1) + x.shape[1] * math.log(2 * math.pi)) / 2


class Codigem(TorchRecommender[CodigemNet]):
    """Walker et al., *Recommendation via Collaborative Diffusion Generative Model*, KSEM 2022.

    The row x of a user is noised T times with one variance, q(z_t | z_{t-1}) = N(sqrt(1 - beta) z_{t-1}, beta I), z_0 = x;
    T - 1 separate networks give the steps back, p(z_t | z_{t+1}) = N(mu_t, diag(sigma_t^2)) with [mu_t, log sigma_t^2] =
    MLP_t(z_{t+1}), and a decoder the row, x_hat = tanh(f(z_1)). Minimised is, by one draw of z_1..z_T,

        -log N(x; x_hat, I) + sum_{t<T} [log q(z_t | z_{t-1}) - log p(z_t | z_{t+1})] + log q(z_T | z_{T-1}) - log N(z_T; 0, I)

    Ranking uses the decoder on z_1 and nothing else. The decoder shares no parameter with the steps back, so these cost time
    and change no list: what ranks is an autoencoder trained on rows with noise of variance beta. Here lists are
    deterministic, z_1 = sqrt(1 - beta) x; the original draws its noise in ranking too. Scores are f(z_1) before the tanh,
    which keeps their order and makes them an inner product of a user's and an item's vector. The optimiser is AdamW in place
    of Adamax.
    """

    Config = CodigemConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True)

    def build(self, n_items: int, generator: torch.Generator) -> CodigemNet:
        """See `TorchRecommender`."""
        config: CodigemConfig = self.config
        return CodigemNet(n_items, config.steps, config.beta, config.hidden, generator)

    def pairs(self) -> Pairs:
        """A row is made from itself."""
        return Reconstruct()

    @torch.no_grad()
    def score(self, batch: Batch) -> Tensor:
        """The decoder's f(z_1), [B, I]."""
        return self.module.decoder.last(self.user_vectors(batch))

    def vectors(self) -> ItemVectors:
        """The decoder's last layer."""
        last = self.module.decoder.last
        return ItemVectors(last.weight.detach(), last.bias.detach())

    @torch.no_grad()
    def user_vectors(self, batch: Batch) -> Tensor:
        """The input of the decoder's last layer, [B, h]."""
        return self.module.user_vectors(batch.history)
