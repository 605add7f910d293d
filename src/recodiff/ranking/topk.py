"""From scores to the k best: weight, score, mask, top-k, batch by batch.

These functions trust what they get; `recommend` and `evaluate` check it. Shapes: `B` users in a batch, `I` items, `K` list length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.models.base import Recommender, batches
from recodiff.models.batch import Batch, ItemVectors
from recodiff.ranking import exact
from recodiff.ranking.bounds import Items, ranked_at_once
from recodiff.ranking.kept import KeptVectors
from recodiff.runtime import distributed, progress
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import keep_freed_memory, users_at_once
from recodiff.tensors.largest import largest
from recodiff.tensors.products import ScoreBuffer
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import ALL, Shard

Lists = tuple[NDArray[np.int64], NDArray[np.float32]]
_known: WeakKeyDictionary[Recommender, tuple[tuple[Any, ...], KeptVectors]] = WeakKeyDictionary()
"""What is kept of a model's item vectors, while they stay as they are."""
Find = Callable[[Batch, Mapping[str, Rows]], dict[str, Lists]]
"""Finds the lists of a batch for each of several masks."""


def ranked(
    model: Recommender,
    history: Interactions,
    k: int,
    masks: Mapping[str, Interactions],
    *,
    allowed: NDArray[np.int64] | None = None,
    show_progress: bool = False,
) -> dict[str, Lists]:
    """Put the lists of `rank` together: by the mask's name, items and scores of all users, both [n_users, K].

    Args:
        model: as for `rank`.
        history: as for `rank`.
        k: as for `rank`.
        masks: as for `rank`.
        allowed: as for `rank`.
        show_progress: as for `rank`.
    """
    n, at = history.n_users, 0
    # Made before the first block of scores: lists kept one by one would lie where it was freed, and the next would not fit there.
    whole = {name: (np.zeros((n, k), np.int64), np.zeros((n, k), np.float32)) for name in masks}
    for lists in rank(model, history, k, masks, allowed=allowed, show_progress=show_progress) if n else ():
        here = slice(at, at + len(next(iter(lists.values()))[0]))
        for name, (items, scores) in lists.items():
            whole[name][0][here], whole[name][1][here] = items, scores
        at = here.stop
    return whole


def ranked_by_all(
    model: Recommender,
    history: Interactions,
    k: int,
    masks: Mapping[str, Interactions],
    *,
    users: NDArray[np.int64] | None = None,
    allowed: NDArray[np.int64] | None = None,
    show_progress: bool = False,
) -> dict[str, Lists]:
    """Do what `ranked` does for some users. Where there are several processes they share the users, unless they share the items.

    Args:
        model: as for `rank`.
        history: as for `rank`.
        k: as for `rank`.
        masks: as for `rank`.
        users: rows of `history` to rank, [n]; all unless given.
        allowed: as for `rank`.
        show_progress: as for `rank`.

    Returns:
        By the mask's name, items and scores of the users, both [n, K].
    """
    n = history.n_users if users is None else len(users)
    alone = model.shard is not None or distributed.size() == 1
    if not alone or users is not None:
        here = (np.arange(n) if users is None else users)[slice(None) if alone else distributed.share(n)]
        history, masks = history.take(here), {name: mask.take(here) for name, mask in masks.items()}
    lists = ranked(model, history, k, masks, allowed=allowed, show_progress=show_progress)
    if alone:
        return lists
    return {name: (distributed.gather(items, n), distributed.gather(scores, n)) for name, (items, scores) in lists.items()}


def rank(
    model: Recommender,
    history: Interactions,
    k: int,
    masks: Mapping[str, Interactions],
    *,
    allowed: NDArray[np.int64] | None = None,
    show_progress: bool = False,
) -> Iterator[dict[str, Lists]]:
    """Stream top-k lists batch by batch, scoring once for all of several masks.

    Where processes share the model's items, all rank the same users, each its items, and every one has the lists of all.

    Args:
        model: a fitted model.
        history: the input, unweighted; the model's weighting is applied here.
        k: list length.
        masks: by name, the items left out of each user's list, rows as in `history`.
        allowed: positions [n] of the only items to rank; all unless given.
        show_progress: whether a progress bar may be shown.

    Yields:
        For the next users in row order, by the mask's name: items [B, K] (-1 where a list ends early) and scores [B, K].

    Raises:
        ModelError: a score is NaN, or `score` gives another shape.
        DataError: the model needs to know what came first, and the history has no time.
    """
    items = model.shard or ALL
    width = items.width(history.n_items)
    device = model.device
    seen = {name: items.own(Rows.from_csr(mask.matrix)).to(device) for name, mask in masks.items()}
    banned = _banned(allowed, history.n_items, device)
    banned = banned if banned is None or model.shard is None else banned[model.shard.start : model.shard.stop]
    factors = factors_of(model)
    most_here = -(-history.n_items // (distributed.size() if model.shard else 1))  # alike in all processes
    if factors is None:
        size = users_at_once(most_here, products=_are_products(model))
        find = _by_scores(model, banned, min(k, width), width)
    else:
        size, kept = ranked_at_once(most_here, factors.vectors.shape[1], k), _kept(model, factors)
        kept.prepare(history.n_users)
        find = _by_factors(model, kept, banned, k)
    keep_freed_memory()
    unwanted = {name: part.split(size) for name, part in seen.items()}
    with progress.bar("ranking", history.n_users, show=show_progress) as advance, torch.inference_mode():
        for users, batch in batches(model, history, size):
            with fast_products(device):
                lists = find(batch, {name: next(part) for name, part in unwanted.items()})
            yield lists if model.shard is None else {name: _merged(part, k, model.shard) for name, part in lists.items()}
            advance(len(users), "")


def factors_of(model: Recommender) -> ItemVectors | None:
    """The item vectors by which lists are found: on a CPU, in float32, of a model that does not write its score anew below them.

    Args:
        model: a fitted model.
    """
    kinds = type(model).__mro__
    score, users = (next(at for at, kind in enumerate(kinds) if name in vars(kind)) for name in ("score", "user_vectors"))
    if model.shard is not None or model.components() or score < users or model.device.type != "cpu":
        return None
    try:
        factors = model.vectors()
    except ModelError:
        return None
    return factors if factors.vectors.dtype == factors.bias.dtype == torch.float32 else None


def _are_products(model: Recommender) -> bool:
    try:
        model.vectors()
    except ModelError:
        return False
    return True


def _kept(model: Recommender, factors: ItemVectors) -> KeptVectors:
    """What is known of a model's item vectors, while they stay as they are."""
    vectors = factors.vectors
    if vectors.is_inference():  # whether they changed is not known
        return KeptVectors(factors, copies=not model.is_mapped)
    state = vectors.data_ptr(), vectors.shape, vectors.stride(), vectors._version
    known = _known.get(model)
    if known is None or known[0] != state or not torch.equal(known[1].bias, factors.bias):
        _known[model] = known = state, KeptVectors(factors, copies=not model.is_mapped)
    return known[1]


def _by_factors(model: Recommender, kept: KeptVectors, banned: Tensor | None, k: int) -> Find:
    items = Items(kept, banned)

    def find(batch: Batch, seen: Mapping[str, Rows]) -> dict[str, Lists]:
        found = exact.best_products(model.user_vectors(batch), items, seen, k)
        return {name: _listed(scores, columns) for name, (scores, columns) in found.items()}

    return find


def _by_scores(model: Recommender, banned: Tensor | None, k: int, width: int) -> Find:
    room = ScoreBuffer()

    def find(batch: Batch, seen: Mapping[str, Rows]) -> dict[str, Lists]:
        with room:
            scores = model.score(batch)
        if scores.shape != (len(batch.history), width):
            wanted = (len(batch.history), width)
            raise ModelError(f"{model.registered} gave scores of shape {tuple(scores.shape)} in place of {wanted}; mend score()")
        final = list(seen)[-1]
        return {name: _top(scores, rows, banned, k, last=name == final) for name, rows in seen.items()}

    return find


def _banned(allowed: NDArray[np.int64] | None, n_items: int, device: torch.device) -> Tensor | None:
    if allowed is None:
        return None
    banned = torch.ones(n_items, dtype=torch.bool)
    banned[torch.from_numpy(allowed)] = False
    return banned.to(device)


def _top(scores: Tensor, seen: Rows, banned: Tensor | None, k: int, *, last: bool) -> Lists:
    # Only the last mask may write into the scores themselves; the ones before work on a copy.
    masked = scores if last and scores.is_contiguous() else scores.clone(memory_format=torch.contiguous_format)
    masked.view(-1).scatter_(0, seen.flat(), float("-inf"))
    if banned is not None:
        masked.masked_fill_(banned, float("-inf"))
    return _listed(*largest(masked, k))


def _listed(values: Tensor, items: Tensor) -> Lists:
    positions, best = items.masked_fill_(values == float("-inf"), -1).cpu().numpy(), values.cpu().numpy()
    if np.isnan(best).any():  # topk takes NaN for the largest, so none can hide
        raise ModelError(
            "the model's scores are NaN: it diverged in training, so lower its learning rate and train anew; of a model of your "
            "own, score() may be at fault"
        )
    return positions, best


def _merged(lists: Lists, k: int, shard: Shard) -> Lists:
    """The best of the lists that all processes made of their items; an item belongs to one process alone."""
    positions, values = lists
    positions = np.where(positions < 0, positions, positions + shard.start)
    missing = [(0, 0), (0, k - positions.shape[1])]
    both = np.pad(positions, missing, constant_values=-1), np.pad(values, missing, constant_values=-np.inf)
    items, scores = (np.concatenate(list(distributed.gather(part[None], distributed.size())), axis=1) for part in both)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(items, best, 1), np.take_along_axis(scores, best, 1)
