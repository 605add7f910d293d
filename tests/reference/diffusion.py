"""The diffusion of *Diffusion Recommender Model*, step by step.

Shapes: `B` rows, `D` width, `T` steps. `t` is 0-based: `t = 0` is the paper's `t = 1`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# Noise schedules


def linear_variance(steps: int, s: float, a: float, b: float, first_beta: float | None = None) -> Array:
    """Eq. (4): 1 - alpha_bar_t = s (a + (t-1)/(T-1) (b-a)), solved for the betas."""
    alpha_bar = [1 - s * (a + (t / (steps - 1) if steps > 1 else 0) * (b - a)) for t in range(steps)]
    betas = [1 - alpha_bar[0]]
    betas += [min(1 - alpha_bar[t] / alpha_bar[t - 1], 0.999) for t in range(1, steps)]
    return _first(betas, first_beta)


def linear(steps: int, s: float, a: float, b: float, first_beta: float | None = None) -> Array:
    return _first([s * a + (t / (steps - 1) if steps > 1 else 0) * (s * b - s * a) for t in range(steps)], first_beta)


def cosine(steps: int, first_beta: float | None = None) -> Array:
    def f(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    return _first([min(1 - f((t + 1) / steps) / f(t / steps), 0.999) for t in range(steps)], first_beta)


def binomial(steps: int, first_beta: float | None = None) -> Array:
    return _first([1 / (steps - t + 1) for t in range(steps)], first_beta)


def _first(betas: Sequence[float], first_beta: float | None) -> Array:
    out = np.array(betas, dtype=np.float64)
    if first_beta is not None:
        out[0] = first_beta
    return out


# The Gaussian process


def noise(betas: Sequence[float] | Array) -> Array:
    """1 - alpha_bar_t, built up as what is left of the noise before plus what each step adds, so nothing cancels."""
    total, out = 0.0, []
    for beta in betas:
        total += (1 - total) * float(beta)
        out.append(total)
    return np.array(out)


def alpha_bar(betas: Sequence[float] | Array) -> Array:
    return 1 - noise(betas)


def q_sample(x0: Array, t: Sequence[int], eps: Array, betas: Array) -> Array:
    """Eq. (3), row by row."""
    bar, variance = alpha_bar(betas), noise(betas)
    return np.stack([math.sqrt(bar[t[i]]) * x0[i] + math.sqrt(variance[t[i]]) * eps[i] for i in range(len(x0))])


def posterior(x0: Array, x_t: Array, t: int, betas: Array) -> tuple[Array, float]:
    """Mean and variance of q(x_{t-1} | x_t, x_0) by Bayes' rule: the two Gaussians' precisions add up."""
    if t == 0:
        return x0, 0.0  # x_0 given x_0
    beta, bar, variance = float(betas[t]), alpha_bar(betas)[t - 1], noise(betas)[t - 1]
    # prior of x_{t-1}: N(sqrt(bar) x_0, variance); likelihood: x_t ~ N(sqrt(1 - beta) x_{t-1}, beta)
    precision = 1 / variance + (1 - beta) / beta
    return (math.sqrt(bar) * x0 / variance + math.sqrt(1 - beta) * x_t / beta) / precision, 1 / precision


def x0_weights(betas: Array, half: bool = False) -> Array:
    """Eqs. (11)-(12): the drop of SNR(t) = alpha_bar_t / (1 - alpha_bar_t), 1 at the first step."""
    snr = alpha_bar(betas) / noise(betas)
    drops = [(snr[t - 1] - snr[t]) * (0.5 if half else 1) for t in range(1, len(snr))]
    return np.array([1.0, *drops])


def eps_weights(betas: Array) -> Array:
    variance = noise(betas)
    later = [variance[t] / (variance[t - 1] ** 2 * (1 - betas[t])) for t in range(1, len(betas))]
    return np.array([1.0, *later])


# The denoiser


def timestep_embedding(t: Sequence[int], size: int) -> Array:
    rows = []
    for step in t:
        angles = [step * 10000 ** (-i / (size // 2)) for i in range(size // 2)]
        rows.append([math.cos(a) for a in angles] + [math.sin(a) for a in angles] + [0.0] * (size % 2))
    return np.array(rows)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "identity": lambda x: x,
}


class ConcatMLP:
    """Eq. (10) as it is written: one MLP on the concatenation [x_t, Linear(embedding of t)].

    Args:
        parameters: a state dict as float64 arrays: embed, first (the columns of x_t), first_step (those of the embedding),
            body.0.., last.
    """

    def __init__(self, parameters: dict[str, Array], activation: str = "tanh", *, normalise: bool = False) -> None:
        self.p, self.activation, self.normalise = parameters, ACTIVATIONS[activation], normalise

    def __call__(self, x_t: Array, t: Sequence[int]) -> Array:
        p = self.p
        if self.normalise:
            x_t = x_t / np.maximum(np.sqrt((x_t**2).sum(1, keepdims=True)), 1e-12)
        embedding = timestep_embedding(t, p["embed.weight"].shape[1]) @ p["embed.weight"].T + p["embed.bias"]
        h = np.concatenate([x_t, embedding], 1)
        first = np.concatenate([p["first.weight"], p["first_step.weight"]], 1)
        h = self.activation(h @ first.T + p["first.bias"])
        for k in range(sum(name.startswith("body") and name.endswith("weight") for name in p)):
            h = self.activation(h @ p[f"body.{k}.weight"].T + p[f"body.{k}.bias"])
        return h @ p["last.weight"].T + p["last.bias"]


def chain(
    f: Callable[[Array, Sequence[int]], Array],
    x0: Array,
    betas: Array,
    *,
    noise_steps: int = 0,
    draws: Sequence[Array] = (),
    sampling_noise: bool = False,
) -> Array:
    """Algorithm 2: noise to x_{T'}, call it x_T, go back T steps; `draws` are the normal arrays in order of use."""
    left, steps, x = list(draws), len(betas), x0
    if noise_steps:
        x = q_sample(x0, [noise_steps - 1] * len(x0), left.pop(0), betas)
    for t in range(steps - 1, -1, -1):
        x, variance = posterior(f(x, [t] * len(x)), x, t, betas)
        if sampling_noise and t > 0:
            x = x + math.sqrt(variance) * left.pop(0)
    return x


# Losses


def squared(estimate: Array, target: Array, seen: Sequence[set[int]] | None = None) -> Array:
    """Mean over all D of the squared error, the seen entries counting as zero."""
    out = []
    for i in range(len(estimate)):
        out.append(
            sum((estimate[i, j] - target[i, j]) ** 2 for j in range(estimate.shape[1]) if seen is None or j not in seen[i])
            / estimate.shape[1]
        )
    return np.array(out)


def multinomial(estimate: Array, target: Array, seen: Sequence[set[int]] | None = None) -> Array:
    """-sum_j target_j log softmax_j, the softmax over the entries that are not seen."""
    out = []
    for i in range(len(estimate)):
        open_ = [j for j in range(estimate.shape[1]) if seen is None or j not in seen[i]]
        total = math.log(sum(math.exp(estimate[i, j]) for j in open_))
        out.append(-sum(target[i, j] * (estimate[i, j] - total) for j in open_))
    return np.array(out)


# Importance sampling of t


class Fifo:
    """Section 5, row by row: a queue of the last `keep` losses per step."""

    def __init__(self, steps: int, keep: int = 10) -> None:
        self.steps, self.keep = steps, keep
        self.queues: list[deque[float]] = [deque(maxlen=keep) for _ in range(steps)]

    def update(self, t: Sequence[int], losses: Sequence[float]) -> None:
        for step, loss in zip(t, losses, strict=True):
            self.queues[step].append(loss)

    def law(self) -> Array:
        if any(len(queue) < self.keep for queue in self.queues):
            return np.full(self.steps, 1 / self.steps)
        q = [math.sqrt(sum(loss**2 for loss in queue) / len(queue)) for queue in self.queues]
        return np.array([value / sum(q) * (1 - 0.001) + 0.001 / self.steps for value in q])
