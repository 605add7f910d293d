"""Recurrent networks and the adversarial variational autoencoder of sequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def gru(x: Array, p: dict[str, Array]) -> Array:
    """Gated recurrent units, place by place: [L, D] -> [L, D]."""
    width = x.shape[1]
    h, out = np.zeros(width), []
    for read in x:
        given, kept = p["weight_ih_l0"] @ read + p["bias_ih_l0"], p["weight_hh_l0"] @ h + p["bias_hh_l0"]
        reset, update = (_sigmoid(given[at : at + width] + kept[at : at + width]) for at in (0, width))
        new = np.tanh(given[2 * width :] + reset * kept[2 * width :])
        h = (1 - update) * new + update * h
        out.append(h)
    return np.array(out)


def causal_convolution(x: Array, weight: Array, bias: Array) -> Array:
    """[L, D] -> [L, D]; each place sees itself and the kernel - 1 places before it."""
    kernel, out = weight.shape[2], []
    for place in range(len(x)):
        total = bias.copy()
        for j in range(kernel):
            seen = place - (kernel - 1) + j
            total = total + (weight[:, :, j] @ x[seen] if seen >= 0 else 0)
        out.append(total)
    return np.array(out)


def acvae_code(h: Array, noise: Array, p: dict[str, Array]) -> Array:
    """z [L, k] of the recurrent states h [L, D] and of noise [L, k]."""
    hidden = causal_convolution(h, p["convolution.weight"], p["convolution.bias"]) + noise @ p["noise"]
    return np.tanh(hidden) @ p["code.weight"].T + p["code.bias"]


def critic(x: Array, z: Array, layers: Sequence[tuple[Array, Array]]) -> float:
    """T(x, z) of one place: one hidden layer of tanh."""
    (first, first_bias), (last, last_bias) = layers
    return float((np.tanh(np.concatenate([x, z]) @ first + first_bias) @ last + last_bias)[0])


def told_apart(t: Callable[[Array, Array], float], x: Array, one: Array, other: Array) -> float:
    return math.log1p(math.exp(-t(x, one))) + math.log1p(math.exp(t(x, other)))


def next_items(z: Array, target: dict[int, float], p: dict[str, Any], left_out: Sequence[int] = ()) -> float:
    """-sum_k w_k log softmax(tanh(D z + d) . v + b)_k of one place, over the items that are not left out."""
    scores = p["own"] @ np.tanh(p["decoder.weight"] @ z + p["decoder.bias"]) + p["bias"]
    log_total = math.log(sum(math.exp(score) for item, score in enumerate(scores) if item not in left_out))
    return sum(weight * (log_total - scores[item]) for item, weight in target.items() if item not in left_out)
