"""The DiffRec family: a codec, a weighting and a kind of pair around one diffusion.

Shapes: `B` users in a batch, `I` items, `D` width of what is diffused (I, or the latent's), `T` steps, `hL` width of the
last hidden layer.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor, nn

from recodiff.config import refuse
from recodiff.data.interactions import Interactions
from recodiff.diffusion import hidden
from recodiff.diffusion.codecs import ClusteredVAE, Codec, IdentityCodec
from recodiff.diffusion.denoisers import BY_ITEM, MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.settings import DenoiserConfig, DiffusionConfig, SamplingConfig
from recodiff.diffusion.timesteps import LossAwareTimesteps, UniformTimesteps
from recodiff.errors import ConfigError, ModelError
from recodiff.models.base import ModelConfig
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.diffrec.codec_settings import AnyCodec, Clustered, Identity
from recodiff.models.network import TorchRecommender
from recodiff.runtime.run import Run
from recodiff.tensors.losses import LOSSES, Multinomial
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import ALL
from recodiff.tensors.softmax import block_rows, even, linear_multinomial
from recodiff.training.pairs import AnyPairs, Pair, Pairs, Reconstruct
from recodiff.training.settings import TrainingConfig
from recodiff.training.trainable import Progress
from recodiff.training.traits import Traits

DENSE_ARRAYS = 7
"""[B, I] alive at once in a dense step: 6.3 to 6.7 were measured at 94,949 items (the case `hidden_step` of benchmarks/)."""
DECODED_ARRAYS = 4
"""[B, I] alive at once where a latent is decoded to the multinomial likelihood."""
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
        if not isinstance(self.codec, Identity) and wanted.loss != "squared":
            refuse(f"diffusion.loss='{wanted.loss}' is for rows, and codec.kind is '{self.codec.kind}'; codes need loss='squared'")
        if not isinstance(self.codec, Identity) and wanted.space == "hidden":
            refuse(f"diffusion.space='hidden' is for rows, codec.kind='identity', and that is '{self.codec.kind}'; leave it out")
        return self


class DiffRecNet(nn.Module):
    """Codec and diffusion; its forward is the training loss, that of the diffusion alone."""

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
        return self.diffusion.loss(pair.source, pair.target, pair.seen, generator=generator).loss


class LatentDiffRecNet(DiffRecNet):
    """The joint loss of codec and diffusion, L_v + lambda L of section 2.2, with L_v of Eq. (15) negated.

    As released, the decoder is fed the denoised latent x0_hat at the drawn step, not the code; and the code is not
    detached: the encoders learn through both sides of the diffusion's loss.
    """

    def __init__(self, codec: ClusteredVAE, diffusion: Diffusion, annealing: Clustered) -> None:
        super().__init__(codec, diffusion)
        self.codec: ClusteredVAE = codec
        self.annealing, self.multinomial = annealing, Multinomial()

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """lambda L + the reconstruction's negative log-likelihood + gamma KL, for each row of the pair, [B]."""
        source = self.codec.encode(pair.source, generator)
        target = source if pair.target is None else self.codec.encode(pair.target, generator)
        found = self.diffusion.loss(source.z, None if pair.target is None else target.z, generator=generator)
        assert found.x0_hat is not None
        missed = self._missed(found.x0_hat, target.x, pair.seen)
        assert source.kl is not None
        lambda_, gamma = self.annealing.lambda_at(progress.epoch), self.annealing.gamma_at(progress.step)
        return lambda_ * found.loss + missed + gamma * source.kl

    def _missed(self, z: Tensor, x: Rows, seen: Rows | None) -> Tensor:
        """-log p(x given z) up to a constant, [B]."""
        if self.annealing.likelihood == "gaussian":
            return self.codec.squared_error(z, x, seen) / 2
        last = self.codec.linear
        if last is not None:
            return linear_multinomial(z, last.weight, last.bias, x, seen)
        return self.multinomial(self.codec.decode(z), x, seen)


class DiffRec(TorchRecommender[DiffRecNet]):
    """DiffRec, T-DiffRec, L-DiffRec and LT-DiffRec (*Diffusion Recommender Model*, SIGIR 2023, arXiv 2304.04971).

    A row of interactions x_0 is noised, q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I), and an MLP learns to
    give it back, Eqs. (2)-(14); ranking goes back through all T steps from the history itself, Algorithm 2. T-DiffRec is the
    same on rows weighted by recency, Eq. (16): another `weighting`. L-DiffRec diffuses the latent code of a clustered VAE in
    place of the row, section 2.2: another `codec`. LT-DiffRec is both.
    """

    Config = DiffRecConfig

    def _traits(self) -> Traits:
        return replace(super()._traits(), item_vectors=True, shares_items=isinstance(self.config.codec, Identity))

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """What the codec takes from the data, the cluster of each item where it has clusters; the odds to sample items by."""
        found = self.config.codec.derive(train, run)
        given = self.config.diffusion
        if given.sampled_items is None or given.sampled_by == "uniform":
            return found
        met = np.bincount(train.matrix.indices, minlength=train.n_items).clip(min=1)
        return found | {ODDS: torch.from_numpy(np.sqrt(met, dtype=np.float32))}

    def build(self, n_items: int, generator: torch.Generator) -> DiffRecNet:
        """See `TorchRecommender`."""
        codec = self.config.codec
        if isinstance(codec, Identity):
            diffusion = self._diffusion(n_items, generator)
            if self._trains_hidden(diffusion):
                hidden.lay_out_by_item(diffusion.denoiser)
                diffusion.loss_path = hidden.HiddenPath()
            if self.shard is not None:
                self._check_shared(diffusion)
            return DiffRecNet(IdentityCodec(), diffusion)
        return LatentDiffRecNet(codec.build(self.derived, generator), self._diffusion(codec.latent, generator), codec)

    def _trains_hidden(self, diffusion: Diffusion) -> bool:
        """Whether the loss of rows costs less in the hidden space, or the settings want it there."""
        given, obstacle = self.config.diffusion, hidden.trains(diffusion)
        if given.sampled_items is not None and obstacle:
            raise ConfigError(f"diffusion.sampled_items needs the hidden space: {obstacle}; leave it out")
        if given.space == "hidden" and obstacle:
            raise ConfigError(f"diffusion.space='hidden' cannot train this model: {obstacle}; use 'auto' or 'dense'")
        wanted = given.space == "hidden" or given.sampled_items is not None
        return wanted or (given.space == "auto" and not obstacle and hidden.pays(diffusion, self.training.batch_size))

    def _check_shared(self, diffusion: Diffusion) -> None:
        if obstacle := hidden.trains(diffusion):
            raise ConfigError(f"shard='items' cannot train this model: {obstacle}; change that, or leave shard out")
        if not isinstance(diffusion.loss_path, hidden.HiddenPath):
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

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The denoiser at the rate and decay of `training`; a latent's codec at its own."""
        groups = super().parameter_groups(module)
        codec = self.config.codec
        if isinstance(codec, Clustered):
            assert isinstance(module, LatentDiffRecNet)
            groups[0]["params"] = list(module.diffusion.parameters())
            groups.append({"params": list(module.codec.parameters()), "lr": codec.lr, "weight_decay": codec.weight_decay})
        return groups

    def working_bytes(self, module: nn.Module, batch: int) -> int:
        """Arrays [B, I], or blocks of them where a multinomial needs no more; else an item-sized layer's gradient, twice."""
        assert isinstance(module, DiffRecNet)
        if isinstance(module.codec, ClusteredVAE):
            items, arrays = sum(module.codec.sizes), 0 if module.codec.linear or self._gaussian else DECODED_ARRAYS
            by_blocks = bool(module.codec.linear) and not self._gaussian
        else:
            items = module.diffusion.denoiser.last.out_features
            arrays = 0 if isinstance(module.diffusion.loss_path, hidden.HiddenPath) else DENSE_ARRAYS
            by_blocks = not arrays and self.config.diffusion.loss == "multinomial"
        largest, sampled = 2 * max(4 * p.numel() for p in module.parameters()), self.config.diffusion.sampled_items
        if sampled is not None:  # the gradient of the items that were picked is as large as that of all
            items = min(items, even(sampled + FOUND_BY_USER * batch))
            return 4 * BLOCK_ARRAYS * min(batch, block_rows(items)) * items + largest
        if by_blocks:
            arrays, batch = BLOCK_ARRAYS, min(batch, block_rows(items))
        return 4 * arrays * batch * items or largest

    @property
    def _gaussian(self) -> bool:
        return isinstance(self.config.codec, Clustered) and self.config.codec.likelihood == "gaussian"

    def lighter(self, module: nn.Module) -> str:
        """The space or the likelihood that needs no [B, I]."""
        assert isinstance(module, DiffRecNet)
        if isinstance(module.codec, ClusteredVAE):
            return "" if self._gaussian or module.codec.linear else ", or set codec.likelihood='gaussian'"
        dense = not isinstance(module.diffusion.loss_path, hidden.HiddenPath)
        return ", or set diffusion.space='hidden'" if dense and hidden.trains(module.diffusion) is None else ""

    def pairs(self) -> Pairs:
        """See `TorchRecommender`."""
        return self.config.pairs

    def score(self, batch: Batch) -> Tensor:
        """The chain's x_0, decoded, [B, I]."""
        z, codec = self._denoised(batch), self.module.codec
        last = codec.linear if isinstance(codec, ClusteredVAE) else None
        return codec.decode(z) if last is None else inner_products(z, last.weight, last.bias)

    def _denoised(self, batch: Batch) -> Tensor:
        """The chain's x_0 [B, D]: through the hidden space where that is exact, else step by step."""
        z = self.module.codec.encode(batch.history).z
        if self._hidden_holds():
            return self.module.chain().denoise(z)
        sampling: SamplingConfig = self.config.sampling
        generator = _per_history(batch.history, sampling.seed)
        return self.module.diffusion.denoise(
            z, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise, generator=generator
        )

    def _hidden_holds(self) -> bool:
        sampling: SamplingConfig = self.config.sampling
        return hidden.holds(self.module.diffusion, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise)

    def vectors(self) -> ItemVectors:
        """(V_i, c_i) of the last layer that all items share: a latent's decoder, else the denoiser's, see `hidden`."""
        if self.shard is not None:
            raise ModelError("the item vectors are shared among processes; save the model, and load it in one")
        codec = self.module.codec
        if isinstance(codec, ClusteredVAE) and codec.linear is None:
            raise ModelError(
                "scores are an inner product only for a shared linear decoder; set codec.decoder='shared', codec.decoder_hidden=[]"
            )
        if isinstance(codec, IdentityCodec) and not self._hidden_holds():
            raise ModelError(
                "scores are an inner product only for x0 prediction, an input that is not normalised and no noise in sampling; "
                "set diffusion.prediction='x0', denoiser.normalise=false, sampling.noise_steps=0, sampling.noise=false"
            )
        last = codec.linear if isinstance(codec, ClusteredVAE) else self.module.diffusion.denoiser.last
        assert last is not None
        return ItemVectors(last.weight.detach(), last.bias.detach())

    def user_vectors(self, batch: Batch) -> Tensor:
        """What stands before that layer: a latent's x_0 [B, D], else g_1 [B, hL], see `hidden`."""
        self.vectors()
        if isinstance(self.module.codec, ClusteredVAE):
            return self._denoised(batch)
        return self.module.chain().user_vectors(batch.history)


def _per_history(rows: Rows, seed: int) -> list[torch.Generator]:
    """A generator for each row, keyed by its content: a user's noise does not depend on who else is in the batch."""
    bounds, columns = rows.offsets.tolist(), rows.columns.tolist()
    return [keyed_generator(seed, *columns[a:b], device=rows.values.device) for a, b in pairwise(bounds)]
