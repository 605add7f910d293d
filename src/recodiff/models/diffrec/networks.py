"""The networks of the DiffRec family: codec and diffusion, trained by the diffusion's loss alone or by a joint one.

Shapes: `B` users in a batch, `I` items, `D` width of what is diffused (I, or the latent's), `hL` width of the denoiser's last
hidden layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from recodiff.diffusion import hidden
from recodiff.diffusion.codecs import ClusteredVAE, Codec
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.settings import SamplingConfig
from recodiff.errors import ModelError
from recodiff.tensors.losses import Multinomial
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.tensors.softmax import linear_multinomial
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress

DENSE_ARRAYS = 7
"""[B, I] alive at once in a dense step: 6.3 to 6.7 were measured at 94,949 items (the case `hidden_step` of benchmarks/)."""
DECODED_ARRAYS = 4
"""[B, I] alive at once where a latent is decoded to the multinomial likelihood."""


class DiffRecNet(nn.Module):
    """Codec and diffusion; its forward is the training loss, that of the diffusion alone."""

    def __init__(self, codec: Codec, diffusion: Diffusion) -> None:
        super().__init__()
        self.codec, self.diffusion = codec, diffusion
        self._chain: hidden.HiddenChain | None = None

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; either way the weights may have changed, so the chain is made anew."""
        self._chain = None
        return super().train(mode)

    def chain(self) -> hidden.HiddenChain:
        """The hidden-space chain of the weights as they stand; call `eval()` after changing them."""
        if self._chain is None:
            self._chain = hidden.HiddenChain(self.diffusion)
        return self._chain

    @property
    def n_items(self) -> int:
        """I, or the items whose weights are here where processes share them."""
        return self.diffusion.denoiser.last.out_features

    @property
    def in_hidden_space(self) -> bool:
        """Whether the loss is computed between the hidden layers."""
        return isinstance(self.diffusion.loss_path, hidden.HiddenPath)

    def parameter_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """One group of AdamW.

        Args:
            lr: learning rate, greater than 0.
            weight_decay: 0 or more.
        """
        return [{"params": list(self.parameters()), "lr": lr, "weight_decay": weight_decay}]

    @property
    def dense_arrays(self) -> int:
        """Arrays [B, I] that a training step keeps alive at once."""
        return 0 if self.in_hidden_space else DENSE_ARRAYS

    @property
    def by_blocks(self) -> bool:
        """Whether a step makes logits of all items a block of users at a time."""
        return self.in_hidden_space and self.diffusion.distance.softmax

    @property
    def memory_hint(self) -> str:
        """A remedy other than a smaller batch that would make a step take less, as the end of a sentence."""
        can = not self.in_hidden_space and hidden.trains(self.diffusion) is None
        return ", or set diffusion.space='hidden'" if can else ""

    def hidden_holds(self, sampling: SamplingConfig) -> bool:
        """Tell whether the chain goes through the hidden space exactly.

        Args:
            sampling: how lists are made.
        """
        return hidden.holds(self.diffusion, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise)

    def denoised(self, history: Rows, sampling: SamplingConfig) -> Tensor:
        """The chain's x_0 [B, D]: through the hidden space where that is exact, else step by step.

        Args:
            history: rows [B, I].
            sampling: how lists are made.
        """
        z = self.codec.encode(history).z
        if self.hidden_holds(sampling):
            return self.chain().denoise(z)
        generator = _per_history(history, sampling.seed)
        return self.diffusion.denoise(z, noise_steps=sampling.noise_steps, sampling_noise=sampling.noise, generator=generator)

    def score(self, history: Rows, sampling: SamplingConfig) -> Tensor:
        """The chain's x_0, decoded, [B, I].

        Args:
            history: rows [B, I].
            sampling: how lists are made.
        """
        z, last = self.denoised(history, sampling), self.codec.item_layer
        return self.codec.decode(z) if last is None else inner_products(z, last.weight, last.bias)

    def item_layer(self, sampling: SamplingConfig) -> nn.Linear:
        """The last layer, which all items share and whose rows are their vectors: the denoiser's, see `hidden`.

        Args:
            sampling: how lists are made.

        Raises:
            ModelError: with these settings scores are no inner product.
        """
        if not self.hidden_holds(sampling):
            raise ModelError(
                "scores are an inner product only for x0 prediction, an input that is not normalised and no noise in sampling; "
                "set diffusion.prediction='x0', denoiser.normalise=false, sampling.noise_steps=0, sampling.noise=false"
            )
        return self.diffusion.denoiser.last

    def user_vectors(self, history: Rows, sampling: SamplingConfig) -> Tensor:
        """The input of that layer: g_1 [B, hL], see `hidden`.

        Args:
            history: rows [B, I].
            sampling: how lists are made.
        """
        return self.chain().user_vectors(history)

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each row of the pair, [B]."""
        return self.diffusion.loss(pair.source, pair.target, pair.seen, generator=generator).loss


class Annealing(Protocol):
    """The settings of a latent's joint loss, and the weights of its terms as training goes on."""

    @property
    def likelihood(self) -> Literal["multinomial", "gaussian"]:
        """The likelihood p(x given z)."""
        ...

    @property
    def lr(self) -> float:
        """Learning rate of the codec."""
        ...

    @property
    def weight_decay(self) -> float:
        """Decoupled weight decay of the codec."""
        ...

    def lambda_at(self, epoch: int) -> float:
        """The weight of the diffusion's loss after `epoch` epochs."""
        ...

    def gamma_at(self, step: int) -> float:
        """The weight of the KL divergence after `step` batches."""
        ...


class LatentDiffRecNet(DiffRecNet):
    """The joint loss of codec and diffusion, L_v + lambda L of section 2.2, with L_v of Eq. (15) negated.

    As released, the decoder is fed the denoised latent x0_hat at the drawn step, not the code; and the code is not
    detached: the encoders learn through both sides of the diffusion's loss.
    """

    def __init__(self, codec: ClusteredVAE, diffusion: Diffusion, annealing: Annealing) -> None:
        super().__init__(codec, diffusion)
        self.codec: ClusteredVAE = codec
        self.annealing, self.multinomial = annealing, Multinomial()

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The sum lambda L + the reconstruction's negative log-likelihood + gamma KL, for each row of the pair, [B]."""
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
        if self._gaussian:
            return self.codec.squared_error(z, x, seen) / 2
        last = self.codec.item_layer
        if last is not None:
            return linear_multinomial(z, last.weight, last.bias, x, seen)
        return self.multinomial(self.codec.decode(z), x, seen)

    @property
    def n_items(self) -> int:
        """I."""
        return sum(self.codec.sizes)

    @property
    def _gaussian(self) -> bool:
        return self.annealing.likelihood == "gaussian"

    def parameter_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """The denoiser at the rate and decay of `training`, the codec at its own."""
        codec = {"params": list(self.codec.parameters()), "lr": self.annealing.lr, "weight_decay": self.annealing.weight_decay}
        return [{"params": list(self.diffusion.parameters()), "lr": lr, "weight_decay": weight_decay}, codec]

    @property
    def dense_arrays(self) -> int:
        """Arrays [B, I] that a training step keeps alive at once: those of a decoder that is not linear."""
        return 0 if self.codec.item_layer or self._gaussian else DECODED_ARRAYS

    @property
    def by_blocks(self) -> bool:
        """Whether a step makes logits of all items a block of users at a time."""
        return bool(self.codec.item_layer) and not self._gaussian

    @property
    def memory_hint(self) -> str:
        """The likelihood that needs no [B, I]."""
        return ", or set codec.likelihood='gaussian'" if self.dense_arrays else ""

    def item_layer(self, sampling: SamplingConfig) -> nn.Linear:
        """The decoder, where it is one linear layer of all items.

        Raises:
            ModelError: it is not.
        """
        if self.codec.item_layer is None:
            raise ModelError(
                "scores are an inner product only for a shared linear decoder; set codec.decoder='shared', codec.decoder_hidden=[]"
            )
        return self.codec.item_layer

    def user_vectors(self, history: Rows, sampling: SamplingConfig) -> Tensor:
        """The input of that layer: the chain's x_0 [B, D]."""
        return self.denoised(history, sampling)


def _per_history(rows: Rows, seed: int) -> list[torch.Generator]:
    """A generator for each row, keyed by its content: a user's noise does not depend on who else is in the batch."""
    bounds, columns = rows.offsets.tolist(), rows.columns.tolist()
    return [keyed_generator(seed, *columns[a:b], device=rows.values.device) for a, b in pairwise(bounds)]
