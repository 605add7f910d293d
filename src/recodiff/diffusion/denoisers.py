"""Networks f(x_t, t) that estimate x_0 (or eps) from a noised row.

Shapes: `B` rows in a batch, `D` width of the diffused vector, `h1` and `hL` first and last hidden widths, `E` size of
the step embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.tensors.networks import ACTIVATIONS, Activation, Initialisation
from recodiff.tensors.random import Kept
from recodiff.tensors.sharding import ALL, AllItems

BY_ITEM = {"first.weight": 1, "last.weight": 0, "last.bias": 0}
"""Of `MLPDenoiser`: the parameters of the size of the catalogue, and which of their dimensions is the items'."""


def timestep_embedding(t: Tensor, size: int) -> Tensor:
    """Sinusoidal features of the step, [cos(t f_0).. , sin(t f_0)..] with f_i = 10000^(-i / (E // 2)).

    Args:
        t: whole numbers [B], 0-based.
        size: E; an odd one gets a zero at the end.

    Returns:
        float32 [B, E].
    """
    half = size // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / max(half, 1))
    angles = t[:, None].to(torch.float32) * frequencies
    return F.pad(torch.cat([angles.cos(), angles.sin()], 1), (0, size % 2))


class MLPDenoiser(nn.Module):
    """The paper's denoiser, Eq. (10): an MLP on [x_t, step embedding], the embedding through a linear layer first.

    The first layer on the concatenation is kept as its two parts, z = W x_t + U e_t + b, the last as x0_hat = V g + c. The
    gradient of the item-sized input is then never formed, and `hidden.py` can carry W x_t instead of x_t.

    Args:
        width: D.
        hidden: widths of the hidden layers in order; the released `dims=[200,600]` are `[600, 200, 600]`.
        embedding: E, size of the step embedding.
        activation: after every layer but the last.
        normalise: whether the input row is scaled to length 1 first; rules out the hidden-space paths.
        initialisation: `released` draws weights with variance 2 / (fan_in + fan_out) and biases with standard deviation
            .001 (DiffRec, T-DiffRec); `xavier` has the same weights and zero biases (L-, LT-DiffRec).
        generator: draws the initial weights.
        items: which of the D columns are here; where that is not all, the denoiser is for the hidden space alone.
    """

    def __init__(
        self,
        width: int,
        hidden: Sequence[int],
        *,
        embedding: int = 10,
        activation: Activation = "tanh",
        normalise: bool = False,
        initialisation: Initialisation = "released",
        generator: torch.Generator | None = None,
        items: AllItems = ALL,
    ) -> None:
        super().__init__()
        self.width, self.items = width, items
        self.embedding, self.normalise = embedding, normalise
        self.activation: Activation = activation
        self.embed = nn.Linear(embedding, embedding)
        self.first = nn.Linear(items.width(width), hidden[0])  # W, b
        self.first_step = nn.Linear(embedding, hidden[0], bias=False)  # U
        self.body = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(hidden))
        self.last = nn.Linear(hidden[-1], items.width(width))  # V, c
        self._initialise(initialisation, generator)

    @torch.no_grad()
    def _initialise(self, kind: Initialisation, generator: torch.Generator | None) -> None:
        fan_in = {self.first: self.width + self.embedding}
        fan_in[self.first_step] = fan_in[self.first]
        for layer in [self.embed, self.first, self.first_step, *self.body, self.last]:
            assert isinstance(layer, nn.Linear)
            fans = fan_in.get(layer, layer.in_features) + (self.width if layer is self.last else layer.out_features)
            self._draw(layer.weight, math.sqrt(2 / fans), generator)
            if layer.bias is not None and kind == "released":
                self._draw(layer.bias, 0.001, generator)
            elif layer.bias is not None:
                layer.bias.zero_()

    def _draw(self, parameter: Tensor, std: float, generator: torch.Generator | None) -> None:
        dim = next((dim for name, dim in BY_ITEM.items() if self.get_parameter(name) is parameter), None)
        (ALL if dim is None else self.items).fill_normal(parameter, std, generator, dim or 0)

    def step_bias(self, t: Tensor) -> Tensor:
        """The step's part U e_t of the first layer's sum, [B, h1].

        Args:
            t: steps, int64 [B], 0..T-1.
        """
        return self.first_step(self.embed(timestep_embedding(t, self.embedding).to(self.embed.weight.dtype)))

    def hidden(self, z: Tensor) -> Tensor:
        """The last layer's input g [B, hL].

        Args:
            z: the first layer's sum, [B, h1].
        """
        act = ACTIVATIONS[self.activation]
        g = act(z)
        for layer in self.body:
            g = act(layer(g))
        return g

    def forward(self, x_t: Tensor, t: Tensor, keep: Kept | None = None) -> Tensor:
        """The estimate V hidden(W x_t + U e_t + b) + c.

        Args:
            x_t: [B, D].
            t: int64 [B], 0-based.
            keep: the entries of the normalised input that dropout keeps. They are multiplied by 1 / (1 - p) behind the first layer,
                where the rows are short.

        Returns:
            [B, D].
        """
        if self.normalise:
            x_t = F.normalize(x_t)
        if keep is None:
            z = self.first(x_t)
        else:
            z = F.linear(keep.of(x_t), self.first.weight)
            z = torch.add(self.first.bias.to(z.dtype), z, alpha=keep.growth)
        return self.last(self.hidden(z + self.step_bias(t)))
