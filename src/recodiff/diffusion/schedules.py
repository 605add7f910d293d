"""Noise schedules: the variances beta_1..beta_T of the forward process, as float64 [T].

Shapes: `T` steps. Every beta lies in (0, 1]; `no_noise` alone is all zeros.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recodiff.errors import ConfigError

MAX_BETA = 0.999


def linear_variance(
    steps: int, noise_scale: float, noise_min: float, noise_max: float, *, first_beta: float | None = None
) -> Tensor:
    """The paper's schedule, Eq. (4): 1 - alpha_bar_t rises linearly from s*a to s*b.

    Args:
        steps: T, at least 1.
        noise_scale: s > 0.
        noise_min: a > 0, with s*a < 1.
        noise_max: b > a, with s*b < 1.
        first_beta: replaces beta_1 where given, in (0, 1]. The released DiffRec and T-DiffRec put 1e-5 there, which
            multiplies every alpha_bar by (1 - 1e-5) / (1 - s*a); L- and LT-DiffRec keep Eq. (4).

    Returns:
        betas, float64 [T].

    Raises:
        ConfigError: the betas do not lie in (0, 1].
    """
    variance = torch.linspace(noise_scale * noise_min, noise_scale * noise_max, steps, dtype=torch.float64)
    rise = variance.diff() / (1 - variance[:-1])  # 1 - alpha_bar_t / alpha_bar_{t-1}, without cancellation
    betas = torch.cat([variance[:1], rise.clamp(max=MAX_BETA)])
    said = f"noise_scale={noise_scale}, noise_min={noise_min}, noise_max={noise_max}"
    return _checked(_with_first(betas, first_beta), f"{said}: need noise_scale > 0 and 0 < noise_min < noise_max")


def linear(steps: int, noise_scale: float, noise_min: float, noise_max: float, *, first_beta: float | None = None) -> Tensor:
    """Betas that rise linearly from s*a to s*b (DDPM, NeurIPS 2020); arguments as for `linear_variance`."""
    betas = torch.linspace(noise_scale * noise_min, noise_scale * noise_max, steps, dtype=torch.float64)
    said = f"noise_scale={noise_scale}, noise_min={noise_min}, noise_max={noise_max}"
    return _checked(_with_first(betas, first_beta), f"{said}: need 0 < noise_scale * noise and at most 1")


def cosine(steps: int, *, first_beta: float | None = None) -> Tensor:
    """Betas of alpha_bar(u) = cos^2((u + .008) / 1.008 * pi / 2) at u = t/T, at most .999 (Improved DDPM, ICML 2021).

    Args:
        steps: T, at least 1.
        first_beta: as for `linear_variance`.

    Returns:
        betas, float64 [T].
    """
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    alpha_bar = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    return _checked(_with_first((1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=MAX_BETA), first_beta), f"steps={steps}")


def binomial(steps: int, *, first_beta: float | None = None) -> Tensor:
    """beta_t = 1 / (T - t + 1) for t = 0..T-1; arguments and result as for `cosine`."""
    betas = 1 / (steps - torch.arange(steps, dtype=torch.float64) + 1)
    return _checked(_with_first(betas, first_beta), f"steps={steps}")


def no_noise(steps: int) -> Tensor:
    """All zeros [T]: x_t = x_0 at every step, and the chain applies the network T times over.

    This is what the released program does for a noise scale of 0 when it ranks; it is not the limit of s -> 0, because
    SNR weights do not exist here.
    """
    return torch.zeros(steps, dtype=torch.float64)


def _with_first(betas: Tensor, first_beta: float | None) -> Tensor:
    if first_beta is None:
        return betas
    return torch.cat([betas.new_tensor([first_beta]), betas[1:]])


def _checked(betas: Tensor, said: str) -> Tensor:
    outside = (~((betas > 0) & (betas <= 1))).nonzero()  # a NaN is outside too
    if len(outside):
        t = int(outside[0])
        raise ConfigError(f"beta at step {t + 1} of {len(betas)} is {betas[t]:.3g}, outside (0, 1], with {said}")
    return betas
