"""The Gaussian forward process and its posterior.

Shapes: `B` rows in a batch, `D` width of the diffused vector, `T` steps. `t` is 0-based.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from recodiff.tensors.rows import Rows

StepWeights = Literal["snr", "half_snr", "none"]


class GaussianProcess(nn.Module):
    """The laws q(x_t | x_0) of Eqs. (2)-(3) and q(x_{t-1} | x_t, x_0) of Eqs. (7)-(8), as tables over t.

    Every table is derived in float64 from the betas and rounded to float32 once: the noise of the released settings is
    as small as 5e-8, which float32 subtraction destroys.

    Args:
        betas: float64 [T] of `schedules`; all zeros stand for no noise at all.
    """

    sqrt_alpha_bar: Tensor
    sqrt_one_minus_alpha_bar: Tensor
    posterior_x0: Tensor
    posterior_x_t: Tensor
    posterior_std: Tensor
    eps_scale: Tensor

    def __init__(self, betas: Tensor) -> None:
        super().__init__()
        betas = betas.to(torch.float64)
        self.steps = len(betas)
        self.has_noise = bool((betas > 0).all())
        alpha_bar = torch.cumprod(1 - betas, 0)
        before = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
        # 1 - alpha_bar without the cancellation that would swallow a noise near 1e-16.
        variance = -torch.expm1(torch.cumsum(torch.log1p(-betas), 0))
        variance_before = torch.cat([variance.new_zeros(1), variance[:-1]])
        # float64, kept off the buffers so that .to(dtype) cannot round them
        self.betas, self.alpha_bar, self.variance = betas, alpha_bar, variance
        noise = variance.clamp(min=torch.finfo(torch.float64).tiny)
        c1 = betas * before.sqrt() / noise if self.has_noise else torch.ones_like(betas)
        c2 = variance_before * (1 - betas).sqrt() / noise
        tables = {
            "sqrt_alpha_bar": alpha_bar.sqrt(),
            "sqrt_one_minus_alpha_bar": variance.sqrt(),
            "posterior_x0": c1,
            "posterior_x_t": c2,
            "posterior_std": (betas * variance_before / noise).sqrt(),
            "eps_scale": (variance / alpha_bar).sqrt(),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.to(torch.float32), persistent=False)

    def q_sample(self, x0: Rows | Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The noised row x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, Eq. (3).

        Args:
            x0: [B, D]; rows that come sparse cost their entries.
            t: int64 [B], 0..T-1.
            noise: eps, standard normal [B, D].

        Returns:
            x_t [B, D].
        """
        if isinstance(x0, Rows):
            return x0.add_to((self.sqrt_one_minus_alpha_bar[t, None] * noise).contiguous(), self.sqrt_alpha_bar[t])
        return torch.addcmul(self.sqrt_alpha_bar[t, None] * x0, self.sqrt_one_minus_alpha_bar[t, None], noise)

    def posterior_mean(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The mean of q(x_{t-1} | x_t, x_0), Eq. (8): c1_t x_0 + c2_t x_t, [B, D].

        Args:
            x0: x_0 or its estimate, [B, D].
            x_t: noised vectors, [B, D].
            t: their steps, int64 [B], 0..T-1.
        """
        return self.posterior_x0[t, None] * x0 + self.posterior_x_t[t, None] * x_t

    def x0_from_eps(self, x_t: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """The x_0 that solves Eq. (3): x_t / sqrt(alpha_bar_t) - sqrt(1 / alpha_bar_t - 1) eps, [B, D].

        Args:
            x_t: noised vectors, [B, D].
            eps: their noise or its estimate, [B, D].
            t: their steps, int64 [B], 0..T-1.
        """
        return x_t / self.sqrt_alpha_bar[t, None] - self.eps_scale[t, None] * eps

    def x0_weights(self, kind: StepWeights) -> Tensor:
        """Weights of the squared error per step when x_0 is predicted, float64 [T]; 1 at the first step, Eq. (12).

        Args:
            kind: `half_snr` is Eq. (11), half the drop of the signal-to-noise ratio; `snr` is the released program's,
                without the half; `none` is 1 at every step.
        """
        if kind == "none" or not self.has_noise:
            return torch.ones_like(self.betas)
        snr = self.alpha_bar / self.variance
        drop = (snr[:-1] - snr[1:]) * (0.5 if kind == "half_snr" else 1.0)
        return torch.cat([snr.new_ones(1), drop])

    def eps_weights(self, kind: StepWeights) -> Tensor:
        """The released program's weights of the squared error when eps is predicted, float64 [T]; 1 at the first step.

        Args:
            kind: of weights, as in the settings.
        """
        if kind == "none" or not self.has_noise:
            return torch.ones_like(self.betas)
        later = self.variance[1:] / (self.variance[:-1] ** 2 * (1 - self.betas[1:]))
        return torch.cat([later.new_ones(1), later * (0.5 if kind == "half_snr" else 1.0)])
