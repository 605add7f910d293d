"""From a request to a list: whose history, which items, what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from starlette.concurrency import run_in_threadpool

from recodiff.data.ids import IdMap
from recodiff.ranking.explain import explain
from recodiff.ranking.recommend import Recommendations
from recodiff.serving.errors import RefusedError
from recodiff.serving.metrics import Metrics
from recodiff.serving.schemas import BasedOn, Reason, Recommended, RecommendedList, Titled, Wanted
from recodiff.serving.scoring import Ask, Past, Ranked, Scorer, histories
from recodiff.serving.served import Id, Served
from recodiff.serving.settings import Limits
from recodiff.serving.store.base import Event, HistoryStore

DEEP = 10
"""Times k: how far a rank without the newest event is looked for."""
NO_HISTORY = "the user has no history here, so these are the most popular items"
NO_COUNTS = "the user has no history here, and the model does not know what is popular, so this order means little"
NONE_KNOWN = "the model knows no item of the history, so these are the most popular items"


@dataclass(frozen=True)
class Resolved:
    """A request in the model's terms.

    Args:
        wanted: the request.
        past: the history over the model's items.
        unknown: ids that the model does not know, of the history, `exclude` and `candidates`.
        left_out: positions that the list must not hold.
        allowed: the only positions it may hold.
        given: how many items the history had before unknown ones were left out.
    """

    wanted: Wanted
    past: Past
    unknown: list[Id]
    left_out: list[int]
    allowed: tuple[int, ...] | None
    given: int


class Answers:
    """Makes lists.

    Args:
        store: of histories.
        scorer: asks the models.
        limits: of a request.
        metrics: counts lists.
    """

    def __init__(self, store: HistoryStore, scorer: Scorer, limits: Limits, metrics: Metrics) -> None:
        self.store, self.scorer, self.limits, self.metrics = store, scorer, limits, metrics

    async def recommend(self, wanted: Sequence[Wanted], models: Sequence[Served]) -> list[RecommendedList]:
        """Answer requests, each by its model.

        Args:
            wanted: the requests.
            models: beside them.

        Raises:
            RefusedError: a request asks for more than the limits, or for what the model cannot do.
        """
        for number, one in enumerate(wanted):
            self._check(one, models[number], "" if len(wanted) == 1 else f"list {number}: ")
        stored = await self._stored(wanted)
        resolved = [_resolve(one, served, events) for one, served, events in zip(wanted, models, stored, strict=True)]
        asks = [self._asks(one, served) for one, served in zip(resolved, models, strict=True)]
        ranked = iter(await self.scorer.rank([ask for several in asks for ask in several]))
        found = [[next(ranked) for _ in several] for several in asks]
        parts = zip(resolved, models, found, strict=True)
        return list(await asyncio.gather(*(self._described(one, served, lists) for one, served, lists in parts)))

    def _check(self, wanted: Wanted, served: Served, where: str) -> None:
        limits = self.limits
        if wanted.user is None and wanted.history is None:
            raise RefusedError(422, f"{where}name a user or give a history; an empty history gets popular items")
        for what, given, most in (
            ("k", wanted.k, limits.k),
            ("items of the history", len(wanted.history or ()), limits.history),
            ("items to exclude", len(wanted.exclude), limits.items),
            ("candidates", len(wanted.candidates or ()), limits.items),
        ):
            if given > most:
                raise RefusedError(422, f"{where}{given} is too much for {what}; this service takes {most}")
        if wanted.explain and not served.model.traits.personalised:
            raise RefusedError(422, f"{where}model {served.name} gives all users the same list, so there is nothing to explain")

    async def _stored(self, wanted: Sequence[Wanted]) -> list[list[Event] | None]:
        """Events of those requests that give no history."""
        users = [str(one.user) for one in wanted if one.history is None]
        if not users:
            return [None] * len(wanted)
        found = iter(await run_in_threadpool(self.store.histories, users, self.limits.stored))
        return [next(found) if one.history is None else None for one in wanted]

    def _asks(self, one: Resolved, served: Served) -> list[Ask]:
        """The list, and with `effect_of_newest` the one without the newest event; none where popular items do."""
        if not one.past.items and served.model.traits.personalised and served.popular is not None:
            return []
        asks = [Ask(served, one.past, one.wanted.k, one.left_out, one.allowed)]
        before = one.past.without_newest(served)
        if one.wanted.effect_of_newest and before.items:
            asks.append(Ask(served, before, DEEP * one.wanted.k, one.left_out, one.allowed))
        return asks

    async def _described(self, one: Resolved, served: Served, lists: Sequence[Ranked]) -> RecommendedList:
        based_on: BasedOn = "history" if one.past.items else "nothing" if lists else "popular"
        if not served.model.traits.personalised:
            based_on = "popular"
        ranked = lists[0] if lists else _most_popular(one, served)
        items = [
            Recommended(item=served.ids[position], title=served.title(position), score=score)
            for position, score in zip(ranked.items.tolist(), ranked.scores.tolist(), strict=True)
        ]
        answer = RecommendedList(
            model=served.name,
            version=served.version,
            user=one.wanted.user,
            based_on=based_on,
            note=_note(one, based_on) if served.model.traits.personalised else None,
            history=len(one.past.items),
            unknown=one.unknown,
            items=items,
        )
        if one.wanted.effect_of_newest:
            _compare(answer, ranked, lists[1] if len(lists) > 1 else None, one.wanted.k, served)
        if one.wanted.explain:
            await self._explain(answer, one.past, ranked, served)
        self.metrics.lists.labels(served.name, based_on).inc()
        return answer

    async def _explain(self, answer: RecommendedList, past: Past, ranked: Ranked, served: Served) -> None:
        for item in answer.items:
            item.because = []
        if past.items and len(ranked.items):
            reasons = await self.scorer.call(_reasons, served, past, ranked, self.limits.explained)
            for item, because in zip(answer.items, reasons, strict=True):
                item.because = because


def _resolve(wanted: Wanted, served: Served, stored: list[Event] | None) -> Resolved:
    if stored is None:
        ids, times = list(wanted.history or ()), None
    else:
        ids, times = [event.item for event in stored], [event.at // 1000 for event in stored]
    exclude, candidates = wanted.exclude, wanted.candidates or []
    positions = served.positions([*ids, *exclude, *candidates])
    history, banned, only = positions[: len(ids)], positions[len(ids) :][: len(exclude)], positions[len(ids) + len(exclude) :]
    newest = {position: at for at, position in enumerate(history) if position >= 0}  # of repeats the last
    kept = sorted(newest.values())
    past = Past([history[at] for at in kept], None if times is None else [times[at] for at in kept])
    unknown = [served.own(item) for item, position in zip([*ids, *exclude, *candidates], positions, strict=True) if position < 0]
    left_out = {position for position in banned if position >= 0} | (set() if wanted.include_seen else set(past.items))
    allowed = None if wanted.candidates is None else tuple(sorted({position for position in only if position >= 0}))
    return Resolved(wanted, past, list(dict.fromkeys(unknown)), sorted(left_out), allowed, len(ids))


def _most_popular(one: Resolved, served: Served) -> Ranked:
    assert served.popular is not None
    assert served.counts is not None
    fits = np.ones(served.size, bool) if one.allowed is None else np.isin(np.arange(served.size), one.allowed)
    fits[one.left_out] = False
    items = served.popular[fits[served.popular]][: one.wanted.k]
    return Ranked(items, served.counts[items].astype(np.float32))


def _note(one: Resolved, based_on: BasedOn) -> str | None:
    if based_on == "history":
        return None
    if based_on == "nothing":
        return NO_COUNTS
    return NONE_KNOWN if one.given else NO_HISTORY


def _compare(answer: RecommendedList, now: Ranked, before: Ranked | None, k: int, served: Served) -> None:
    """Ranks without the newest event, and what left the list."""
    ranks = {} if before is None else {position: rank for rank, position in enumerate(before.items.tolist(), 1)}
    for item, position in zip(answer.items, now.items.tolist(), strict=True):
        item.before = ranks.get(position)
    still = set(now.items.tolist())
    gone = [position for position, rank in ranks.items() if rank <= k and position not in still]
    answer.left = [Titled(item=served.ids[position], title=served.title(position)) for position in gone]


def _reasons(served: Served, past: Past, ranked: Ranked, most: int) -> list[list[Reason]]:
    history = histories(served, [past])
    lists = Recommendations(ranked.items[None], ranked.scores[None], IdMap.unnamed(1), served.model.items)
    found = explain(served.model, history, lists, newest=most)
    return [
        [
            Reason(item=served.ids[position], title=served.title(position), effect=effect)
            for position, effect in zip(found.because[0, rank].tolist(), found.effects[0, rank].tolist(), strict=True)
            if position >= 0
        ]
        for rank in range(len(ranked.items))
    ]


def titled(served: Served, positions: Iterable[int]) -> list[Titled]:
    """Items with their titles.

    Args:
        served: the model.
        positions: of the items.
    """
    return [Titled(item=served.ids[position], title=served.title(position)) for position in positions]
