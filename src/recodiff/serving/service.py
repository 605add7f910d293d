"""A service: its models, its store and its answers, and what runs beside them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from typing import IO, Any

from recodiff.serving.answers import Answers
from recodiff.serving.models import Models
from recodiff.serving.schemas import RecommendedList, Wanted
from recodiff.serving.scoring import Scorer
from recodiff.serving.served import Served
from recodiff.serving.store.base import HistoryStore
from recodiff.serving.tokens import Tokens

LOGGER = logging.getLogger("recodiff.serving")


class Service:
    """All that the routes share.

    Args:
        models: loaded.
        store: of histories.
        tokens: who may ask.
        choices: a file, opened for appending text, that gets a line of JSON for each list of a split or shadow; the log unless
            given.
    """

    def __init__(self, models: Models, store: HistoryStore, tokens: Tokens | None = None, choices: IO[str] | None = None) -> None:
        self.models, self.store, self.tokens, self.choices = models, store, tokens or Tokens(), choices
        self.settings, self.metrics = models.settings, models.metrics
        self.scorer = Scorer(self.settings.wait_ms, self.settings.limits.pending, self.metrics)
        self.answers = Answers(store, self.scorer, self.settings.limits, self.metrics)
        self.stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to answer; to be called in the loop that serves."""
        self.scorer.start()
        self._keep(self.models.watch())

    async def stop(self) -> None:
        """Answer what waits, then let go of everything."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.scorer.stop()
        self.store.close()

    async def recommend(self, wanted: Sequence[Wanted], model: str | None) -> list[RecommendedList]:
        """Answer requests.

        Args:
            wanted: the requests.
            model: its name; the one for each user unless given.

        Raises:
            RefusedError: see `Answers.recommend`.
        """
        if model is not None:
            return await self.answers.recommend(wanted, [self.models.get(model)] * len(wanted))
        chosen = [self.models.for_user(None if one.user is None else str(one.user)) for one in wanted]
        found = await self.answers.recommend(wanted, chosen)
        if self.settings.shadow is not None:
            self._keep(self._compare(wanted, found, self.models.get(self.settings.shadow)))
        elif self.settings.split:
            for one, answer in zip(wanted, found, strict=True):
                self._log_choice(one, answer, {})
        return found

    async def _compare(self, wanted: Sequence[Wanted], answers: Sequence[RecommendedList], shadow: Served) -> None:
        """Asks the shadow the same, and logs how much of the list it shares; a failure of it is no request's."""
        try:
            plain = [one.model_copy(update={"explain": False, "effect_of_newest": False}) for one in wanted]
            others = await self.answers.recommend(plain, [shadow] * len(plain))
        except Exception as error:
            LOGGER.warning("the shadow %s gave no lists: %s", shadow.name, error)
            return
        for one, answer, other in zip(wanted, answers, others, strict=True):
            ours = {item.item for item in answer.items}
            agreement = len(ours & {item.item for item in other.items}) / len(ours) if ours else 1.0
            self.metrics.agreement.observe(agreement)
            shown = {"shadow": shadow.name, "agreement": round(agreement, 4), "shadow_items": [item.item for item in other.items]}
            self._log_choice(one, answer, shown)

    def _log_choice(self, wanted: Wanted, answer: RecommendedList, more: dict[str, Any]) -> None:
        line = {"time": round(time.time(), 3), "user": wanted.user, "model": answer.model, "version": answer.version}
        text = json.dumps(line | {"items": [item.item for item in answer.items]} | more, ensure_ascii=True)
        if self.choices is None:
            LOGGER.info("choice %s", text)
        else:
            self.choices.write(text + "\n")
            self.choices.flush()

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
