"""From histories to lists: weight, score, mask, top-k. The one way, for evaluation, command line and service alike.

Shapes: `B` users in a batch, `I` items, `K` list length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender, batches
from recodiff.runtime import distributed, progress
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import keep_freed_memory, users_at_once
from recodiff.tensors.products import Room
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import ALL, Shard

BLOCK = 64
"""Columns whose maximum decides whether they are looked into for the largest scores."""
LEAST_BLOCKS = 8
"""Times k: with fewer blocks there is nothing to gain."""

HISTORIES = 'data.history("train"), or recodiff.history_of(model, item_ids)'
"""What histories may be, in words."""

Lists = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True)
class Recommendations:
    """Ranked lists.

    Args:
        items: positions in the catalogue [n_users, K], best first; -1 where a list ends early.
        scores: float32 [n_users, K], beside `items`.
        users: the users' external ids.
        catalogue: the items' external ids.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    users: IdMap
    catalogue: IdMap

    def to_frame(self, titles: Sequence[str | None] | None = None) -> pl.DataFrame:
        """Columns user, rank (from 1), item, score and, where given, title; one row per recommendation."""
        rows, columns = np.nonzero(self.items >= 0)
        found = self.items[rows, columns]
        frame = pl.DataFrame(
            {
                "user": self.users.externals(rows),
                "rank": (columns + 1).astype(np.int32),
                "item": self.catalogue.externals(found),
                "score": self.scores[rows, columns],
            }
        )
        return frame if titles is None else frame.with_columns(title=pl.Series(list(titles), dtype=pl.String).gather(found))


def recommend(
    model: Recommender,
    history: Interactions,
    k: int,
    *,
    exclude_seen: bool = True,
    exclude: Interactions | None = None,
    candidates: ArrayLike | None = None,
    show_progress: bool = False,
) -> Recommendations:
    """The best `k` items for each row of `history`.

    Args:
        model: a fitted model.
        history: what each user has interacted with, known to the model or not; over the model's catalogue.
        k: list length, 1 to the catalogue's size.
        exclude_seen: whether items of the history are left out.
        exclude: further items to leave out, user by user.
        candidates: positions of the only items to rank, all unless given.
        show_progress: whether a progress bar may be shown.

    Raises:
        ModelError: `k` is no whole number, or lies outside the catalogue.
        DataError: `history` is no Interactions, or over other items than the model's.
    """
    need_interactions(history, "the history", HISTORIES)
    mask = _nothing_of(history) if not exclude_seen else history
    if exclude is not None:
        need_interactions(exclude, "exclude", HISTORIES)
        mask = mask.union(exclude)
    _check_request(model, history, k, {"mask": mask})
    n = history.n_users
    if distributed.size() > 1 and model.shard is None:
        own = np.arange(n)[distributed.share(n)]
        history_here, mask = history.take(own), mask.take(own)
    else:
        history_here = history
    found = ranked(model, history_here, k, {"mask": mask}, candidates=candidates, show_progress=show_progress)
    items, scores = found["mask"] if model.shard else (distributed.gather(part, n) for part in found["mask"])
    return Recommendations(items, scores, history.users, history.items)


def ranked(
    model: Recommender,
    history: Interactions,
    k: int,
    masks: Mapping[str, Interactions],
    *,
    candidates: ArrayLike | None = None,
    show_progress: bool = False,
) -> dict[str, Lists]:
    """The lists of `rank`, of all users together: by the mask's name, items and scores, both [n_users, K]."""
    n, at = history.n_users, 0
    # Made before the first block of scores: lists kept one by one would lie where it was freed, and the next would not fit there.
    found = {name: (np.zeros((n, k), np.int64), np.zeros((n, k), np.float32)) for name in masks}
    for part in rank(model, history, k, masks, candidates=candidates, show_progress=show_progress) if n else ():
        here = slice(at, at + len(next(iter(part.values()))[0]))
        for name, (items, scores) in part.items():
            found[name][0][here], found[name][1][here] = items, scores
        at = here.stop
    return found


def rank(
    model: Recommender,
    history: Interactions,
    k: int,
    masks: Mapping[str, Interactions],
    *,
    candidates: ArrayLike | None = None,
    show_progress: bool = False,
) -> Iterator[dict[str, Lists]]:
    """Streams top-k lists batch by batch, scoring once for all of several masks.

    Args:
        model: a fitted model.
        history: the input, unweighted; the model's weighting is applied here.
        k: list length.
        masks: by name, the items left out of each user's list, rows as in `history`.
        candidates: positions of the only items to rank.
        show_progress: whether a progress bar may be shown.

    Where processes share the model's items, all rank the same users, each its items, and every one has the lists of all.

    Yields:
        For the next users in row order, by the mask's name: items [B, K] (-1 where a list ends early) and scores [B, K].
    """
    _check_request(model, history, k, masks)
    items = model.shard or ALL
    width = items.width(history.n_items)
    seen = {name: items.own(Rows.from_csr(mask.matrix)).to(model.device) for name, mask in masks.items()}
    banned = _banned(candidates, history.n_items, model.device)
    banned = banned if banned is None or model.shard is None else banned[model.shard.start : model.shard.stop]
    most_here = -(-history.n_items // (distributed.size() if model.shard else 1))  # alike in all processes
    size, room = users_at_once(most_here, products=_are_products(model)), Room()
    keep_freed_memory()
    final, unwanted = next(reversed(seen)), {name: part.split(size) for name, part in seen.items()}
    with progress.bar("ranking", history.n_users, show=show_progress) as advance, torch.inference_mode():
        for users, batch in batches(model, history, size):
            with fast_products(model.device), room:
                scores = model.score(batch)
            if scores.shape != (len(users), width):
                wanted = (len(users), width)
                raise ModelError(
                    f"{model.registered} gave scores of shape {tuple(scores.shape)} in place of {wanted}; mend score()"
                )
            found = {name: _top(scores, next(part), banned, min(k, width), last=name == final) for name, part in unwanted.items()}
            yield found if model.shard is None else {name: _merged(own, k, model.shard) for name, own in found.items()}
            advance(len(users), "")


def _are_products(model: Recommender) -> bool:
    try:
        model.vectors()
    except ModelError:
        return False
    return True


def _check_request(model: Recommender, history: Interactions, k: int, masks: Mapping[str, Interactions]) -> None:
    n = len(model.items)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n:
        raise ModelError(f"k = {k!r} lies outside 1..{n}, the whole numbers up to the size of the model's catalogue")
    refuse_foreign(model, history)
    for name, mask in masks.items():
        if mask.matrix.shape != history.matrix.shape:
            raise DataError(
                f"{name} has shape {mask.matrix.shape}, the history {history.matrix.shape}; take both from one data folder"
            )


def refuse_foreign(model: Recommender, history: Interactions) -> None:
    """Raises DataError where `history` is no Interactions, or over other items than the model's."""
    need_interactions(history, "the history", HISTORIES)
    if history.items != model.items:
        raise DataError(
            f"the history is over {history.n_items} items that are not the model's {len(model.items)}: "
            "use the data the model was trained on, or give the history as item ids"
        )


def _banned(candidates: ArrayLike | None, n_items: int, device: torch.device) -> Tensor | None:
    if candidates is None:
        return None
    places = np.asarray(candidates)
    if places.size and not (np.issubdtype(places.dtype, np.integer) and places.min() >= 0 and places.max() < n_items):
        raise DataError(
            f"candidates are positions, whole numbers from 0 to {n_items - 1}; get them with model.items.positions(ids)"
        )
    banned = torch.ones(n_items, dtype=torch.bool)
    banned[torch.from_numpy(places.astype(np.int64))] = False
    return banned.to(device)


def _top(scores: Tensor, seen: Rows, banned: Tensor | None, k: int, *, last: bool) -> Lists:
    # Only the last mask may write into the scores themselves; the ones before work on a copy.
    masked = scores if last and scores.is_contiguous() else scores.clone(memory_format=torch.contiguous_format)
    masked.view(-1).scatter_(0, seen.flat(), float("-inf"))
    if banned is not None:
        masked.masked_fill_(banned, float("-inf"))
    values, items = largest(masked, k)
    found, best = items.masked_fill_(values == float("-inf"), -1).cpu().numpy(), values.cpu().numpy()
    if np.isnan(best).any():  # topk takes NaN for the largest, so none can hide
        raise ModelError(
            "the model's scores are NaN: it diverged in training, so lower its learning rate and train anew; of a model of your "
            "own, score() may be at fault"
        )
    return found, best


def largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`scores.topk(k)` of [B, I]: of many columns only the k blocks of BLOCK with the greatest maxima are looked into.

    Whatever is among the k largest stands in one of those blocks, so the values are the same; of equals another may be found.

    Args:
        scores: contiguous.
        k: at most I.

    Returns:
        Values and columns, both [B, k], the largest first.
    """
    n_blocks = scores.shape[1] // BLOCK
    if n_blocks < LEAST_BLOCKS * k:
        return scores.topk(k)
    whole = n_blocks * BLOCK
    blocks = scores[:, :whole].unflatten(1, (n_blocks, BLOCK)).amax(2).topk(k).indices
    within = torch.arange(BLOCK, device=scores.device)
    rest = torch.arange(whole, scores.shape[1], device=scores.device).expand(len(scores), -1)
    columns = torch.cat([(blocks[:, :, None] * BLOCK + within).flatten(1), rest], 1)
    values, at = scores.gather(1, columns).topk(k)
    return values, columns.gather(1, at)


def _merged(own: Lists, k: int, its: Shard) -> Lists:
    """The best of what each process found among its items; an item is found by one process alone."""
    found, values = own
    found = np.where(found < 0, found, found + its.start)
    missing = [(0, 0), (0, k - found.shape[1])]
    both = np.pad(found, missing, constant_values=-1), np.pad(values, missing, constant_values=-np.inf)
    items, scores = (np.concatenate(list(distributed.gather(part[None], distributed.size())), axis=1) for part in both)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(items, best, 1), np.take_along_axis(scores, best, 1)


def _nothing_of(history: Interactions) -> Interactions:
    none = np.empty(0, dtype=np.int64)
    times = None if history.times is None else none
    return Interactions.from_arrays(none, none, history.users, history.items, times=times, time_kind=history.time_kind)


def without_newest(history: Interactions) -> Interactions:
    """The histories as they stood before their newest interaction; an empty one stays empty."""
    kept = np.ones(history.nnz, bool)
    kept[history.matrix.indptr[1:][history.lengths() > 0] - 1] = False
    return history.only(kept)


def history_of(model: Recommender, *histories: Sequence[Any]) -> Interactions:
    """Histories typed by hand: their users have no name, so no model takes them for users it remembers.

    Args:
        model: gives the catalogue.
        histories: one sequence of external item ids per user, oldest first.

    Raises:
        DataError: an item is unknown, or stands twice in one history.
    """
    if any(isinstance(history, str | bytes) or not isinstance(history, Sequence) for history in histories):
        raise DataError("give each history as a sequence of item ids, for example history_of(model, [318, 50])")
    row = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    given = [item for history in histories for item in history]
    if any(isinstance(item, Iterable) and not isinstance(item, str | bytes) for item in given):
        raise DataError("give each history as an argument of its own, for example history_of(model, [318, 50], [24])")
    item = model.items.positions(given, what="item")
    order = np.arange(len(given))
    return Interactions.from_arrays(row, item, IdMap.unnamed(len(histories)), model.items, times=order, time_kind="order")
