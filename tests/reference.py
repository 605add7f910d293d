"""Slow, obvious float64 truths, written from the paper's equations and never imported from the package.

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


# Metrics of one user: the list, best first, and the set of relevant items


def recall(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / len(relevant) if relevant else 0.0


def recall_min(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / min(len(ranked), len(relevant)) if relevant else 0.0


def precision(ranked: Sequence[int], relevant: set[int]) -> float:
    return sum(item in relevant for item in ranked) / len(ranked)


def hit_rate(ranked: Sequence[int], relevant: set[int]) -> float:
    return float(any(item in relevant for item in ranked))


def mrr(ranked: Sequence[int], relevant: set[int]) -> float:
    for rank, item in enumerate(ranked, 1):
        if item in relevant:
            return 1 / rank
    return 0.0


def ndcg(ranked: Sequence[int], relevant: set[int]) -> float:
    if not relevant:
        return 0.0
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked, 1) if item in relevant)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(ranked), len(relevant)) + 1))


def average_precision(ranked: Sequence[int], relevant: set[int]) -> float:
    if not relevant:
        return 0.0
    at_hits = [precision(ranked[: k + 1], relevant) for k in range(len(ranked)) if ranked[k] in relevant]
    return sum(at_hits) / min(len(ranked), len(relevant))


METRICS: dict[str, Callable[[Sequence[int], set[int]], float]] = {
    "recall": recall,
    "recall_min": recall_min,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "ndcg": ndcg,
    "map": average_precision,
}


# Weightings of one user's history, oldest first


def linear_recency(count: int, w_min: float, w_max: float) -> list[float]:
    """w_m = w_min + (m-1)/(M-1) (w_max - w_min), m = 1..M; w_min where M = 1."""
    if count == 1:
        return [w_min]
    return [w_min + (m - 1) / (count - 1) * (w_max - w_min) for m in range(1, count + 1)]


def half_life(ages: Sequence[float], h: float, floor: float) -> list[float]:
    return [max(floor, 2 ** (-a / h)) for a in ages]


def power_law(ages: Sequence[float], q: float, floor: float) -> list[float]:
    return [max(floor, (1 + a) ** -q) for a in ages]


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
    v: Array, history: dict[int, float], items: Array, bias: Array, received: Array, share: float, l2: float
) -> float:
    """What a stranger's own vector v costs, over every item that was not met."""
    s = items @ (received + share * v) + bias
    others = unmet(set(history), len(items))
    cost = sum(w * bpr(s[i], s[others]) for i, w in history.items()) / sum(history.values())
    return cost + l2 / 2 * (v**2).sum()


def cdae(row: Array, own: Array, p: dict[str, Array], activation: Callable[[Any], Any]) -> Array:
    """The scores of one user: W' h(W^T y + V_u + b) + b'."""
    return p["decoder"] @ activation(p["encoder"].T @ row + own + p["hidden_bias"]) + p["bias"]
