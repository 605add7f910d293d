"""The DiffRec family: a codec, a weighting and a kind of pair around one diffusion.

Shapes: `B` users in a batch, `I` items, `D` width of what is diffused (I, or the latent's), `T` steps, `hL` width of the
last hidden layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from recodiff.config import refuse
from recodiff.data.interactions import Interactions
from recodiff.diffusion import hidden
from recodiff.diffusion.denoisers import BY_ITEM, MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.settings import DenoiserConfig, DiffusionConfig, SamplingConfig
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps
from recodiff.errors import ConfigError, ModelError
from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.diffrec.codec_settings import AnyCodec, Identity
from recodiff.models.diffrec.networks import DiffRecNet
from recodiff.models.network import TorchRecommender
from recodiff.runtime.run import Run
from recodiff.tensors.losses import LOSSES, Multinomial
from recodiff.tensors.sharding import ALL
from recodiff.tensors.softmax import block_rows, even
from recodiff.training.pairs import AnyPairs, Pairs, Reconstruct
from recodiff.training.settings import TrainingConfig
from recodiff.training.traits import Traits

BLOCK_ARRAYS = 2
"""Blocks of logits alive at once in the multinomial loss of the hidden space, or of a latent behind a linear decoder."""
FOUND_BY_USER = 50
"""Items of a batch's users that stand beside the sampled ones, a guess for the estimate of memory alone."""
ODDS = "odds"
"""Among what is derived: how readily an item is sampled, where not all are alike."""


class DiffRecConfig(ModelConfig):
    """Settings of the DiffRec family."""

    codec: AnyCodec = Identity()
    """What is diffused: rows of items, or their latent codes."""
    pairs: AnyPairs = Reconstruct()
    """What is learned from what."""
    diffusion: DiffusionConfig = DiffusionConfig()
    denoiser: DenoiserConfig = DenoiserConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        wanted, steps, noised = self.diffusion, self.diffusion.steps, self.sampling.noise_steps
        if noised > steps:
            refuse(f"sampling.noise_steps={noised} lies outside 0..{steps}, diffusion.steps; give at most that")
        if self.denoiser.normalise and (wanted.space == "hidden" or wanted.sampled_items is not None):
            name = "sampled_items" if wanted.space != "hidden" else "space='hidden'"
            refuse(f"diffusion.{name} needs the hidden space, and that needs denoiser.normalise=false; set it, or leave {name} out")
        if not self.codec.of_rows and wanted.loss != "squared":
            refuse(f"diffusion.loss='{wanted.loss}' is for rows, and codec.kind is '{self.codec.kind}'; codes need loss='squared'")
        if not self.codec.of_rows and wanted.space == "hidden":
            refuse(f"diffusion.space='hidden' is for rows, codec.kind='identity', and that is '{self.codec.kind}'; leave it out")
        return self


class DiffRec(TorchRecommender[DiffRecNet]):
    """DiffRec, T-DiffRec, L-DiffRec and LT-DiffRec (*Diffusion Recommender Model*, SIGIR 2023, arXiv 2304.04971).

    A row of interactions x_0 is noised, q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I), and an MLP learns to
    give it back, Eqs. (2)-(14); ranking goes back through all T steps from the history itself, Algorithm 2. T-DiffRec is the
    same on rows weighted by recency, Eq. (16): another `weighting`. L-DiffRec diffuses the latent code of a clustered VAE in
    place of the row, section 2.2: another `codec`. LT-DiffRec is both.
    """

    Config = DiffRecConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, shares_items=self.config.codec.of_rows)

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """Derive the codec's needs of the data, the cluster of each item where it has clusters; the odds to sample items by."""
        found = self.config.codec.derive(train, run)
        given = self.config.diffusion
        if given.sampled_items is None or given.sampled_by == "uniform":
            return found
        counts = np.bincount(train.matrix.indices, minlength=train.n_items).clip(min=1)
        return found | {ODDS: torch.from_numpy(np.sqrt(counts, dtype=np.float32))}

    def build(self, n_items: int, generator: torch.Generator) -> DiffRecNet:
        """See `TorchRecommender`."""
        settings: AnyCodec = self.config.codec

        def diffusion() -> Diffusion:
            made = self._diffusion(settings.width(n_items), generator)
            if settings.of_rows and self._trains_hidden(made):
                hidden.lay_out_by_item(made.denoiser)
                made.loss_path = hidden.HiddenPath()
            return made

        net = settings.net(self.derived, generator, diffusion)
        if self.shard is not None:
            self._check_shared(net)
        return net

    def lay_out(self) -> None:
        """Item by item where the chain is in the hidden space, whose first layer sums rows of items."""
        if self.config.codec.of_rows and self.module.hidden_holds(self.config.sampling):
            hidden.lay_out_by_item(self.module.diffusion.denoiser)
            self.module.eval()  # the chain is made anew, of the weights where they are now

    def _trains_hidden(self, diffusion: Diffusion) -> bool:
        """Whether the loss of rows costs less in the hidden space, or the settings want it there."""
        given, obstacle = self.config.diffusion, hidden.trains(diffusion)
        if given.sampled_items is not None and obstacle:
            raise ConfigError(f"diffusion.sampled_items needs the hidden space: {obstacle}; leave it out")
        if given.space == "hidden" and obstacle:
            raise ConfigError(f"diffusion.space='hidden' cannot train this model: {obstacle}; use 'auto' or 'dense'")
        wanted = given.space == "hidden" or given.sampled_items is not None
        return wanted or (given.space == "auto" and not obstacle and hidden.pays(diffusion, self.training.batch_size))

    def _check_shared(self, net: DiffRecNet) -> None:
        if obstacle := hidden.trains(net.diffusion):
            raise ConfigError(f"shard='items' cannot train this model: {obstacle}; change that, or leave shard out")
        if not net.in_hidden_space:
            raise ConfigError("shard='items' needs diffusion.space='hidden', and with these settings it is dense; set it")
        if self.config.sampling.noise_steps or self.config.sampling.noise:
            raise ConfigError("shard='items' ranks without noise; set sampling.noise_steps=0, sampling.noise=false")

    def by_item(self) -> dict[str, int]:
        """The denoiser's first and last layer."""
        return {f"diffusion.denoiser.{name}": dim for name, dim in BY_ITEM.items()}

    def _diffusion(self, width: int, generator: torch.Generator) -> Diffusion:
        config: DiffRecConfig = self.config
        steps, sampled = config.diffusion.steps, config.diffusion.sampled_items
        net = config.denoiser
        denoiser = MLPDenoiser(
            width,
            net.hidden,
            embedding=net.embedding,
            activation=net.activation,
            normalise=net.normalise,
            initialisation=net.initialisation,
            generator=generator,
            items=self.shard or ALL,
        )
        sampler = LossAwareTimesteps if config.diffusion.timesteps == "loss_aware" else UniformTimesteps
        process = GaussianProcess(config.diffusion.schedule.betas(steps))
        return Diffusion(
            process,
            denoiser,
            sampler(process.steps),
            loss=LOSSES[config.diffusion.loss]() if sampled is None else Multinomial(sampled, self.derived.get(ODDS)),
            prediction=config.diffusion.prediction,
            step_weights=config.diffusion.step_weights,
            dropout=net.dropout,
        )

    def parameter_groups(self, module: DiffRecNet) -> list[dict[str, Any]]:
        """The denoiser at the rate and decay of `training`; a latent's codec at its own."""
        return module.parameter_groups(self.training.lr, self.training.weight_decay)

    def working_bytes(self, module: DiffRecNet, batch: int) -> int:
        """Arrays [B, I], or blocks of them where a multinomial needs no more; else an item-sized layer's gradient, twice."""
        items, arrays = module.n_items, module.dense_arrays
        largest, sampled = 2 * max(4 * p.numel() for p in module.parameters()), self.config.diffusion.sampled_items
        if sampled is not None:  # the gradient of the items that were picked is as large as that of all
            items = min(items, even(sampled + FOUND_BY_USER * batch))
            return 4 * BLOCK_ARRAYS * min(batch, block_rows(items)) * items + largest
        if module.by_blocks:
            arrays, batch = BLOCK_ARRAYS, min(batch, block_rows(items))
        return 4 * arrays * batch * items or largest

    def memory_hint(self, module: DiffRecNet) -> str:
        """The space or the likelihood that needs no [B, I]."""
        return module.memory_hint

    def pairs(self) -> Pairs:
        """See `TorchRecommender`."""
        return self.config.pairs

    def score(self, batch: Batch) -> Tensor:
        """The chain's x_0, decoded, [B, I]."""
        return self.module.score(batch.history, self.config.sampling)

    def vectors(self) -> ItemVectors:
        """The (V_i, c_i) of the last layer that all items share: a latent's decoder, else the denoiser's, see `hidden`.

        Raises:
            ModelError: with these settings scores are no inner product, or the items are shared among processes.
        """
        if self.shard is not None:
            raise ModelError("the item vectors are shared among processes; save the model, and load it in one")
        last = self.module.item_layer(self.config.sampling)
        return ItemVectors(last.weight.detach(), last.bias.detach())

    def user_vectors(self, batch: Batch) -> Tensor:
        """The input of that layer: a latent's x_0 [B, D], else g_1 [B, hL]; raises as `vectors` does."""
        self.vectors()
        return self.module.user_vectors(batch.history, self.config.sampling)

    def hidden_chain(self) -> hidden.HiddenChain:
        """See `Recommender`: it is exact for diffusion of rows without noise."""
        if not self.config.codec.of_rows or not self.module.hidden_holds(self.config.sampling):
            raise ModelError(
                "of the DiffRec family, ONNX takes diffusion of rows, x0 prediction, an input that is not normalised and no noise "
                "in sampling, which go between hidden layers; set codec.kind='identity', diffusion.prediction='x0', "
                "denoiser.normalise=false, sampling.noise_steps=0"
            )
        return self.module.chain()
