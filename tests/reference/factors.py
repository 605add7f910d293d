"""Models of user and item vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# User and item vectors


def unmet(history: set[int], n_items: int) -> list[int]:
    return [item for item in range(n_items) if item not in history]


def light_propagation(weights: Array, users: Array, items: Array, layers: int) -> tuple[Array, Array]:
    """LightGCN: the mean over layers 0..K of (D^-1/2 A D^-1/2)^k E, A the adjacency of all users and items together."""
    n, m = weights.shape
    a = np.zeros((n + m, n + m))
    a[:n, n:], a[n:, :n] = weights, weights.T
    degree = a.sum(1)
    scale = np.array([d**-0.5 if d > 0 else 0.0 for d in degree])
    a = scale[:, None] * a * scale[None, :]
    e = np.concatenate([users, items])
    mean = np.mean([np.linalg.matrix_power(a, k) @ e for k in range(layers + 1)], axis=0)
    return mean[:n], mean[n:]


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def bpr(met: float, negatives: Sequence[float] | Array) -> float:
    """The mean over negatives of -log sigma(s_ui - s_uj)."""
    return sum(softplus(score - met) for score in negatives) / len(negatives)


def logistic(met: float, negatives: Sequence[float] | Array) -> float:
    return softplus(-met) + sum(softplus(score) for score in negatives)


def truncated(met: Sequence[float], negatives: Sequence[Sequence[float]], dropped: int) -> list[float]:
    """T-CE of a batch: of the `dropped` worst fitted met entries only the negatives count."""
    worst = sorted(range(len(met)), key=lambda entry: -softplus(-met[entry]))[:dropped]
    return [(0.0 if entry in worst else softplus(-score)) + sum(map(softplus, negatives[entry])) for entry, score in enumerate(met)]


def reweighted(met: float, negatives: Sequence[float] | Array, exponent: float, at: tuple[float, Any] | None = None) -> float:
    """R-CE, its weights taken at other scores where `at` is given: as constants, for the gradient."""
    trusted, doubted = at or (met, negatives)
    out = sigmoid(trusted) ** exponent * softplus(-met)
    for score, doubtful in zip(negatives, doubted, strict=True):
        out += (1 - sigmoid(doubtful)) ** exponent * softplus(score)
    return out


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def half_square(met: float, negatives: Sequence[float] | Array) -> float:
    return ((1 - met) ** 2 + sum(score**2 for score in negatives)) / 2


def compared(
    final: tuple[Array, Array],
    learned: tuple[Array, Array],
    bias: Array,
    met: Sequence[tuple[int, int, float]],
    negatives: Sequence[Sequence[int]],
    l2: float,
) -> Array:
    """Each user's sum of w_ui (bpr + l2/2 (|e_u|^2 + |e_i|^2 + mean_j |e_j|^2)); the norms are those of the learned vectors.

    Args:
        final: users [U, D] and items [I, D] that are scored with.
        learned: those that are learned.
        bias: of the items [I].
        met: (user, item, weight).
        negatives: of each.
        l2: lambda.
    """
    out = np.zeros(len(final[0]))
    for (u, i, w), others in zip(met, negatives, strict=True):
        s = final[0][u] @ final[1].T + bias
        size = (learned[0][u] ** 2).sum() + (learned[1][i] ** 2).sum()
        size += sum((learned[1][j] ** 2).sum() for j in others) / len(others)
        out[u] += w * (bpr(s[i], s[list(others)]) + l2 / 2 * size)
    return out


def slopes(f: Callable[[Array], float], at: Array, step: float = 1e-5) -> Array:
    """The gradient of f by central differences."""
    out = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        moved = np.zeros_like(at)
        moved[index] = step
        out[index] = (f(at + moved) - f(at - moved)) / (2 * step)
    return out


def stranger_objective(
    v: Array,
    history: dict[int, float],
    items: Array,
    bias: Array,
    received: Array,
    share: float,
    l2: float,
    loss: Callable[[float, Array], float] = bpr,
) -> float:
    """What a stranger's own vector v costs, over every item that was not met."""
    s = items @ (received + share * v) + bias
    others = unmet(set(history), len(items))
    cost = sum(w * loss(s[i], s[others]) for i, w in history.items()) / sum(history.values())
    return cost + l2 / 2 * (v**2).sum()


def cdae(row: Array, own: Array, p: dict[str, Array], activation: Callable[[Any], Any]) -> Array:
    """The scores of one user: W' h(W^T y + V_u + b) + b'."""
    return p["decoder"] @ activation(p["encoder"].T @ row + own + p["hidden_bias"]) + p["bias"]
