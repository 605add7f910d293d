"""The weights of our networks in the form that `reference.mlp` takes."""

from __future__ import annotations

from torch import nn

import reference
from recodiff.tensors.networks import MLP, RowLinear


def layers_of(net: MLP) -> reference.Layers:
    """Weight [in, out] and bias of each layer, first to last, in float64."""
    linear = [layer for layer in (*net.body, net.last) if isinstance(layer, RowLinear | nn.Linear)]
    pairs = [(layer.weight if isinstance(layer, RowLinear) else layer.weight.T, layer.bias) for layer in linear]
    return [(weight.detach().double().numpy(), bias.detach().double().numpy()) for weight, bias in pairs]
