"""Settings of the diffusion: its loss, network and sampling; the schedules are in `schedules`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from recodiff.config import Added, BaseConfig, refuse
from recodiff.diffusion.diffusion import Prediction
from recodiff.diffusion.process import StepWeights
from recodiff.diffusion.schedules import AnySchedule, LinearVariance, NoNoise, refuse_impossible
from recodiff.moved import old_names
from recodiff.tensors.networks import Activation, Initialisation


class DiffusionConfig(BaseConfig):
    """The forward process and its loss."""

    steps: int = Field(default=5, ge=1)
    """T."""
    schedule: AnySchedule = LinearVariance()
    """The noise."""
    prediction: Prediction = "x0"
    """What the denoiser estimates."""
    loss: Literal["squared", "multinomial"] = "squared"
    """The distance of estimate and target; the paper's is squared."""
    sampled_items: Annotated[int | None, Added()] = Field(default=None, ge=1)
    """With the multinomial loss on rows: the number of items, beside the targets, that the softmax is estimated from in each batch
    (rounded up, see `softmax.even`); all unless given. For large catalogues."""
    sampled_by: Annotated[Literal["uniform", "popularity"], Added()] = "uniform"
    """How those items are drawn: with equal probability, or by the square root of the number of histories that have them."""
    step_weights: StepWeights = "snr"
    """Weight of each step's loss: `snr` as released, `half_snr` as in Eq. (11), or `none`."""
    timesteps: Literal["loss_aware", "uniform"] = "loss_aware"
    """How t is drawn: importance sampling, Eq. (14), or uniformly, Eq. (13)."""
    space: Annotated[Literal["auto", "dense", "hidden"], Added()] = "auto"
    """Where the loss is computed: on rows of the catalogue's width (`dense`), or between the hidden layers (`hidden`: x0
    prediction, identity codec); `auto` takes what costs less arithmetic, see `hidden.pays`."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        refuse_impossible(self.schedule, self.steps)
        if self.prediction == "eps" and isinstance(self.schedule, NoNoise):
            refuse("prediction='eps' estimates the noise, and schedule.kind='none' has none; use prediction='x0'")
        if self.prediction == "eps" and self.loss != "squared":
            refuse(f"prediction='eps' needs loss='squared', and loss is '{self.loss}'; use prediction='x0'")
        if self.space == "hidden" and self.prediction != "x0":
            refuse(f"space='hidden' needs prediction='x0', and prediction is '{self.prediction}'; use space='auto' or 'dense'")
        return self

    @model_validator(mode="after")
    def _samples(self) -> Self:
        if self.sampled_items is None:
            if self.sampled_by != "uniform":
                refuse(f"sampled_by='{self.sampled_by}' says how sampled_items are drawn; give their number")
        elif self.loss != "multinomial":
            refuse(f"sampled_items is for loss='multinomial', and loss is '{self.loss}'; leave it out, or set that loss")
        elif self.space == "dense":
            refuse("sampled_items needs the hidden space, and space is 'dense'; use 'auto' or 'hidden'")
        return self


class DenoiserConfig(BaseConfig):
    """The network that estimates x_0 or the noise."""

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
    """The chain that makes the scores, Algorithm 2."""

    noise_steps: int = Field(default=0, ge=0)
    """T', the step to which the history is noised before the chain, at most `diffusion.steps`; 0 in all released settings."""
    noise: bool = False
    """Whether the chain adds the posterior's noise; the paper does not."""
    seed: int = 0
    """The seed of that noise, so that lists can be reproduced."""


__getattr__ = old_names(__name__)
