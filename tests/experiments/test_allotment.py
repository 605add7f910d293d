"""How the time of `auto` is divided, and what is left out of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from recodiff.data.interactions import IdMap, Interactions
from recodiff.experiments import allotment
from recodiff.experiments.allotment import LAST_TRAININGS, STATE, Clock, divided
from recodiff.runtime.work import Work

CPU = torch.device("cpu")
NAMES = ("popularity", "ease", "itemknn", "f-ridge")


def long_log(items: int = 30_000) -> Interactions:
    """Many items and as many users."""
    return Interactions.from_arrays(range(items), range(items), IdMap.range(items), IdMap.range(items))


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allotment, "measured_rates", lambda _: Work(1e10, 2e10, 1e7))


def test_shares_are_equal_where_all_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(_: object) -> Work:
        raise AssertionError("nothing needs it")

    monkeypatch.setattr(allotment, "measured_rates", measured)
    found = divided(NAMES, long_log(100), 1100.0, CPU)
    assert found.share == 1100 / (2 * 4 + LAST_TRAININGS)
    assert found.left_out == {}


def test_what_no_share_is_enough_for_is_left_out_the_longest_first(rates: None) -> None:
    """EASE takes 1,350 s, F-ridge a little more; three methods have 1,000 s each, four 820."""
    found = divided(NAMES, long_log(), 9_000.0, CPU)
    assert list(found.left_out) == ["f-ridge", "ease"]
    assert found.share == 9_000 / (2 * 2 + LAST_TRAININGS)
    assert found.left_out["f-ridge"] == (
        "not run: one step of it takes about 23 min on 30,000 items, and no method has more than 14 min; --minutes 273 would do"
    )
    assert list(divided(NAMES, long_log(), 13_000.0, CPU).left_out) == ["f-ridge"], "the others have more without it"
    assert not divided(NAMES, long_log(), 60 * 273.0, CPU).left_out


def test_the_same_minutes_are_divided_as_before_and_others_anew(tmp_path: Path, rates: None) -> None:
    first = Clock.of(tmp_path, {"source": "x"}, 150).allot(NAMES, long_log(), CPU)
    assert first.left_out
    state = json.loads((tmp_path / STATE).read_text())
    assert state["allotted"]["minutes"] == 150
    (tmp_path / STATE).write_text(json.dumps(state | {"seconds": 5000.0}))
    assert Clock.of(tmp_path, {"source": "x"}, 150).allot(NAMES, long_log(), CPU) == first
    assert not Clock.of(tmp_path, {"source": "x"}, 700).allot(NAMES, long_log(), CPU).left_out


def test_what_reading_took_is_not_divided(tmp_path: Path) -> None:
    clock = Clock.of(tmp_path, {"source": "x"}, 10)
    clock.began -= 300
    assert clock.allot(NAMES, long_log(100), CPU).share == pytest.approx(300 / (2 * 4 + LAST_TRAININGS), rel=0.01)
    (tmp_path / "late").mkdir()
    late = Clock.of(tmp_path / "late", {"source": "x"}, 10)
    late.began -= 900
    assert late.allot(NAMES, long_log(100), CPU).share > 0


def test_the_end_is_firm(tmp_path: Path) -> None:
    clock = Clock.of(tmp_path, {"source": "x"}, 10)
    deadline = clock.deadline(reserve=60)
    assert not deadline.over(needed=500)
    assert deadline.over(needed=545)
    assert deadline.reason == "what the 10 minutes have for it was over"
