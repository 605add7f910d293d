"""Noise schedules: the variances beta_1..beta_T of the forward process.

A new schedule is one class here, named in `AnySchedule`. Shapes: `T` steps. Every beta lies in (0, 1]; those of `NoNoise` alone
are zero.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from recodiff.config import BaseConfig, refuse
from recodiff.errors import ConfigError
from recodiff.runtime.memory import need_memory

MAX_BETA = 0.999
"""Above it a step would leave nothing of the row (Improved DDPM, ICML 2021)."""
BYTES_PER_STEP = 400
"""Of the betas, what the process keeps of each step, and the last losses there."""
FirstBeta = Annotated[float | None, Field(gt=0, le=1)]


class Schedule(BaseConfig):
    """Settings that give the variances of the forward process."""

    @abstractmethod
    def betas(self, steps: int) -> Tensor:
        """The variance of every step.

        Args:
            steps: T, at least 1.

        Returns:
            float64 [T], each in (0, 1], or all of them 0.

        Raises:
            ConfigError: a beta lies outside (0, 1].
        """

    def checked(self, betas: Tensor, first: float | None) -> Tensor:
        """The betas as they are used, checked.

        Args:
            betas: float64 [T].
            first: replaces beta_1 where given.

        Raises:
            ConfigError: a beta lies outside (0, 1]; the sentence names the step and the settings.
        """
        if first is not None:
            betas = torch.cat([betas.new_tensor([first]), betas[1:]])
        outside = (~((betas > 0) & (betas <= 1))).nonzero()  # a NaN is outside too
        if len(outside):
            t = int(outside[0])
            given = ", ".join(f"{name}={value}" for name, value in self.model_dump().items() if value is not None)
            raise ConfigError(
                f"beta at step {t + 1} of {len(betas)} is {betas[t]:.3g}, outside (0, 1], with {given}; change one of these"
            )
        return betas


class TwoLevels(Schedule):
    """The settings of a schedule between two levels of noise."""

    noise_scale: float = Field(default=0.005, gt=0, le=1)
    """s, which multiplies both levels."""
    noise_min: float = Field(default=0.005, gt=0, lt=1)
    """a, alpha_min of Eq. (4): the first level."""
    noise_max: float = Field(default=0.01, gt=0, lt=1)
    """b, alpha_max of Eq. (4): the last level, not below the first."""
    first_beta: FirstBeta = None
    """Replaces beta_1. The released DiffRec and T-DiffRec have 1e-5, which multiplies every alpha_bar by (1 - 1e-5) / (1 - s a)."""

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        if self.noise_max < self.noise_min:
            refuse(f"noise_max = {self.noise_max} is below noise_min = {self.noise_min}; exchange them, or raise noise_max")
        return self

    def levels(self, steps: int) -> Tensor:
        """The levels of noise at each of T steps, which rise from s a to s b by equal amounts, float64 [T].

        Args:
            steps: T, 1 or more.
        """
        first, last = self.noise_scale * self.noise_min, self.noise_scale * self.noise_max
        return torch.linspace(first, last, steps, dtype=torch.float64)


class LinearVariance(TwoLevels):
    """The paper's schedule, Eq. (4): 1 - alpha_bar_t rises linearly from s a to s b.

    With more than one step b must be greater than a.
    """

    kind: Literal["linear_variance"] = "linear_variance"

    def betas(self, steps: int) -> Tensor:
        """See `Schedule`."""
        variance = self.levels(steps)
        rise = variance.diff() / (1 - variance[:-1])  # 1 - alpha_bar_t / alpha_bar_{t-1}, without cancellation
        return self.checked(torch.cat([variance[:1], rise.clamp(max=MAX_BETA)]), self.first_beta)


class Linear(TwoLevels):
    """Betas that rise linearly from s a to s b (DDPM, NeurIPS 2020)."""

    kind: Literal["linear"] = "linear"

    def betas(self, steps: int) -> Tensor:
        """See `Schedule`."""
        return self.checked(self.levels(steps), self.first_beta)


class Cosine(Schedule):
    """Betas of alpha_bar(u) = cos^2((u + .008) / 1.008 * pi / 2) at u = t/T, at most .999 (Improved DDPM, ICML 2021)."""

    kind: Literal["cosine"] = "cosine"
    first_beta: FirstBeta = None
    """Replaces beta_1."""

    def betas(self, steps: int) -> Tensor:
        """See `Schedule`."""
        u = torch.arange(steps + 1, dtype=torch.float64) / steps
        alpha_bar = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        return self.checked((1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=MAX_BETA), self.first_beta)


class Binomial(Schedule):
    """The released program's beta_t = 1 / (T - t + 1) for t = 0..T-1."""

    kind: Literal["binomial"] = "binomial"
    first_beta: FirstBeta = None
    """Replaces beta_1."""

    def betas(self, steps: int) -> Tensor:
        """See `Schedule`."""
        return self.checked(1 / (steps - torch.arange(steps, dtype=torch.float64) + 1), self.first_beta)


class NoNoise(Schedule):
    """No noise: x_t = x_0 at every step, and the chain applies the network T times over.

    This is what the released program does for a noise scale of 0 when it ranks; it is not the limit of s -> 0, because SNR weights
    do not exist here.
    """

    kind: Literal["none"] = "none"

    def betas(self, steps: int) -> Tensor:
        """All zeros, float64 [T]."""
        return torch.zeros(steps, dtype=torch.float64)


AnySchedule = Annotated[LinearVariance | Linear | Cosine | Binomial | NoNoise, Field(discriminator="kind")]
"""The schedules that settings may name by their `kind`."""


def refuse_impossible(schedule: Schedule, steps: int) -> None:
    """Refuse a schedule that gives no betas for a number of steps, from a validator of the settings that hold both.

    Args:
        schedule: of the settings.
        steps: T.

    Raises:
        ValueError: there is a beta outside (0, 1]; see `config.refuse`.
        ConfigError: what is kept of so many steps is larger than the memory.
    """
    need_memory(BYTES_PER_STEP * steps, f"steps = {steps:,}", "take fewer steps")
    try:
        schedule.betas(steps)
    except ConfigError as error:
        refuse(str(error))
