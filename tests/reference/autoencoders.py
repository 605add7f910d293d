"""Variational and denoising autoencoders, the clustered one among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# The clustered VAE


def vae_encode(x: Array, clusters: Sequence[int], parameters: dict[str, Array]) -> tuple[Array, Array]:
    """mu and logvar [B, D]: one tanh layer per cluster on that cluster's columns, halved, laid side by side."""
    mu, logvar = [], []
    for c in range(max(clusters) + 1):
        columns = [item for item, own in enumerate(clusters) if own == c]
        out = np.tanh(x[:, columns] @ parameters[f"encoders.{c}.0.last.weight"] + parameters[f"encoders.{c}.0.last.bias"])
        mu.append(out[:, : out.shape[1] // 2])
        logvar.append(out[:, out.shape[1] // 2 :])
    return np.concatenate(mu, 1), np.concatenate(logvar, 1)


def vae_decode_per_cluster(z: Array, clusters: Sequence[int], parameters: dict[str, Array]) -> Array:
    """[B, D] -> [B, I]: each cluster's part of the code gives the scores of its own items."""
    out, at = np.zeros((len(z), len(clusters))), 0
    for c in range(max(clusters) + 1):
        weight, bias = (parameters[f"decoders.{c}.last.{name}"] for name in ("weight", "bias"))
        columns = [item for item, own in enumerate(clusters) if own == c]
        out[:, columns] = z[:, at : at + weight.shape[1]] @ weight.T + bias
        at += weight.shape[1]
    return out


# Autoencoders

Layers = Sequence[tuple[Array, Array]]
"""Weight [in, out] and bias [out] of each layer."""


def mlp(x: Array, layers: Layers, activations: Sequence[Callable[[Any], Any]]) -> Array:
    """Linear layers with an activation after each but the last."""
    for (weight, bias), activation in zip(layers, [*activations, lambda z: z], strict=True):
        x = activation(x @ weight + bias)
    return x


def unit_rows(x: Array) -> Array:
    """Each row over its length; zeros stay zeros."""
    return np.stack([row / math.sqrt(sum(row**2)) if row.any() else row for row in x])


def kl_from_standard_normal(mu: Array, logvar: Array) -> Array:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over the latent: ln(1/sd) + (sd^2 + mu^2 - 1) / 2 each."""
    sd = np.exp(logvar / 2)
    return (np.log(1 / sd) + (sd**2 + mu**2 - 1) / 2).sum(1)


def log_normal(x: Array, mean: Array | float, variance: Array | float) -> Array:
    """The log density of independent Gaussians, summed over a row."""
    return np.log(np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * math.pi * variance)).sum(1)


def codigem_loss(
    x: Array, noise: Sequence[Array], beta: float, decoder: Callable[[Array], Array], back: Sequence[Callable[[Array], Array]]
) -> Array:
    """Minus the bound: log p(x | z_1), less each step's log q(z_t | z_{t-1}) - log p(z_t | z_{t+1}), p(z_T) = N(0, I)."""
    z = [x]
    for eps in noise:
        z.append(math.sqrt(1 - beta) * z[-1] + math.sqrt(beta) * eps)
    bound, steps = log_normal(x, np.tanh(decoder(z[1])), 1.0), len(noise)
    for t in range(1, steps + 1):
        forward = log_normal(z[t], math.sqrt(1 - beta) * z[t - 1], beta)
        if t == steps:
            backward = log_normal(z[t], 0.0, 1.0)
        else:
            out = back[t - 1](z[t + 1])
            backward = log_normal(z[t], out[:, : x.shape[1]], np.exp(out[:, x.shape[1] :]))
        bound = bound - (forward - backward)
    return -bound
