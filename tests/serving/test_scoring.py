"""Lists that are asked for together are scored together, and each is what it would be alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodiff.serving import scoring
from recodiff.serving.errors import OverloadedError
from recodiff.serving.metrics import Metrics
from recodiff.serving.scoring import Ask, Past, Ranked, Scorer
from recodiff.serving.served import Served, load_served


@pytest.fixture(scope="module")
def served(runs: dict[str, Path]) -> list[Served]:
    return [load_served(name, runs[name]) for name in ("ease", "knn")]


def asks(served: list[Served], n: int = 40) -> list[Ask]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(n):
        items = rng.permutation(24)[: rng.integers(0, 12)].tolist()
        allowed = None if number % 5 else tuple(sorted(rng.permutation(24)[:9].tolist()))
        times = None if number % 3 else sorted(rng.integers(0, 5, len(items)).tolist())
        found.append(Ask(served[number % 2], Past(items, times), int(rng.integers(1, 30)), items[: len(items) // 2], allowed))
    return found


async def answered(wait_ms: float, make: Any, *, together: bool) -> tuple[list[Ranked], Metrics]:
    metrics = Metrics()
    scorer = Scorer(wait_ms, 1000, metrics)
    scorer.start()
    wanted = make()
    try:
        if together:
            return await scorer.rank(wanted), metrics
        return [(await scorer.rank([one]))[0] for one in wanted], metrics
    finally:
        await scorer.stop()


def test_together_is_as_alone(served: list[Served]) -> None:
    alone, one_by_one = asyncio.run(answered(0, lambda: asks(served), together=False))
    batch, at_once = asyncio.run(answered(2, lambda: asks(served), together=True))
    for one, other in zip(alone, batch, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        values, times = np.unique(one.scores.round(4), return_counts=True)
        clear = np.isin(one.scores.round(4), values[times == 1])  # equal scores, such as zeros, have no order
        clear[-1:] = False  # of equal ones the last place may have either
        assert one.items[clear].tolist() == other.items[clear].tolist()
    counts = [
        [metrics.registry.get_sample_value(f"recodiff_{what}_count", {"model": name}) or 0 for name in ("ease", "knn")]
        for metrics in (one_by_one, at_once)
        for what in ("batch_lists", "scoring_seconds")
    ]
    assert counts[:2] == [[20, 20]] * 2
    assert counts[2] == counts[3]
    assert all(0 < count < 20 for count in counts[2])


def test_a_lone_list_does_not_wait(served: list[Served]) -> None:
    async def lone() -> float:
        scorer = Scorer(1000, 10, Metrics())
        scorer.start()
        began = asyncio.get_running_loop().time()
        await scorer.rank([Ask(served[0], Past([1]), 3)])
        took = asyncio.get_running_loop().time() - began
        await scorer.stop()
        return took

    assert asyncio.run(lone()) < 0.9


def test_a_failure_is_of_its_own_lists_alone(served: list[Served], monkeypatch: pytest.MonkeyPatch) -> None:
    real = scoring._rank

    def fail(group: list[Ask]) -> list[Ranked]:
        if group[0].served is served[1]:
            raise ValueError("broken")
        return real(group)

    monkeypatch.setattr(scoring, "_rank", fail)

    async def both() -> list[Any]:
        scorer = Scorer(0, 10, Metrics())
        scorer.start()
        wanted = [Ask(one, Past([1]), 3) for one in served]
        found = await asyncio.gather(*(scorer.rank([one]) for one in wanted), return_exceptions=True)
        again = await scorer.rank([Ask(served[0], Past([1]), 3)])
        await scorer.stop()
        return [*found, again]

    good, bad, after = asyncio.run(both())
    assert isinstance(bad, ValueError)
    assert good[0].items.tolist() == after[0].items.tolist()


def test_more_than_may_wait_is_refused(served: list[Served]) -> None:
    async def many() -> None:
        scorer = Scorer(0, 3, Metrics())
        scorer.start()
        with pytest.raises(OverloadedError) as refused:
            await scorer.rank([Ask(served[0], Past([1]), 3) for _ in range(4)])
        assert refused.value.headers["Retry-After"]
        assert len(await scorer.rank([Ask(served[0], Past([1]), 3) for _ in range(3)])) == 3
        assert scorer.pending == 0
        await scorer.stop()

    asyncio.run(many())
