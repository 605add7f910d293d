"""ACVAE: a variational autoencoder of histories in their order, with an adversary and a contrast in place of the KL term.

Shapes: `B` users in a batch, `I` items, `L` places of the window, `D` width, `k` width of the code, `N` places of the batch that
have a next item.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from recodiff.models.sequences.encoder import SequenceConfig, SequenceRecommender, loss_by_user
from recodiff.models.sequences.gru4rec import GRU4RecNet
from recodiff.models.sequences.windows import Window, windows
from recodiff.tensors.losses import unrounded
from recodiff.tensors.networks import MLP, Pointwise, linears
from recodiff.tensors.random import by_row
from recodiff.training.pairs import Pair
from recodiff.training.trainable import Progress

INITIAL_NOISE = 0.1
"""Standard deviation of the noise on a hidden layer at first: much more would hide what a history says until late."""


class ACVAEConfig(SequenceConfig):
    """Settings of ACVAE; a layer is one of gated recurrent units."""

    layers: int = Field(default=1, ge=1, le=1000)
    """Layers of the recurrent network."""
    latent: int = Field(default=64, ge=1)
    """k, width of the code, and of the noise that it is made with."""
    kernel: int = Field(default=3, ge=1)
    """Places that the convolution sees at once, the newest of them its own."""
    adversarial_weight: float = Field(default=0.05, ge=0)
    """alpha, of the adversary's verdict; it stands for the KL divergence from the prior."""
    contrastive_weight: float = Field(default=0.1, ge=0)
    """beta, of the contrast of a user's code with another's."""
    critic_lr: float = Field(default=1e-3, gt=0)
    """Learning rate of the two critics; `training.lr` is that of the rest."""
    output: Literal["tied", "own"] = "own"
    """Whether items are scored by the vectors they are read by, or have vectors of their own for it."""


class ACVAENet(GRU4RecNet):
    """Encoder, decoder and the two critics; its forward is the training loss of all.

    Args:
        n_items: I.
        config: the model's settings.
        generator: of the initial weights.
    """

    def __init__(self, n_items: int, config: ACVAEConfig, generator: torch.Generator) -> None:
        super().__init__(n_items, config, generator)
        self.config: ACVAEConfig = config
        width, latent = config.width, config.latent
        self.convolution = nn.Conv1d(width, width, config.kernel)
        self.noise = nn.Parameter(torch.empty(latent, width))
        with torch.no_grad():
            self.convolution.weight.uniform_(-(width**-0.5), width**-0.5, generator=generator)
            nn.init.zeros_(self.convolution.bias)  # pyright: ignore[reportArgumentType]
            self.noise.normal_(0, INITIAL_NOISE * latent**-0.5, generator=generator)
        self.code, self.decoder = (linears([a, b], generator, "xavier")[0] for a, b in ((width, latent), (latent, width)))
        self.adversary, self.contrast = (
            MLP(linears([width + latent, width, 1], generator, "xavier"), lambda: Pointwise("tanh")) for _ in range(2)
        )

    def encode(self, window: Window, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The states h [B, L, D] after each place, and the codes z [B, L, k] made of them.

        Args:
            window: the newest L items of B users.
            generator: of dropout and of the codes' noise; without it both are zero.
        """
        read = super().states(window, generator)
        past = F.pad(read.mT, (self.config.kernel - 1, 0))  # a place sees itself and what came before
        hidden = self.convolution(past).mT
        if generator is not None:
            hidden = hidden + self._normal(hidden, generator) @ self.noise
        return read, self.code(torch.tanh(hidden))

    def decode(self, z: Tensor) -> Tensor:
        """Vectors that score items, [.., D].

        Args:
            z: codes, [.., k].
        """
        return torch.tanh(self.decoder(z))

    def states(self, window: Window, generator: torch.Generator | None = None) -> Tensor:
        """See `SequenceNet`."""
        return self.decode(self.encode(window, generator)[1])

    def forward(self, pair: Pair, progress: Progress, generator: torch.Generator) -> Tensor:
        """The loss of each user, summed over places, over the mean number of places, [B].

        It draws window, dropout, the code's noise and the prior's codes.
        """
        config = self.config
        window = windows(pair.source, config.length + 1, generator)
        places, target = window.following(config.horizon, config.target, pair.source.width)
        read, codes = self.encode(window.before_last(), generator)
        there = places[:, :-1]
        x, z, prior = read[there].detach(), codes[there], self._normal(codes, generator)[there]
        losses = self.missed(self.decode(z), window, places, target, generator)
        losses = losses + config.adversarial_weight * self._verdict(x, z) + contrasted(self.adversary, x, z.detach(), prior)
        beta = config.contrastive_weight if len(places) > 1 else 0.0  # of a single user there is no other to differ from
        return loss_by_user(losses + beta * contrasted(self.contrast, x, z, others(codes, there)), places, generator)

    def _verdict(self, x: Tensor, z: Tensor) -> Tensor:
        """T(x, z) [N], which the encoder would lower; the adversary itself does not learn by it."""
        fixed = {name: parameter.detach() for name, parameter in self.adversary.named_parameters()}
        return unrounded(functional_call(self.adversary, fixed, (torch.cat([x, z], 1),))[:, 0])

    def _normal(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Standard normal, [B, L, k]."""
        shape = (*like.shape[:2], self.config.latent)
        return by_row(shape, generator, lambda shape: like.new_empty(shape).normal_(generator=generator))


def contrasted(critic: nn.Module, x: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """The logistic loss of a critic T: softplus(-T(x, one)) + softplus(T(x, other)), [N].

    Args:
        critic: T, [N, D + k] -> [N, 1].
        x: [N, D].
        one: codes that belong to x, [N, k].
        other: codes that do not, [N, k].
    """
    first, second = (unrounded(critic(torch.cat([x, code], 1))[:, 0]) for code in (one, other))
    return F.softplus(-first) + F.softplus(second)


def others(codes: Tensor, places: Tensor) -> Tensor:
    """Codes of the next user at each of some places, or at that user's last such place, [N, k].

    The next user is one of the rows that are here, where several processes share the batch.

    Args:
        codes: [B, L, k].
        places: the first ones of each user, at least one; boolean [B, L].
    """
    user, place = places.nonzero(as_tuple=True)
    other = (user + 1) % len(places)
    return codes[other, torch.minimum(place, places.sum(1)[other] - 1)]


class ACVAE(SequenceRecommender):
    """Xie et al., *Adversarial and Contrastive Variational Autoencoder for Sequential Recommendation*, WWW 2021.

    The newest L items of a history are read by gated recurrent units, and these by a causal convolution into which noise is put.
    It gives a code z_p after each place p, of a law q(z | x) that can be drawn from and has no density. What the decoder makes of
    it scores the items, which learn as `SequenceRecommender` says. With T the adversary and T' the contrast's critic there are
    added to that loss, place by place,

        alpha T(x, z_p) + beta [softplus(-T'(x, z_p)) + softplus(T'(x, z'))] + softplus(-T(x, z_p)) + softplus(T(x, eps))

    z' being a code of another user and eps of the prior N(0, I). By the last two terms T alone learns, and by the first it does
    not: at its best T = log q(z | x) / p(z), and alpha T stands for the KL term of a variational autoencoder. The contrast is a
    bound of what a code tells of its history; encoder and T' both lower it. x is the recurrent state, which no critic moves. All
    take a step on each batch, by AdamW; the original's critics have SGD. Lists are made with noise zero.
    """

    Config = ACVAEConfig

    def build(self, n_items: int, generator: torch.Generator) -> ACVAENet:
        """See `TorchRecommender`."""
        return ACVAENet(n_items, self.config, generator)

    def parameter_groups(self, module: Any) -> list[dict[str, Any]]:
        """The critics at their own rate."""
        (group,) = super().parameter_groups(module)
        critics = [*module.adversary.parameters(), *module.contrast.parameters()]
        theirs = set(map(id, critics))
        rest = [parameter for parameter in module.parameters() if id(parameter) not in theirs]
        return [group | {"params": rest}, group | {"params": critics, "lr": self.config.critic_lr}]
