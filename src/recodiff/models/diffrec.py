"""The DiffRec family: a codec, a weighting and a kind of pair around one diffusion.

Shapes: `B` users in a batch, `I` items, `T` steps, `hL` width of the last hidden layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from recodiff.config import BaseConfig
from recodiff.diffusion import hidden, schedules
from recodiff.diffusion.codecs import Codec, IdentityCodec
from recodiff.diffusion.denoisers import Activation, Initialisation, MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion, Prediction
from recodiff.diffusion.draws import keyed_generator
from recodiff.diffusion.losses import LOSSES
from recodiff.diffusion.process import GaussianProcess, StepWeights
from recodiff.diffusion.rows import Rows
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps
from recodiff.errors import ConfigError, ModelError
from recodiff.models.base import Batch, ItemVectors, ModelConfig, TorchRecommender
from recodiff.pairs import Pair, Pairs, Reconstruct
from recodiff.training import Progress, TrainingConfig


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


class DiffusionConfig(BaseConfig):
    """The process and its loss."""

    steps: int = Field(default=5, ge=1)
    """T."""
    schedule: Annotated[LinearVariance | Linear | Cosine | Binomial | NoNoise, Field(discriminator="kind")] = LinearVariance()
    """The noise."""
    prediction: Prediction = "x0"
    """What the denoiser estimates."""
    loss: Literal["squared", "multinomial"] = "squared"
    """The distance of estimate and target; the paper's is squared."""
    step_weights: StepWeights = "snr"
    """Weight of each step's loss: `snr` as released, `half_snr` as in Eq. (11), or `none`."""
    timesteps: Literal["loss_aware", "uniform"] = "loss_aware"
    """How t is drawn: importance sampling, Eq. (14), or uniformly, Eq. (13)."""


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


class DiffRecConfig(ModelConfig):
    """Settings of the DiffRec family."""

    diffusion: DiffusionConfig = DiffusionConfig()
    denoiser: DenoiserConfig = DenoiserConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()


class DiffRecNet(nn.Module):
    """Codec and diffusion; its forward is the training loss."""

    def __init__(self, codec: Codec, diffusion: Diffusion) -> None:
        super().__init__()
        self.codec, self.diffusion = codec, diffusion
        self._chain: hidden.HiddenChain | None = None

    def train(self, mode: bool = True) -> Self:
        """Switches between training and evaluation; either way the weights may have changed, so the chain is made anew."""
        self._chain = None
        return super().train(mode)

    def chain(self) -> hidden.HiddenChain:
        """The hidden-space chain of the weights as they stand; call `eval()` after changing them."""
        if self._chain is None:
            self._chain = hidden.HiddenChain(self.diffusion)
        return self._chain

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each row of the pair, [B]."""
        target = None if pair.target is None else self.codec.encode(pair.target).z
        return self.diffusion.loss(self.codec.encode(pair.source).z, target, pair.seen, generator=generator).loss


class DiffRec(TorchRecommender):
    """DiffRec and T-DiffRec (*Diffusion Recommender Model*, SIGIR 2023, arXiv 2304.04971).

    A row of interactions x_0 is noised, q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I), and an MLP learns to
    give it back, Eqs. (2)-(14); ranking goes back through all T steps from the history itself, Algorithm 2. T-DiffRec is the
    same on rows weighted by recency, Eq. (16): another `weighting`, no code of its own.
    """

    Config = DiffRecConfig
    item_vectors = True

    module: DiffRecNet  # pyright: ignore[reportIncompatibleVariableOverride]

    def build(self, n_items: int, generator: torch.Generator) -> DiffRecNet:
        """See `TorchRecommender`."""
        config: DiffRecConfig = self.config
        steps, noised = config.diffusion.steps, config.sampling.noise_steps
        if noised > steps:
            raise ConfigError(f"sampling.noise_steps={noised} lies outside 0..{steps}, the number of steps (diffusion.steps)")
        process = GaussianProcess(config.diffusion.schedule.betas(steps))
        net = config.denoiser
        denoiser = MLPDenoiser(
            n_items,
            net.hidden,
            embedding=net.embedding,
            activation=net.activation,
            normalise=net.normalise,
            initialisation=net.initialisation,
            generator=generator,
        )
        sampler = LossAwareTimesteps if config.diffusion.timesteps == "loss_aware" else UniformTimesteps
        diffusion = Diffusion(
            process,
            denoiser,
            sampler(process.steps),
            loss=LOSSES[config.diffusion.loss](),
            prediction=config.diffusion.prediction,
            step_weights=config.diffusion.step_weights,
            dropout=net.dropout,
        )
        return DiffRecNet(IdentityCodec(), diffusion)

    def pairs(self) -> Pairs:
        """A row is made from itself."""
        return Reconstruct()

    def score(self, batch: Batch) -> Tensor:
        """The chain's x_0, [B, I]: through the hidden space where that is exact, else step by step."""
        if self._hidden_holds():
            return self.module.chain().denoise(batch.history)
        sampling: SamplingConfig = self.config.sampling
        generator = _per_history(batch.history, sampling.seed)
        code = self.module.codec.encode(batch.history).z
        x0 = self.module.diffusion.denoise(
            code, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise, generator=generator
        )
        return self.module.codec.decode(x0)

    def _hidden_holds(self) -> bool:
        sampling: SamplingConfig = self.config.sampling
        return hidden.holds(self.module.diffusion, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise)

    def vectors(self) -> ItemVectors:
        """(V_i, c_i) of the last layer, see `hidden`."""
        if not self._hidden_holds():
            raise ModelError(
                "scores are an inner product only for x0 prediction, an input that is not normalised and no noise in sampling; "
                "set diffusion.prediction='x0', denoiser.normalise=false, sampling.noise_steps=0, sampling.noise=false"
            )
        last = self.module.diffusion.denoiser.last
        return ItemVectors(last.weight.detach(), last.bias.detach())

    def user_vectors(self, batch: Batch) -> Tensor:
        """g_1 [B, hL], see `hidden`."""
        self.vectors()
        return self.module.chain().user_vectors(batch.history)


def _per_history(rows: Rows, seed: int) -> list[torch.Generator]:
    """A generator for each row, keyed by its content: a user's noise does not depend on who else is in the batch."""
    bounds, columns = rows.offsets.tolist(), rows.columns.tolist()
    return [keyed_generator(seed, *columns[a:b], device=rows.values.device) for a, b in pairwise(bounds)]
