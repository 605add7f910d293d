"""Micro-batches: lists that are asked for together are scored together, in one thread that has the model for itself.

A list waits while the batch before it is scored. Only where lists have been coming together does it also wait `wait_ms` for others.
Shapes: `K` list length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap, Interactions
from recodiff.ranking.topk import ranked
from recodiff.serving.errors import OverloadedError
from recodiff.serving.metrics import Metrics
from recodiff.serving.served import Served

T = TypeVar("T")
MOST_AT_ONCE = 1024
"""Lists in one batch."""


@dataclass(frozen=True)
class Past:
    """A user's history as a model reads it.

    Args:
        items: positions, oldest first, none twice.
        times: seconds beside `items`, or None where only the order is known.
    """

    items: Sequence[int]
    times: Sequence[int] | None = None

    def without_newest(self, served: Served) -> Past:
        """The history less its newest event: the last item, and what shares its time where events are not split.

        Args:
            served: the model.
        """
        if not self.items:
            return self
        newest = len(self.items) - 1
        if self.times is not None and served.events != "split":
            newest = list(self.times).index(self.times[-1])
        return Past(self.items[:newest], None if self.times is None else self.times[:newest])


@dataclass(frozen=True, eq=False)
class Ask:
    """One list that is asked for.

    Args:
        served: the model.
        past: what is ranked from.
        k: K.
        left_out: positions that the list must not hold.
        allowed: the only positions it may hold, sorted; all unless given.
    """

    served: Served
    past: Past
    k: int
    left_out: Sequence[int] = ()
    allowed: tuple[int, ...] | None = None
    answer: asyncio.Future[Ranked] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True)
class Ranked:
    """One list.

    Args:
        items: positions, best first; at most K.
        scores: beside `items`.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float32]


class Scorer:
    """The one place where a service asks its models.

    Args:
        wait_ms: see `ServiceSettings`.
        pending: lists that may wait at once.
        metrics: counts every batch.
    """

    def __init__(self, wait_ms: float, pending: int, metrics: Metrics) -> None:
        self.wait, self.most, self.metrics = wait_ms / 1000, pending, metrics
        self.queue: asyncio.Queue[Ask] = asyncio.Queue()
        self.pending = 0
        self._thread = ThreadPoolExecutor(1, "scoring")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer; to be called in the loop that serves."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Answer what waits, then end."""
        await self.queue.join()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def rank(self, asks: Sequence[Ask]) -> list[Ranked]:
        """The lists, in the order asked.

        Raises:
            OverloadedError: too many lists wait already.
        """
        if self.pending + len(asks) > self.most:
            raise OverloadedError("the service has more to answer than it can; ask again in a second")
        self._wait_for(len(asks))
        try:
            for ask in asks:
                self.queue.put_nowait(ask)
            return list(await asyncio.gather(*(ask.answer for ask in asks)))
        finally:
            self._wait_for(-len(asks))

    def _wait_for(self, more: int) -> None:
        self.pending += more
        self.metrics.pending.set(self.pending)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run something else that needs the model, between batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _run(self) -> None:
        together = False
        while True:
            together = await self._batch(together)

    async def _batch(self, together: bool) -> bool:
        """Answer what is asked together, and tell whether that was several lists; an older model lives no longer than its batch."""
        asks = [await self.queue.get()]
        if together and self.wait:
            await asyncio.sleep(self.wait)
        while len(asks) < MOST_AT_ONCE and not self.queue.empty():
            asks.append(self.queue.get_nowait())
        wanted = [ask for ask in asks if not ask.answer.done()]  # the others' requests were given up
        for group in _groups(wanted):
            await self._answer(group)
        for _ in asks:
            self.queue.task_done()
        return len(asks) > 1

    async def _answer(self, group: Sequence[Ask]) -> None:
        model = group[0].served.name
        self.metrics.batch.labels(model).observe(len(group))
        try:
            with self.metrics.scoring.labels(model).time():
                lists = await self.call(_rank, group)
        except Exception as error:
            for ask in group:
                if not ask.answer.done():
                    ask.answer.set_exception(error)
            return
        for ask, found in zip(group, lists, strict=True):
            if not ask.answer.done():
                ask.answer.set_result(found)


def _groups(asks: Sequence[Ask]) -> list[list[Ask]]:
    """Lists that one model ranks over the same items, with times or without."""
    found: dict[Any, list[Ask]] = {}
    for ask in asks:
        found.setdefault((id(ask.served), ask.allowed, ask.past.times is None), []).append(ask)
    return list(found.values())


def _rank(group: Sequence[Ask]) -> list[Ranked]:
    served, allowed = group[0].served, group[0].allowed
    history = histories(served, [ask.past for ask in group])
    rows = np.repeat(np.arange(len(group)), [len(ask.left_out) for ask in group])
    columns = np.fromiter((item for ask in group for item in ask.left_out), np.int64, len(rows))
    mask = Interactions.from_arrays(rows, columns, history.users, history.items)
    k = min(max(ask.k for ask in group), served.size)
    only = None if allowed is None else np.array(allowed, np.int64)
    items, scores = ranked(served.model, history, k, {"mask": mask}, allowed=only)["mask"]
    lengths = np.minimum((items >= 0).sum(1), [ask.k for ask in group])
    return [Ranked(items[row, :length], scores[row, :length]) for row, length in enumerate(lengths.tolist())]


def histories(served: Served, pasts: Sequence[Past]) -> Interactions:
    """Histories as a model reads them; their users have no names, so a model answers from what they say.

    Args:
        served: the model.
        pasts: all with times, or all without.
    """
    lengths = [len(past.items) for past in pasts]
    rows = np.repeat(np.arange(len(pasts)), lengths)
    columns = np.fromiter((item for past in pasts for item in past.items), np.int64, len(rows))
    timed = bool(pasts) and pasts[0].times is not None
    if timed:
        times = np.fromiter((time for past in pasts for time in past.times or ()), np.int64, len(rows))
    else:
        times = np.arange(len(rows))
    return Interactions.from_arrays(
        rows,
        columns,
        IdMap.unnamed(len(pasts)),
        served.model.items,
        times=times,
        time_kind="clock" if timed else "order",
        events=served.events if timed else "split",
    )
