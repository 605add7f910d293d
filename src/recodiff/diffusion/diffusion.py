"""The diffusion: process, denoiser, step sampler and loss joined; the loss and the plain chain as the paper writes them.

Shapes: `B` rows in a batch, `D` width of the diffused vector, `T` steps. `t` is 0-based.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.process import GaussianProcess, StepWeights
from recodiff.diffusion.timesteps import TimestepSampler
from recodiff.errors import ConfigError
from recodiff.moved import old_names
from recodiff.tensors.losses import Loss, SquaredError
from recodiff.tensors.random import batch_slice_of, keep_rows, normal_like
from recodiff.tensors.rows import Rows, as_dense

Prediction = Literal["x0", "eps"]


@dataclass(frozen=True)
class DiffusionLoss:
    """The loss of one batch.

    Args:
        loss: [B], weighted by the SNR and divided by T p_t, so that its mean estimates Eq. (13).
        x0_hat: [B, D], the estimate of x_0 at the drawn step; None where the space never forms it.
        t: int64 [B], the drawn steps.
    """

    loss: Tensor
    x0_hat: Tensor | None
    t: Tensor


class LossPath(Protocol):
    """A way to compute the loss: with the vectors themselves, or with what the hidden layers see of them."""

    def distance(
        self,
        diffusion: Diffusion,
        source: Rows | Tensor,
        target: Rows | Tensor | None,
        seen: Rows | None,
        t: Tensor,
        noise: Tensor | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor | None]:
        """The unweighted loss of each row [B], and x0_hat [B, D] where it is formed.

        Args:
            diffusion: whose loss it is.
            source: x_0 as it is noised, [B, D].
            target: what to predict, [B, D]; the source unless given.
            seen: entries that the loss leaves out, [B, D].
            t: steps, int64 [B].
            noise: standard normal draws, [B, D]; drawn unless given.
            generator: of all draws, on the rows' device.
        """
        ...


class DensePath:
    """The loss as the paper writes it, on [B, D]: it holds for every setting, and the hidden path is tested against it."""

    def distance(
        self,
        diffusion: Diffusion,
        source: Rows | Tensor,
        target: Rows | Tensor | None,
        seen: Rows | None,
        t: Tensor,
        noise: Tensor | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """See `LossPath`."""
        process, distance, goal = diffusion.process, diffusion.distance, source if target is None else target
        if noise is None and (process.has_noise or diffusion.prediction == "eps"):
            noise = normal_like(source if isinstance(source, Tensor) else source.blank(), generator)
        x_t = as_dense(source) if noise is None else process.q_sample(source, t, noise)
        p = diffusion.dropout if diffusion.training else 0.0
        estimate = diffusion.denoiser(x_t, t, keep_rows(x_t, p, generator) if p else None)
        if diffusion.prediction == "x0":
            return distance(estimate, goal, seen), estimate
        assert noise is not None
        x0_hat = process.x0_from_eps(x_t, estimate, t)
        return torch.where(t == 0, distance(x0_hat, goal, seen) / 2, distance(estimate, noise, seen)), x0_hat


class Diffusion(nn.Module):
    """Equations (3) to (14) and Algorithms 1 and 2 over any vectors.

    Args:
        process: the forward process and its posterior.
        denoiser: f(x_t, t).
        timesteps: draws t in training.
        loss: distance of estimate and target; the paper's is the squared error.
        prediction: what the denoiser estimates, `x0` (the paper's choice) or `eps`.
        step_weights: see `GaussianProcess.x0_weights`.
        dropout: share of the noised input row that is zeroed in training, in [0, 1).
        loss_path: where the loss is computed, `DensePath` unless given; see `hidden.HiddenPath`.

    Raises:
        ConfigError: the noise is to be estimated, and there is none or the loss is not squared.
    """

    step_weights: Tensor

    def __init__(
        self,
        process: GaussianProcess,
        denoiser: MLPDenoiser,
        timesteps: TimestepSampler,
        *,
        loss: Loss | None = None,
        prediction: Prediction = "x0",
        step_weights: StepWeights = "snr",
        dropout: float = 0.5,
        loss_path: LossPath | None = None,
    ) -> None:
        super().__init__()
        if prediction == "eps" and (not process.has_noise or (loss is not None and loss.softmax)):
            raise ConfigError("prediction='eps' needs a schedule with noise and the squared loss; use prediction='x0'")
        self.process, self.denoiser, self.timesteps = process, denoiser, timesteps
        self.distance: Loss = loss or SquaredError()
        self.prediction: Prediction = prediction
        self.dropout = dropout
        self.loss_path: LossPath = loss_path or DensePath()
        weights = process.x0_weights(step_weights) if prediction == "x0" else process.eps_weights(step_weights)
        self.register_buffer("step_weights", weights, persistent=False)

    @property
    def steps(self) -> int:
        """The number of steps T."""
        return self.process.steps

    def loss(
        self,
        source: Rows | Tensor,
        target: Rows | Tensor | None = None,
        seen: Rows | None = None,
        *,
        t: Tensor | None = None,
        noise: Tensor | None = None,
        generator: torch.Generator,
    ) -> DiffusionLoss:
        """One draw of Eqs. (11)-(14): noise the source, estimate, compare with the target.

        Args:
            source: what is noised, [B, D].
            target: what the estimate is compared with, [B, D]; the source itself unless given.
            seen: entries left out of the loss.
            t: steps int64 [B]; drawn by the sampler unless given (then taken as drawn uniformly).
            noise: eps [B, D], or in the hidden space its projection [B, h1]; drawn unless given.
            generator: on the source's device; draws t, then what the space needs: eps and the dropout mask.
        """
        p = None
        if t is None:
            t, p = self.timesteps.sample(len(source), generator)
        distance, x0_hat = self.loss_path.distance(self, source, target, seen, t, noise, generator)
        weighted = self.step_weights[t] * distance
        if self.training and p is not None:  # a loss that is only looked at must not change what is drawn next
            here = batch_slice_of(generator)
            self.timesteps.update(*((t, weighted.detach()) if here is None else (here.join(t), here.join(weighted.detach()))))
        return DiffusionLoss(weighted if p is None else weighted / p, x0_hat, t)

    def x0_hat(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The denoiser's estimate of x_0, whichever it predicts, [B, D].

        Args:
            x_t: noised vectors [B, D].
            t: their steps, int64 [B], 0..T-1.
        """
        estimate = self.denoiser(x_t, t)
        return estimate if self.prediction == "x0" else self.process.x0_from_eps(x_t, estimate, t)

    @torch.no_grad()
    def denoise(
        self,
        x0: Rows | Tensor,
        *,
        noise_steps: int = 0,
        sampling_noise: bool = False,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        """Algorithm 2, the plain chain: noise to x_{T'}, take it for x_T, and go back through all T steps.

        Args:
            x0: histories, [B, D].
            noise_steps: T', 0 (the paper's best: start from x_0 itself) to T.
            sampling_noise: whether each step back but the last adds the posterior's noise (the paper does not).
            generator: draws the noise, one for all rows or one for each; needed where there is any.

        Returns:
            x_0 after the chain, [B, D]: the scores, where D is the catalogue.

        Raises:
            ConfigError: `noise_steps` lies outside 0..T.
        """
        if not 0 <= noise_steps <= self.steps:
            raise ConfigError(f"noise_steps={noise_steps} lies outside 0..{self.steps}, the number of steps")
        x = as_dense(x0)
        if noise_steps:
            start = torch.full((len(x),), noise_steps - 1, device=x.device)
            x = self.process.q_sample(x, start, normal_like(x, generator))
        for step in reversed(range(self.steps)):
            t = torch.full((len(x),), step, device=x.device)
            x = self.process.posterior_mean(self.x0_hat(x, t), x, t)
            if sampling_noise and step:
                x = x + self.process.posterior_std[step] * normal_like(x, generator)
        return x


__getattr__ = old_names(__name__)
