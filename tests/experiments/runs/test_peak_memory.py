"""Memory is measured in a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lab import Lab, plan_of, tiny
from process_calls import awkward, deaf, die, leave, refuse, touch, unanswerable
from recodiff.errors import DataError, ModelError
from recodiff.experiments.runs import job
from recodiff.experiments.runs.peak_memory import Peak, call_in_process, memory_kind


def test_the_peak_is_what_the_call_took() -> None:
    ballast = np.ones(200 * 2**17)  # the peak of this process is not the other's
    answer, peak = call_in_process(touch, 64, device="cpu", imports=["nothing.of.the.kind"])
    assert answer == 64 * 2**17
    assert 60 < peak.megabytes < 120 < ballast.nbytes / 2**20
    assert peak.of == memory_kind("cpu") == "resident beyond the imports"
    assert memory_kind("cuda:0") == "CUDA allocator"


def test_errors_come_back() -> None:
    with pytest.raises(DataError, match="no such thing"):
        call_in_process(refuse, "no such thing", device="cpu", imports=())
    with pytest.raises(ModelError, match="its process was killed, most likely because memory ran out"):
        call_in_process(die, device="cpu", imports=())
    with pytest.raises(ModelError, match="its process ended with 3; run it again"):
        call_in_process(leave, 3, device="cpu", imports=())


def test_errors_come_back_with_where_they_were_raised() -> None:
    with pytest.raises(DataError) as found:
        call_in_process(refuse, "no such thing", device="cpu", imports=())
    assert "in refuse" in str(found.value.__cause__)
    with pytest.raises(ModelError, match="AwkwardError: this and that"):
        call_in_process(awkward, device="cpu", imports=())
    with pytest.raises(Exception, match="pickle"):
        call_in_process(unanswerable, device="cpu", imports=())


def test_an_interruption_is_this_processs_to_tell() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        assert call_in_process(deaf, device="cpu", imports=())[0]
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def check_memory(lab: Lab) -> None:
    plan = replace(plan_of(tiny("a")), memory=True)
    (result,) = lab(plan, seeds=1).rows[0].results
    assert result.memory is not None
    assert result.memory > 0
    assert result.memory_of == "resident beyond the imports"
    assert lab(plan, seeds=1).rows[0].results == (result,)
    assert any("measured before" in line for line in lab.said)
    (without,) = lab(plan_of(tiny("a")), seeds=1).rows[0].results
    assert without.memory is None, "the same training where nobody asks for its memory is another run"
    assert without.test == result.test


def test_an_experiment_about_memory_tells_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def here(call: Callable[..., Any], *arguments: Any, device: str) -> tuple[Any, Peak]:
        called.append(device)
        return call(*arguments), Peak(12.5, memory_kind(device))

    monkeypatch.setattr(job, "call_in_process", here)
    check_memory(lab)
    assert called == ["cpu"]


@pytest.mark.slow
def test_it_really_has_a_process_of_its_own(lab: Lab) -> None:
    check_memory(lab)
    assert lab.trained == [("diffrec", 1)], "the one whose memory nobody asked for"


@pytest.mark.parametrize("changes", [{"protocol": "chronological"}, {"noise": 0.5}, {"protocol": "chronological", "noise": 0.5}])
def test_a_process_of_its_own_has_the_same_data(lab: Lab, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "call_in_process", lambda call, *arguments, device: (call(*arguments), Peak(1.0, memory_kind(device))))
    plan = plan_of(tiny("a", "ease", seeded=False, **changes))
    (here,), (apart,) = (lab(replace(plan, memory=memory), seeds=1).rows[0].results for memory in (False, True))
    assert apart.memory is not None
    assert (apart.valid, apart.test) == (here.valid, here.test)
    assert apart.provenance["data"] == here.provenance["data"]
