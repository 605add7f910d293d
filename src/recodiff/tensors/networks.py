"""Plain networks over item rows, and what is done to a row before them: shared by the autoencoders and the codecs.

Shapes: `B` rows in a batch, `I` items, `h` a hidden width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodiff.tensors.random import keep_rows
from recodiff.tensors.rows import Rows

Activation = Literal["tanh", "silu", "relu", "gelu", "identity"]
Initialisation = Literal["released", "xavier"]

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "silu": F.silu,
    "relu": torch.relu,
    "gelu": F.gelu,
    "identity": lambda x: x,
}


class RowLinear(nn.Module):
    """A layer x W + b of item rows: sparse rows cost their entries, whatever the size of the catalogue.

    Args:
        n_items: I.
        width: h.
        generator: draws the initial weights.
        initialisation: see `denoisers.MLPDenoiser`.
    """

    def __init__(
        self, n_items: int, width: int, generator: torch.Generator | None, initialisation: Initialisation = "released"
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_items, width))  # W [I, h]: item by item, a history sums some of its rows
        self.bias = nn.Parameter(torch.empty(width))
        _initialise(self.weight, self.bias, generator, initialisation)

    def forward(self, x: Rows | Tensor) -> Tensor:
        """The layer's output, [B, h].

        Args:
            x: rows [B, I].
        """
        return (x.matmul(self.weight) if isinstance(x, Rows) else x @ self.weight) + self.bias


def linears(
    widths: Sequence[int], generator: torch.Generator | None, initialisation: Initialisation = "released"
) -> list[nn.Linear]:
    """Linear layers between vectors of given widths.

    Args:
        widths: two or more, first to last.
        generator: draws the initial weights.
        initialisation: see `denoisers.MLPDenoiser`.
    """
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    for layer in layers:
        _initialise(layer.weight, layer.bias, generator, initialisation)
    return layers


@torch.no_grad()
def _initialise(weight: Tensor, bias: Tensor, generator: torch.Generator | None, kind: Initialisation) -> None:
    """Weights of variance 2 / (fan_in + fan_out); biases of standard deviation .001 (DiffRec, MultiVAE) or zero (L-DiffRec)."""
    weight.normal_(0, math.sqrt(2 / sum(weight.shape)), generator=generator)
    if kind == "released":
        bias.normal_(0, 0.001, generator=generator)
    else:
        bias.zero_()


class Pointwise(nn.Module):
    """One of ACTIVATIONS as a module, to stand where PReLU can, which learns.

    Args:
        name: which.
    """

    def __init__(self, name: Activation) -> None:
        super().__init__()
        self.name: Activation = name

    def forward(self, x: Tensor) -> Tensor:
        """The activation of each number; the shape stays.

        Args:
            x: of any shape.
        """
        return ACTIVATIONS[self.name](x)


class MLP(nn.Module):
    """Linear layers with an activation after each but the last.

    Args:
        layers: one or more; the first may be a `RowLinear`.
        activation: makes an activation, called once for each layer but the last.
    """

    def __init__(self, layers: Sequence[RowLinear | nn.Linear], activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        *before, self.last = layers
        self.body = nn.Sequential(*(part for layer in before for part in (layer, activation())))

    def hidden(self, x: Rows | Tensor) -> Tensor:
        """The last layer's input, [B, h].

        Args:
            x: rows [B, I].
        """
        return self.body(x)

    def forward(self, x: Rows | Tensor) -> Tensor:
        """The last layer's output, linear in `hidden`, [B, width of the last layer].

        Args:
            x: rows [B, I].
        """
        return self.last(self.body(x))


def normalise(x: Rows | Tensor) -> Rows | Tensor:
    """Rows scaled to length 1; a row of zeros stays as it is.

    Args:
        x: [B, I].

    Returns:
        [B, I], sparse where `x` is.
    """
    if isinstance(x, Tensor):
        return F.normalize(x)
    rows = x.row_of()
    squares = torch.zeros(len(x), device=x.values.device, dtype=x.values.dtype).index_add_(0, rows, x.values.square())
    return replace(x, values=x.values / squares.sqrt().clamp(min=1e-12)[rows])


def drop(x: Rows | Tensor, p: float, generator: torch.Generator) -> Rows | Tensor:
    """Dropout on rows: each entry is zeroed with probability p, the others are multiplied by 1 / (1 - p).

    Args:
        x: [B, I].
        p: in [0, 1).
        generator: on the rows' device.

    Returns:
        [B, I], sparse where `x` is.
    """
    if p == 0:
        return x
    if isinstance(x, Rows):
        return x.drop(p, generator)
    keep = keep_rows(x, p, generator)
    return keep.of(x) * keep.growth
