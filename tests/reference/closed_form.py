"""Slow, obvious float64 truths of the linear, neighbourhood and factorisation methods, never imported from the package.

Written from what each method minimises or counts, with loops, so that no closed form is tested against itself. `x` is the dense
weighted matrix [users, items]; each function returns what histories are multiplied by, or the scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def zero_diagonal_ridge(x: Array, ridge: Array) -> Array:
    """EASE and EDLAE: each item regressed on all the others, `ridge` [items] on their weights."""
    items = x.shape[1]
    b = np.zeros((items, items))
    for j in range(items):
        others = [i for i in range(items) if i != j]
        a = x[:, others]
        b[others, j] = np.linalg.solve(a.T @ a + np.diag(ridge[others]), a.T @ x[:, j])
    return b


def edlae_ridge(x: Array, l2: float, dropout: float) -> Array:
    """The ridge that dropping inputs amounts to: l2 + p / (1 - p) |x_j|^2."""
    return np.array([l2 + dropout / (1 - dropout) * sum(x[:, j] ** 2) for j in range(x.shape[1])])


def relaxed_ridge(x: Array, l2: float, xi: float) -> Array:
    """RLAE: each item regressed on all of them; where its weight on itself would exceed xi it is held there."""
    items = x.shape[1]
    b = np.linalg.solve(x.T @ x + l2 * np.eye(items), x.T @ x)
    for j in range(items):
        if b[j, j] > xi:
            others = [i for i in range(items) if i != j]
            a = x[:, others]
            b[others, j] = np.linalg.solve(a.T @ a + l2 * np.eye(items - 1), a.T @ (x[:, j] - xi * x[:, j]))
            b[j, j] = xi
    return b


def keep_largest_of_columns(s: Array, k: int) -> Array:
    out = np.zeros_like(s)
    for j in range(s.shape[1]):
        best = sorted(range(len(s)), key=lambda i: (-s[i, j], i))[:k]
        out[best, j] = s[best, j]
    return out


def itemknn(x: Array, k: int, alpha: float, shrink: float) -> Array:
    items = x.shape[1]
    s = np.zeros((items, items))
    for i in range(items):
        for j in range(items):
            common, n_i, n_j = x[:, i] @ x[:, j], x[:, i] @ x[:, i], x[:, j] @ x[:, j]
            if i != j and common:
                s[i, j] = common / (n_i**alpha * n_j ** (1 - alpha) + shrink)
    return keep_largest_of_columns(s, k)


def rp3beta(x: Array, k: int, alpha: float, beta: float) -> Array:
    """Sums over the walks item i -> user u -> item j."""
    users, items = x.shape
    w = np.zeros((items, items))
    for i in range(items):
        for j in range(items):
            for u in range(users):
                if i != j and x[u, i] > 0 and x[u, j] > 0:
                    w[i, j] += (x[u, i] / x[:, i].sum()) ** alpha * (x[u, j] / x[u].sum()) ** alpha
            if w[i, j]:
                w[i, j] /= x[:, j].sum() ** beta
    return keep_largest_of_columns(w, k)


def userknn(x: Array, history: Array, k: int, alpha: float, shrink: float) -> Array:
    """Scores [b, items] of histories [b, items]."""
    scores = np.zeros_like(history)
    for b, own in enumerate(history):
        similar = []
        for row in x:
            common = own @ row
            similar.append(common / ((own @ own) ** alpha * (row @ row) ** (1 - alpha) + shrink) if common else 0.0)
        for v in sorted(range(len(x)), key=lambda v: -similar[v])[:k]:
            scores[b] += similar[v] * x[v]
    return scores


def _power(degree: Array, exponent: float) -> Array:
    return np.array([d**exponent if d > 0 else 0.0 for d in degree])


def puresvd(x: Array, factors: int, gamma: float) -> Array:
    degree = x.sum(0)
    down, up = np.diag(_power(degree, -gamma / 2)), np.diag(_power(degree, gamma / 2))
    v = np.linalg.svd(x @ down)[2][:factors].T
    return down @ v @ v.T @ up


def gf_cf(x: Array, factors: int, low_pass: float) -> Array:
    user, item = x.sum(1), x.sum(0)
    r = np.diag(_power(user, -0.5)) @ x @ np.diag(_power(item, -0.5))
    v = np.linalg.svd(r)[2][:factors].T
    return r.T @ r + low_pass * np.diag(_power(item, -0.5)) @ v @ v.T @ np.diag(_power(item, 0.5))


def bspm(
    x: Array,
    history: Array,
    factors: int,
    low_pass: float,
    *,
    early: bool,
    blur: tuple[float, int],
    sharpen: tuple[float, int],
    euler: bool,
) -> Array:
    """Scores of histories [b, items], both equations solved stage by stage; `blur`, `sharpen`: a time and a number of steps."""
    user, item = x.sum(1), x.sum(0)
    r = np.diag(_power(user, -0.5)) @ x @ np.diag(_power(item, -0.5))
    p, v = r.T @ r, np.linalg.svd(r)[2][:factors].T
    ideal = low_pass * history @ np.diag(_power(item, -0.5)) @ v @ v.T @ np.diag(_power(item, 0.5))
    state = np.array(history, dtype=float)
    for _ in range(blur[1]):
        state = state + blur[0] / blur[1] * (state @ (p - np.eye(len(p))))
    state = state + ideal if early else state
    h = sharpen[0] / sharpen[1]
    for _ in range(sharpen[1]):
        k1 = -state @ p
        k2, k3, k4 = 0 * k1, 0 * k1, 0 * k1
        if not euler:
            k2 = -(state + h / 2 * k1) @ p
            k3 = -(state + h / 2 * k2) @ p
            k4 = -(state + h * k3) @ p
        state = state + (h * k1 if euler else h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return state if early else state + ideal


def ials_loss(x: Array, p: Array, q: Array, unobserved: float, l2: float, exponent: float) -> float:
    """Cell by cell, then row by row."""
    users, items = x.shape
    loss = 0.0
    for u in range(users):
        for i in range(items):
            score = p[u] @ q[i]
            loss += x[u, i] * (1 - score) ** 2 + unobserved * score**2
    for u in range(users):
        loss += l2 * (x[u].sum() + unobserved * items) ** exponent * (p[u] @ p[u])
    for i in range(items):
        loss += l2 * (x[:, i].sum() + unobserved * users) ** exponent * (q[i] @ q[i])
    return loss


def item_filter(x: Array, user_exponent: float, item_exponent: float) -> Array:
    """GiffCF's A = R'R over its greatest eigenvalue, R the interactions over powers of the degrees."""
    user, item = x.sum(1), x.sum(0)
    r = np.zeros_like(x)
    for u, i in zip(*x.nonzero(), strict=True):
        r[u, i] = x[u, i] / (user[u] ** user_exponent * item[i] ** item_exponent)
    a = r.T @ r
    return a / np.linalg.eigvalsh(a).max()


def smoothed(x: Array, a: Array, share: float) -> Array:
    return x + share * (x @ a - x)


def giffcf_estimate(z: Array, c: Array, a: Array, step: int, p: Mapping[str, Array], exponent: float = 0.0) -> Array:
    """x0_hat of one user at a step (from 0): both mixers and the tied low-rank part, number by number."""
    size = max(sum(c), 1.0) ** exponent
    inner, code = z @ p["items"] / size, c @ p["items"] / size
    h = np.zeros(len(inner))
    for d in range(len(h)):
        h[d] = p["direct"][step, 0] * inner[d] + p["direct"][step, 1] * code[d]
        for k in range(len(p.get("outer", ()))):
            y = p["inner"][0, k] * inner[d] + p["inner"][1, k] * code[d] + p["step"][step, k]
            h[d] += p["outer"][k] * y / (1 + np.exp(-y))
    low, own, near, bias = p["output"][step]
    return low * (p["items"] @ h) + own * c + near * (c @ a) + bias


def giffcf(x: Array, a: Array, smoothing: float, steps: int, p: Mapping[str, Array], exponent: float = 0.0) -> Array:
    """The whole chain of one user, in the space of the items: z_T, then x0_hat smoothed less and less."""
    z = smoothed(x, a, smoothing)
    for step in range(steps, 0, -1):
        estimate = giffcf_estimate(z, x, a, step - 1, p, exponent)
        z = smoothed(estimate, a, smoothing * (step - 1) / steps)
    return z
