"""Metrics of the lists themselves, whatever is to be found: pure functions.

Shapes: `n` users, `K` list length, `I` items, `F` features of an item, `G` genres. `lists` holds positions in the catalogue,
int [n, K], best first, -1 where a list ends early. Lists are cut at K, and their order within K makes no difference; which of equal
scores are within is arbitrary. Functions of users give NaN where they are not defined for a user, and the mean is over the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recodiff.evaluation.metric_kinds import ListedItems, ListMetric, Values

USERS_AT_ONCE = 1024
"""Whose lists are spread out to their features at the same time."""
SMOOTHING = 0.01
"""alpha of `calibration`, as in its source."""


def counts(lists: ListedItems, n_items: int) -> NDArray[np.int64]:
    """Count the lists that hold each item, [I].

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
        n_items: I.
    """
    return np.bincount(lists[lists >= 0], minlength=n_items)


def coverage(lists: ListedItems, n_items: int) -> float:
    """Divide the number of items in some list by I, in 0..1; one number for all lists.

    The catalogue coverage of Ge, Delgado-Battenfeld and Jannach, RecSys 2010.

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
        n_items: I.
    """
    return float((counts(lists, n_items) > 0).sum() / max(n_items, 1))


def gini(lists: ListedItems, n_items: int) -> float:
    """The Gini coefficient sum_j (2j - I - 1) c_j / (I sum_j c_j), c the sorted counts of all items, shown or not, and j from 1.

    One number for all lists, in 0..1: 0 where all items are shown equally often, 1 - 1/I where only one ever is; 0 for no lists.
    For recommenders in Castells, Hurley and Vargas, Recommender Systems Handbook, 2nd edition, section 26.3 (its complement).

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
        n_items: I.
    """
    c = np.sort(counts(lists, n_items))
    shown = c.sum()
    return float((2 * np.arange(1, n_items + 1) - n_items - 1) @ c / (n_items * shown)) if shown else 0.0


def novelty(lists: ListedItems, popularity: NDArray[np.integer], n_users: int) -> Values:
    """Mean over the list of -log2(share of users who interacted with the item), in bits, 0 or more; [n], NaN for an empty list.

    The share is `popularity` [I] over `n_users`, both of the training part; an item without interactions counts as having one. The
    mean divides by the length of the list, not by K. Self-information of Zhou et al., PNAS 107(10), 2010.

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
    """
    bits = -np.log2(np.maximum(popularity, 1) / max(n_users, 1))
    there = lists >= 0
    return _ratio((bits[lists] * there).sum(1), there.sum(1))


def diversity(lists: ListedItems, features: NDArray[np.floating]) -> Values:
    """One less the mean cosine of the features [I, F] of two items of the list, over all pairs; [n], NaN for fewer than two items.

    Items without any feature are left out. In 0..1 where no feature is negative, else up to 2. Intra-list similarity of Ziegler et
    al., WWW 2005, as a distance. The mean is taken from |sum_i v_i|^2 = sum_i |v_i|^2 + sum_{i != j} v_i v_j, so no pair is formed.

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
        features: of all items, [I, F].
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = _with_none(features / np.where(lengths > 0, lengths, 1))
    known = np.append(lengths[:, 0] > 0, False)
    values = np.empty(len(lists))
    for batch in _batches(len(lists)):
        k = known[lists[batch]].sum(1)
        whole = unit[lists[batch]].sum(1)
        values[batch] = 1 - _ratio((whole**2).sum(1) - k, k * (k - 1))
    return values


def calibration(history: csr_array, lists: ListedItems, genres: NDArray[np.floating]) -> Values:
    """KL(p || (1 - alpha) q + alpha p) = sum_g p_g log(p_g / q~_g), in nats, 0 or more; [n]. 0 is best.

    NaN where the history or the list has no genres. p is the genre distribution of the user's history (rows of `history` [n, I],
    whatever its values), q that of the list; an item's genres (`genres` [I, G], 0 or 1) share its weight equally, and items without
    genres are left out. Steck, Calibrated Recommendations, RecSys 2018, equations 2, 3 and 6 with alpha = .01 and equal weights.

    Args:
        lists: positions in the catalogue [n, K], -1 where a list ends early.
    """
    number = genres.sum(1, keepdims=True)
    shares = genres / np.where(number > 0, number, 1)
    pattern = csr_array((np.ones(history.nnz), history.indices, history.indptr), shape=history.shape)
    p = _distribution(pattern @ shares)
    q = np.empty_like(p)
    for batch in _batches(len(lists)):
        q[batch] = _with_none(shares)[lists[batch]].sum(1)
    q = _distribution(q)
    blurred = (1 - SMOOTHING) * q + SMOOTHING * p
    logs = np.log(np.where(p > 0, p, 1) / np.where(p > 0, blurred, 1))
    return (p * logs).sum(1)


def _distribution(weights: Values) -> Values:
    return _ratio(weights, np.broadcast_to(weights.sum(1, keepdims=True), weights.shape))


def _ratio(above: NDArray, below: NDArray) -> Values:
    """Divide; NaN where the divisor is 0."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _with_none(table: NDArray[np.floating]) -> NDArray[np.floating]:
    """One more row, of zeros, which -1 finds."""
    return np.vstack([table, np.zeros((1, table.shape[1]))])


def _batches(n: int) -> list[slice]:
    return [slice(start, start + USERS_AT_ONCE) for start in range(0, n, USERS_AT_ONCE)]


LIST_METRICS = (
    ListMetric("coverage", lambda x: coverage(x.lists, x.n_items), "items in some list / items of the catalogue"),
    ListMetric(
        "gini",
        lambda x: gini(x.lists, x.n_items),
        "0 where all items are shown equally often, 1 where one only",
        better="lower",
    ),
    ListMetric(
        "novelty",
        lambda x: novelty(x.lists, x.facts.get("popularity"), x.facts.n_users),
        "mean -log2 of the share of users who interacted with the item in training, in bits",
        needs=("popularity",),
    ),
    ListMetric(
        "genre_diversity",
        lambda x: diversity(x.lists, x.facts.get("genres")),
        "1 - mean cosine of the genres of two items of a list",
        needs=("genres",),
    ),
    ListMetric(
        "embedding_diversity",
        lambda x: diversity(x.lists, x.facts.get("embeddings")),
        "1 - mean cosine of the embeddings of two items of a list",
        needs=("embeddings",),
    ),
    ListMetric(
        "miscalibration",
        lambda x: calibration(x.history, x.lists, x.facts.get("genres")),
        "KL divergence of the genres of a list from those of the history, 0 is best",
        better="lower",
        needs=("genres",),
    ),
)
"""In the order in which they are listed."""
