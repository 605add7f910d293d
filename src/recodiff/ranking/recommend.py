"""From histories to recommendations: the border that checks, for Python, command line and service alike.

Shapes: `I` items, `K` list length.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.errors import ConfigError, DataError, ModelError, RecodiffWarning
from recodiff.models.base import Recommender, need_model
from recodiff.moved import answer_calls
from recodiff.ranking.candidates import Candidates, Ids
from recodiff.ranking.topk import ranked_by_all

Unknown = Literal["refuse", "skip"]
"""What becomes of a history's items that the model does not know."""
HISTORIES = 'data.history("train"), or recodiff.history_of(model, item_ids)'
"""What histories may be, in words."""
UNKNOWN_SHOWN = 3
"""Unknown ids that a warning names."""


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
        """A table of the lists.

        Args:
            titles: one for each item position.

        Returns:
            Columns user, rank (from 1), item, score and, where given, title; one row per recommendation.
        """
        rows, columns = np.nonzero(self.items >= 0)
        positions = self.items[rows, columns]
        frame = pl.DataFrame(
            {
                "user": self.users.externals(rows),
                "rank": (columns + 1).astype(np.int32),
                "item": self.catalogue.externals(positions),
                "score": self.scores[rows, columns],
            }
        )
        return frame if titles is None else frame.with_columns(title=pl.Series(list(titles), dtype=pl.String).gather(positions))


def recommend(
    model: Recommender,
    history: Interactions,
    k: int,
    *,
    exclude_seen: bool = True,
    exclude: Interactions | None = None,
    candidates: Candidates | Ids | None = None,
    unknown: Unknown = "refuse",
    show_progress: bool = False,
) -> Recommendations:
    """Rank the best `k` items for each row of `history`.

    A user without history is scored from an empty row. For a network that is its output bias, close to popularity; for EASE and
    F-ridge all scores are 0, so the order is arbitrary. Use `popularity` for such users.

    Args:
        model: a fitted model.
        history: what each user has interacted with; its users need not be known to the model.
        k: list length, 1 to I.
        exclude_seen: whether items of the history are left out.
        exclude: further items to leave out, user by user; rows as in `history`.
        candidates: the only items to rank, all unless given: `Candidates.ids([318, 50])`, or `Candidates.positions`.
        unknown: `refuse` a history over other items than the model's, or `skip` its unknown items, with a warning that counts them.
        show_progress: whether a progress bar may be shown.

    Returns:
        Lists of at most `k` items; shorter where fewer are left.

    Raises:
        ModelError: `k` is no whole number or lies outside 1..I, or a score is NaN.
        DataError: `history` or `exclude` is no Interactions; they do not share users, items and kind of time; the history is over
            other items than the model's (with `skip`: has none of its items); or the candidates are no items of the model.
    """
    need_model(model)
    need_interactions(history, "the history", HISTORIES)
    if exclude is not None:
        need_interactions(exclude, "exclude", HISTORIES)
    if not _skips(unknown):
        refuse_foreign(model, history)
    elif history.items != model.items:
        history = _known(model, history)
        exclude = None if exclude is None else exclude.over(model.items)[0]
    need_length(k, len(model.items), "the whole numbers up to the size of the model's catalogue")
    allowed = None if candidates is None else Candidates.of(candidates).within(model.items)
    mask = history if exclude_seen else _nothing_of(history)
    mask = mask if exclude is None else mask.union(exclude)
    items, scores = ranked_by_all(model, history, int(k), {"mask": mask}, allowed=allowed, show_progress=show_progress)["mask"]
    return Recommendations(items, scores, history.users, history.items)


def need_length(k: object, most: int, what: str) -> None:
    """Refuse what is no length of a list.

    Args:
        k: what was given as one.
        most: the longest.
        what: the numbers from 1 to that, in words.

    Raises:
        ModelError: `k` is no whole number or lies outside 1..`most`.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= most:
        raise ModelError(f"k = {k!r} lies outside 1..{most}, {what}")


def refuse_foreign(model: Recommender, history: Interactions) -> None:
    """Refuse a history over other items than the model's.

    Args:
        model: a fitted model.
        history: Interactions.

    Raises:
        ModelError: the model is not fitted.
        DataError: the items are not the model's.
    """
    if history.items != model.items:
        raise DataError(
            f"the history is over {history.n_items} items that are not the model's {len(model.items)}: "
            "use the data the model was trained on, or give the history as item ids"
        )


def without_newest(history: Interactions) -> Interactions:
    """Take the newest event from each history, which is one interaction where events are `split`; an empty one stays empty.

    Args:
        history: with times.
    """
    return history.only(history.event_positions() < history.event_counts()[history.rows()] - 1)


def history_of(model: Recommender, *histories: Sequence[Any], unknown: Unknown = "refuse") -> Interactions:
    """Make histories from item ids; their users have no name, so no model takes them for users it remembers.

    Args:
        model: gives the catalogue.
        histories: one sequence of external item ids per user, oldest first.
        unknown: `refuse` ids that the model does not know, or `skip` them, with a warning that counts and names them.

    Raises:
        DataError: an item is unknown (with `skip`: all of them are), or stands twice in one history.
    """
    need_model(model)
    if any(isinstance(history, str | bytes) or not isinstance(history, Sequence) for history in histories):
        raise DataError("give each history as a sequence of item ids, for example history_of(model, [318, 50])")
    user = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    given = [item for history in histories for item in history]
    if any(isinstance(item, Iterable) and not isinstance(item, str | bytes) for item in given):
        raise DataError("give each history as an argument of its own, for example history_of(model, [318, 50], [24])")
    positions = model.items.positions(given, unknown="mark" if _skips(unknown) else "raise", what="item")
    known = positions >= 0
    if given and not known.any():
        model.items.positions(given, what="item")  # refuses, and names them
    if not known.all():
        _warn_of_unknown([item for item, there in zip(given, known, strict=True) if not there], len(given), stacklevel=3)
    users, order = IdMap.unnamed(len(histories)), np.arange(len(given))[known]
    return Interactions.from_arrays(user[known], positions[known], users, model.items, times=order, time_kind="order")


def _skips(unknown: Unknown) -> bool:
    if unknown not in ("refuse", "skip"):
        raise ConfigError(f"unknown = {unknown!r} says nothing of unknown items; give 'refuse' or 'skip'")
    return unknown == "skip"


def _known(model: Recommender, history: Interactions) -> Interactions:
    """The history over the model's items, with a warning of what was left out."""
    known, dropped = history.over(model.items)
    if dropped and not known.nnz:
        raise DataError(
            f"the model knows none of the items of the history, for example {history.items.ids[int(history.matrix.indices[0])]!r}; "
            f"give histories of its catalogue, for example {model.items.ids[0]!r}"
        )
    if dropped:
        places = model.items.positions(history.items.ids, unknown="mark")[history.matrix.indices]
        _warn_of_unknown(history.items.externals(history.matrix.indices[places < 0]).to_list(), history.nnz, stacklevel=4)
    return known


def _warn_of_unknown(unknown: Sequence[Any], total: int, *, stacklevel: int) -> None:
    names = list(dict.fromkeys(unknown))
    more = f" and {len(names) - UNKNOWN_SHOWN} more" if len(names) > UNKNOWN_SHOWN else ""
    warnings.warn(
        f"{len(unknown)} of {total} items of the history are unknown to the model and left out: "
        f"{', '.join(map(repr, names[:UNKNOWN_SHOWN]))}{more}",
        RecodiffWarning,
        stacklevel=stacklevel,
    )


def _nothing_of(history: Interactions) -> Interactions:
    none = np.empty(0, dtype=np.int64)
    times = None if history.times is None else none
    return Interactions.from_arrays(
        none, none, history.users, history.items, times=times, time_kind=history.time_kind, events=history.events
    )


answer_calls(__name__)
