"""Settings of the diffusion: schedule, loss, network, sampling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from recodiff.config import BaseConfig
from recodiff.diffusion import schedules
from recodiff.diffusion.diffusion import Prediction
from recodiff.diffusion.process import StepWeights
from recodiff.tensors.networks import Activation, Initialisation


class LinearVariance(BaseConfig):
    """1 - alpha_bar_t rises linearly, Eq. (4): the paper's schedule."""

    kind: Literal["linear_variance"] = "linear_variance"
    noise_scale: float = Field(default=0.005, gt=0, le=1)
    """s."""
    noise_min: float = Field(default=0.005, gt=0, lt=1)
    """alpha_min of Eq. (4)."""
    noise_max: float = Field(default=0.01, gt=0, lt=1)
    """alpha_max of Eq. (4)."""
    first_beta: float | None = Field(default=None, gt=0, le=1)
    """Replaces beta_1; the released DiffRec and T-DiffRec have 1e-5."""

    def betas(self, steps: int) -> Tensor:
        """float64 [T]."""
        return schedules.linear_variance(steps, self.noise_scale, self.noise_min, self.noise_max, first_beta=self.first_beta)


class Linear(LinearVariance):
    """Betas rise linearly."""

    kind: Literal["linear"] = "linear"  # pyright: ignore[reportIncompatibleVariableOverride]

    def betas(self, steps: int) -> Tensor:
        """float64 [T]."""
        return schedules.linear(steps, self.noise_scale, self.noise_min, self.noise_max, first_beta=self.first_beta)


class Cosine(BaseConfig):
    """The cosine schedule of Improved DDPM."""

    kind: Literal["cosine"] = "cosine"
    first_beta: float | None = Field(default=None, gt=0, le=1)
    """As for LinearVariance."""

    def betas(self, steps: int) -> Tensor:
        """float64 [T]."""
        return schedules.cosine(steps, first_beta=self.first_beta)


class Binomial(BaseConfig):
    """beta_t = 1 / (T - t + 1)."""

    kind: Literal["binomial"] = "binomial"
    first_beta: float | None = Field(default=None, gt=0, le=1)
    """As for LinearVariance."""

    def betas(self, steps: int) -> Tensor:
        """float64 [T]."""
        return schedules.binomial(steps, first_beta=self.first_beta)


class NoNoise(BaseConfig):
    """No Gaussian noise: T plain applications of the network."""

    kind: Literal["none"] = "none"

    def betas(self, steps: int) -> Tensor:
        """float64 [T]."""
        return schedules.no_noise(steps)


AnySchedule = Annotated[LinearVariance | Linear | Cosine | Binomial | NoNoise, Field(discriminator="kind")]


class DiffusionConfig(BaseConfig):
    """The process and its loss."""

    steps: int = Field(default=5, ge=1)
    """T."""
    schedule: AnySchedule = LinearVariance()
    """The noise."""
    prediction: Prediction = "x0"
    """What the denoiser estimates."""
    loss: Literal["squared", "multinomial"] = "squared"
    """The distance of estimate and target; the paper's is squared."""
    sampled_items: int | None = Field(default=None, ge=1)
    """With the multinomial loss on rows: how many items at least, beside those to be found, the softmax is estimated from in each
    batch (rounded up, see `softmax.even`); all unless given. For large catalogues."""
    sampled_by: Literal["uniform", "popularity"] = "uniform"
    """How those are drawn: all alike, or by the square root of the number of histories that have them."""
    step_weights: StepWeights = "snr"
    """Weight of each step's loss: `snr` as released, `half_snr` as in Eq. (11), or `none`."""
    timesteps: Literal["loss_aware", "uniform"] = "loss_aware"
    """How t is drawn: importance sampling, Eq. (14), or uniformly, Eq. (13)."""
    space: Literal["auto", "dense", "hidden"] = "auto"
    """Where the loss is computed: on rows of the catalogue's width (`dense`), or between the hidden layers (`hidden`: x0
    prediction, identity codec); `auto` takes what costs less arithmetic, see `hidden.pays`."""


class DenoiserConfig(BaseConfig):
    """The network."""

    hidden: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(600, 200, 600), min_length=1)
    """Hidden widths in order; the released `dims=[200,600]` are [600, 200, 600]."""
    embedding: int = Field(default=10, ge=2)
    """Size of the step embedding."""
    activation: Activation = "tanh"
    """After every layer but the last."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of the noised input that is zeroed in training."""
    normalise: bool = False
    """Whether the input row is scaled to length 1."""
    initialisation: Initialisation = "released"
    """Biases drawn (`released`) or zero (`xavier`)."""


class SamplingConfig(BaseConfig):
    """How lists are made, Algorithm 2."""

    noise_steps: int = Field(default=0, ge=0)
    """T', how far the history is noised before the chain; 0 in all released settings."""
    noise: bool = False
    """Whether the chain adds the posterior's noise; the paper does not."""
    seed: int = 0
    """Of that noise, so that lists can be had again."""
