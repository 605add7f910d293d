"""Autoencoders with a multinomial likelihood: MultiDAE, MultiVAE, MultiDAE++.

Shapes: `B` users in a batch, `I` items, `k` width of the code, `h` of the decoder's last hidden layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal, Protocol, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from recodiff.config import BaseConfig
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import AnySchedule, NoNoise, refuse_impossible
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.network import TorchRecommender
from recodiff.tensors.losses import Multinomial, kl_from_standard_normal
from recodiff.tensors.networks import MLP, Activation, Pointwise, RowLinear, drop, linears, normalise
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import normal_like
from recodiff.tensors.rows import Rows
from recodiff.training.pairs import Pair, Pairs, Reconstruct
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits


class Posterior(Protocol):
    """The way of the encoder's output [B, n] to the decoder."""

    def mean(self, encoded: Tensor) -> Tensor:
        """The code that is ranked with, [B, k].

        Args:
            encoded: the encoder's output, [B, n].
        """
        ...

    def sample(self, encoded: Tensor, generator: torch.Generator) -> Tensor:
        """The code that is trained with, [B, k].

        Args:
            encoded: the encoder's output, [B, n].
            generator: of the draws, on the rows' device.
        """
        ...

    def penalty(self, encoded: Tensor, step: int) -> Tensor:
        """The term that it adds to the loss after `step` batches, [B].

        Args:
            encoded: the encoder's output, [B, n].
        """
        ...


class PointPosterior(nn.Module):
    """The code is one point, z = act(e): MultiDAE's delta posterior, without a KL term.

    Args:
        activation: makes the activation; the code is one more hidden layer.
    """

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.activation = activation()

    def mean(self, encoded: Tensor) -> Tensor:
        """See `Posterior`."""
        return self.activation(encoded)

    def sample(self, encoded: Tensor, generator: torch.Generator) -> Tensor:
        """See `Posterior`; nothing is drawn."""
        return self.mean(encoded)

    def penalty(self, encoded: Tensor, step: int) -> Tensor:
        """See `Posterior`; none."""
        return encoded.new_zeros(len(encoded))


class GaussianPosterior(nn.Module):
    """The posterior q(z | x) = N(mu, diag(sigma^2)) with [mu, log sigma^2] = e, against the prior N(0, I): MultiVAE's.

    Args:
        kl_weight: beta, what the KL divergence counts in the end.
        kl_anneal_steps: after n batches it counts min(beta, n / kl_anneal_steps); 0 has it at beta from the start.
    """

    def __init__(self, kl_weight: float, kl_anneal_steps: int) -> None:
        super().__init__()
        self.kl_weight, self.kl_anneal_steps = kl_weight, kl_anneal_steps

    def mean(self, encoded: Tensor) -> Tensor:
        """The mean mu, see `Posterior`.

        Args:
            encoded: [mu, log sigma^2], [B, 2 k].
        """
        return encoded.chunk(2, 1)[0]

    def sample(self, encoded: Tensor, generator: torch.Generator) -> Tensor:
        """The reparametrisation mu + sigma eps, eps standard normal.

        Args:
            encoded: [mu, log sigma^2], [B, 2 k].
            generator: of eps, on the rows' device.
        """
        mean, log_variance = encoded.chunk(2, 1)
        return mean + torch.exp(log_variance / 2) * normal_like(mean, generator)

    def beta_at(self, step: int) -> float:
        """The weight of the KL divergence after `step` batches."""
        return min(self.kl_weight, step / self.kl_anneal_steps) if self.kl_anneal_steps else self.kl_weight

    def penalty(self, encoded: Tensor, step: int) -> Tensor:
        """The term beta KL(q(z | x) || N(0, I)), see `Posterior`.

        Args:
            encoded: [mu, log sigma^2], [B, 2 k].
            step: batches so far, 0 or more.
        """
        return self.beta_at(step) * kl_from_standard_normal(*encoded.chunk(2, 1))


class Point(BaseConfig):
    """The code is a point."""

    kind: Literal["point"] = "point"


class Gaussian(BaseConfig):
    """The code is drawn from a Gaussian, held near N(0, I) by a KL term."""

    kind: Literal["gaussian"] = "gaussian"
    kl_weight: float = Field(default=0.2, ge=0)
    """beta, what the KL divergence counts in the end."""
    kl_anneal_steps: int = Field(default=200, ge=0)
    """After n batches it counts min(beta, n / kl_anneal_steps); 0 has it at beta from the start."""


class NetworkConfig(BaseConfig):
    """Encoder and decoder, each the other's mirror image."""

    hidden: tuple[Annotated[int, Field(gt=0)], ...] = (600,)
    """Widths between the items and the code, in the encoder's order; [600] with latent 200 is items-600-200-600-items."""
    latent: int = Field(default=200, gt=0)
    """k, width of the code."""
    activation: Activation = "tanh"
    """After every layer but the last, and but the one that gives a Gaussian's mean and variance."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of the input that is zeroed in training."""


class NoiseConfig(BaseConfig):
    """Gaussian noise on the input in training."""

    steps: int = Field(default=5, ge=1)
    """T: each row is noised to a step drawn uniformly from the T; at 1 there is one level."""
    schedule: AnySchedule = NoNoise()
    """How noisy each step is; `none` leaves the rows as they are."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        refuse_impossible(self.schedule, self.steps)
        return self


class AutoencoderConfig(ModelConfig):
    """Settings of MultiDAE, MultiVAE and MultiDAE++."""

    posterior: Annotated[Point | Gaussian, Field(discriminator="kind")] = Point()
    network: NetworkConfig = NetworkConfig()
    noise: NoiseConfig = NoiseConfig()
    training: TrainingConfig = TrainingConfig()


class AutoencoderNet(nn.Module):
    """Encoder, posterior and decoder; its forward is the training loss.

    Args:
        encoder: item rows to e [B, n].
        posterior: e to the code.
        decoder: the code to logits [B, I].
        process: noises the rows in training.
        dropout: share of the input that is zeroed in training, in [0, 1).
    """

    def __init__(self, encoder: MLP, posterior: Posterior, decoder: MLP, process: GaussianProcess, *, dropout: float) -> None:
        super().__init__()
        self.encoder, self.posterior, self.decoder = encoder, posterior, decoder
        self.process, self.timesteps, self.dropout = process, UniformTimesteps(process.steps), dropout
        self.likelihood = Multinomial()

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each row of the pair, [B]; draws noise, then dropout, then the code."""
        x = drop(normalise(self.noised(pair.source, generator)), self.dropout, generator)
        encoded = self.encoder(x)
        logits = self.decoder(self.posterior.sample(encoded, generator))
        target = pair.source if pair.target is None else pair.target
        return self.likelihood(logits, target, pair.seen) + self.posterior.penalty(encoded, progress.step)

    def noised(self, x0: Rows, generator: torch.Generator) -> Rows | Tensor:
        """The rows x_t at steps drawn uniformly, dense [B, I]; x_0 itself, sparse, where the process has no noise.

        Args:
            x0: rows [B, I].
            generator: of steps and noise, on the rows' device.
        """
        if not self.process.has_noise:
            return x0
        t, _ = self.timesteps.sample(len(x0), generator)
        dense = x0.dense()
        return self.process.q_sample(dense, t, normal_like(dense, generator))

    def user_vectors(self, history: Rows) -> Tensor:
        """The input of the decoder's last layer, [B, h]: no noise, no dropout, the posterior's mean.

        Args:
            history: rows [B, I].
        """
        return self.decoder.hidden(self.posterior.mean(self.encoder(normalise(history))))


class MultiAutoencoder(TorchRecommender[AutoencoderNet]):
    """MultiDAE and MultiVAE (Liang et al., *Variational Autoencoders for Collaborative Filtering*, WWW 2018), MultiDAE++.

    e = encoder(dropout(x / |x|)), z from e, pi = softmax(decoder(z)); minimised is, over the row x of a user,

        MultiDAE    -sum_i x_i log pi_i,                       z = act(e)
        MultiVAE    -sum_i x_i log pi_i + beta KL(q || N(0, I)),  z ~ q = N(mu, diag(sigma^2)), [mu, log sigma^2] = e

    with one draw of z, and beta raised linearly batch by batch to its greatest value. Ranking takes z = mu. The logits are
    linear in the decoder's last hidden layer, so they are an inner product of a user's and an item's vector.

    MultiDAE++ is the baseline of *Diffusion Recommender Model* (SIGIR 2023). It is MultiDAE that in training is given x_t =
    sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) eps in place of x, DiffRec's own noise, Eq. (3), with t uniform over the T steps,
    and answers with x in one pass. The network is not given t, there is no reverse chain and no weight of a step, and the history
    that is ranked from is not noised. Its figures were published without further settings.

    The loss is a sum over items and the decay is AdamW's; the original adds an L2 term to the loss instead.
    """

    Config = AutoencoderConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True)

    def build(self, n_items: int, generator: torch.Generator) -> AutoencoderNet:
        """See `TorchRecommender`."""
        config: AutoencoderConfig = self.config
        net, kind = config.network, config.posterior

        def activation() -> nn.Module:
            return Pointwise(net.activation)

        if isinstance(kind, Gaussian):
            posterior, encoded = GaussianPosterior(kind.kl_weight, kind.kl_anneal_steps), 2 * net.latent
        else:
            posterior, encoded = PointPosterior(activation), net.latent
        first, *between = *net.hidden, encoded
        encoder = MLP([RowLinear(n_items, first, generator), *linears([first, *between], generator)], activation)
        decoder = MLP(linears([net.latent, *reversed(net.hidden), n_items], generator), activation)
        process = GaussianProcess(config.noise.schedule.betas(config.noise.steps))
        return AutoencoderNet(encoder, posterior, decoder, process, dropout=net.dropout)

    def pairs(self) -> Pairs:
        """A row is made from itself."""
        return Reconstruct()

    @torch.no_grad()
    def score(self, batch: Batch) -> Tensor:
        """The logits, [B, I]."""
        last = self.module.decoder.last
        return inner_products(self.user_vectors(batch), last.weight, last.bias)

    def vectors(self) -> ItemVectors:
        """The decoder's last layer."""
        last = self.module.decoder.last
        return ItemVectors(last.weight.detach(), last.bias.detach())

    @torch.no_grad()
    def user_vectors(self, batch: Batch) -> Tensor:
        """The input of the decoder's last layer, [B, h]."""
        return self.module.user_vectors(batch.history)
