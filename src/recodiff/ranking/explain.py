"""What speaks for a recommendation: scores of the history without each of its items in turn.

Shapes: `n` users, `I` items, `K` list length, `L` items of a history, `T` reasons for an item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import DataError, ModelError
from recodiff.models.base import Recommender, batches
from recodiff.ranking.recommend import HISTORIES, Recommendations, refuse_foreign
from recodiff.runtime import progress
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import users_at_once

TOP = 3
"""Reasons for an item unless another number is asked for."""


@dataclass(frozen=True)
class Explanation:
    """The history items that speak most for each recommended item.

    Args:
        lists: what is explained, K items each.
        because: positions of history items [n, K, T], what speaks most first; -1 where fewer speak for the item.
        effects: float32 [n, K, T] beside `because`, all above 0; what an effect is, see `explain`.
    """

    lists: Recommendations
    because: NDArray[np.int64]
    effects: NDArray[np.float32]

    def of(self, row: int, rank: int) -> list[tuple[Any, float]]:
        """The external ids that speak for one item, and their effects.

        Args:
            row: of the user.
            rank: of the item, from 0.
        """
        known = self.because[row, rank] >= 0
        ids = self.lists.catalogue.externals(self.because[row, rank][known]).to_list()
        return list(zip(ids, self.effects[row, rank][known].tolist(), strict=True))


@torch.inference_mode()
def explain(
    model: Recommender,
    history: Interactions,
    lists: Recommendations,
    *,
    top: int = TOP,
    newest: int | None = None,
    show_progress: bool = False,
) -> Explanation:
    """Name the history items that speak most for each recommended item, for any model.

    The history is scored whole and without each of its items in turn. The effect of history item j on item i is (s_i - mean s) -
    (s_i' - mean s'). It says how much further i stands above the mean of the catalogue with j than without it. Nothing is
    approximated. What moves all scores alike changes no list, and has no effect.

    Args:
        model: a fitted model.
        history: the histories that `lists` were made from, row by row; they are read as those of unseen users.
        lists: of `recommend`.
        top: T, reasons for an item at most.
        newest: how many of a history's items, counted from its newest, are left out in turn; all unless given. It bounds the time
            that long histories take, and older items are then no reasons.
        show_progress: whether a progress bar may be shown.

    Raises:
        ModelError: the model gives all users the same scores, holds the items of one process alone, or scores a user of the
            history by what it learned of that user; or `top` is below 1.
        DataError: `history` is no Interactions, over other items than the model's, or of other users than the lists.
    """
    need_interactions(history, "the history", HISTORIES)
    refuse_foreign(model, history)
    _check(model, history, lists, top, newest)
    n, k = lists.items.shape
    because, effects = np.full((n, k, top), -1, np.int64), np.zeros((n, k, top), np.float32)
    with progress.bar("explaining", history.nnz + n, show=show_progress) as advance:
        for user, above in _above_mean(model, history, lists.items, newest, advance):
            entries = history.matrix.indices[history.matrix.indptr[user] : history.matrix.indptr[user + 1]][1 - len(above) :]
            effect = (above[-1] - above[:-1]).T  # [K, L]
            order = np.argsort(-effect, axis=1, kind="stable")[:, :top]
            strongest = np.take_along_axis(effect, order, 1)
            speaks = (strongest > 0) & (lists.items[user] >= 0)[:, None]
            because[user, :, : order.shape[1]] = np.where(speaks, entries[order], -1)
            effects[user, :, : order.shape[1]] = np.where(speaks, strongest, 0)
    return Explanation(lists, because, effects)


def _check(model: Recommender, history: Interactions, lists: Recommendations, top: int, newest: int | None) -> None:
    for name, number in (("top", top), ("newest", 1 if newest is None else newest)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ModelError(f"{name} = {number!r} is no number of items; give 1 or more")
    if not model.traits.personalised:
        raise ModelError(
            f"{model.registered} gives all users the same list, so no item of a history speaks for it; use another model"
        )
    if model.shard is not None:
        raise ModelError("this process holds a share of the items alone; load the model folder in one process to explain lists")
    if len(lists.users) != history.n_users or lists.users != history.users or lists.catalogue != model.items:
        raise DataError("the lists are of other users or items than the history; give the history that they were made from")
    if model.traits.remembers_users and len(remembered := np.flatnonzero(history.users.within(model.users) >= 0)):
        raise ModelError(
            f"{model.registered} scores user {history.users.ids[int(remembered[0])]!r} by what it learned of that user, not by the "
            "history; give the items with history_of(model, [...])"
        )


def _above_mean(
    model: Recommender, history: Interactions, items: NDArray[np.int64], newest: int | None, advance: Any
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """For each user: how far the items stand above the mean, without each history item and at last with all, [L + 1, K]."""
    size, indptr = users_at_once(history.n_items, products=False), history.matrix.indptr
    tried = history.lengths() if newest is None else np.minimum(history.lengths(), newest)
    parts = [np.append(np.arange(indptr[user + 1] - tried[user], indptr[user + 1]), -1) for user in range(history.n_users)]
    left_out = np.concatenate(parts) if parts else np.empty(0, np.int64)
    owner = np.repeat(np.arange(history.n_users), tried + 1)
    rows: list[NDArray[np.float64]] = []
    for at in range(0, len(owner), size):
        chunk = owner[at : at + size]
        wanted = torch.from_numpy(np.maximum(items[chunk], 0)).to(model.device)
        for index, batch in batches(model, _without(history, chunk, left_out[at : at + size]), size):
            with fast_products(model.device):
                scores = model.score(batch)
            above = scores.gather(1, wanted[index]).double() - scores.mean(1, keepdim=True, dtype=torch.float64)
            for user, row in zip(chunk[index.cpu().numpy()].tolist(), above.cpu().numpy(), strict=True):
                rows.append(row)
                if len(rows) == tried[user] + 1:
                    yield user, np.stack(rows)
                    rows = []
        advance(len(chunk), "")


def _without(history: Interactions, users: NDArray[np.int64], left_out: NDArray[np.int64]) -> Interactions:
    """Copies of histories, one for each of `users`, each without the entry `left_out` (-1: whole); their users have no names."""
    starts, lengths = history.matrix.indptr[users].astype(np.int64), history.lengths()[users]
    ends = np.cumsum(lengths)
    entries = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    row = np.repeat(np.arange(len(users)), lengths)
    kept = entries != left_out[row]
    entries = entries[kept]
    return Interactions.from_arrays(
        row[kept],
        history.matrix.indices[entries],
        IdMap.unnamed(len(users)),
        history.items,
        weights=history.matrix.data[entries],
        times=None if history.times is None else history.times[entries],
        time_kind=history.time_kind,
        events=history.events,
    )
