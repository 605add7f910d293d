"""The average of the weights: its recursion, and that it is what is judged, kept, saved and gone on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recodiff import Run, build
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.training import loop, memory
from recodiff.training.ema import Averages
from toy import checkerboard

BOARD = checkerboard(20)
DECAY = 0.6


def small(ema: float | None, **changes: Any) -> DiffRec:
    own = {"epochs": 6, "batch_size": 6, "check_every_epochs": 2, "patience_epochs": 100, "ema": ema, **changes}
    model = build("diffrec", {"denoiser": {"hidden": [8]}, "diffusion": {"steps": 3, "space": "hidden"}, "training": own})
    assert isinstance(model, DiffRec)
    return model


def run(out: Path | None = None, **options: Any) -> Run:
    return Run(seed=3, out=out, progress=False, device="cpu", **options)


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The weights after every step of whatever is trained."""
    path: list[dict[str, Tensor]] = []
    step = loop._Loop._step

    def note(self: Any, users: Tensor) -> Tensor:
        loss = step(self, users)
        path.append({name: p.detach().double() for name, p in self.module.named_parameters()})
        return loss

    monkeypatch.setattr(loop._Loop, "_step", note)
    return path


def averaged(path: list[dict[str, Tensor]], start: Mapping[str, Tensor], decay: float) -> dict[str, Tensor]:
    """The recursion in float64, one weight after another."""
    mean = {name: p.double() for name, p in start.items()}
    for t, weights in enumerate(path, 1):
        beta = min(decay, (1 + t) / (10 + t))
        mean = {name: beta * mean[name] + (1 - beta) * weights[name] for name in mean}
    return mean


@pytest.mark.parametrize("decay", [0.3, DECAY, 0.999])
def test_the_average_follows_its_recursion_and_is_what_is_left(walked: list[dict[str, Tensor]], decay: float) -> None:
    found = small(decay).fit(BOARD, run()).state()
    start = small(None).build(BOARD.n_items, loop.keyed_generator(3, "init"))
    expected = averaged(walked, {name: p.detach() for name, p in start.named_parameters()}, decay)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name].double(), tensor, rtol=1e-5, atol=1e-7)
        assert not torch.allclose(found[name].double(), walked[-1][name], rtol=1e-3)


def test_training_goes_the_same_way_with_and_without(walked: list[dict[str, Tensor]]) -> None:
    small(None).fit(BOARD, run(), validate=lambda _: {"recall@20": 0.5})
    plain = [*walked]
    walked.clear()
    small(DECAY).fit(BOARD, run(), validate=lambda _: {"recall@20": 0.5})
    assert all(torch.equal(a[name], b[name]) for a, b in zip(plain, walked, strict=True) for name in a)


def test_validation_sees_the_average_and_the_best_of_it_is_kept(walked: list[dict[str, Tensor]]) -> None:
    seen: list[dict[str, Tensor]] = []
    figures = iter((0.1, 0.9, 0.2))

    def look(model: Any) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in model.state().items()})
        scores = model.score(next(iter(training_batch(model))))
        assert torch.isfinite(scores).all()
        return {"recall@20": next(figures)}

    found = small(DECAY).fit(BOARD, run(), validate=look)
    steps = len(walked) // 3
    start = small(None).build(BOARD.n_items, loop.keyed_generator(3, "init"))
    first = {name: p.detach() for name, p in start.named_parameters()}
    for n, one in enumerate(seen, 1):
        for name, tensor in averaged(walked[: n * steps], first, DECAY).items():
            torch.testing.assert_close(one[name].double(), tensor, rtol=1e-5, atol=1e-7)
    assert all(torch.equal(found.state()[name], tensor) for name, tensor in seen[1].items())


def training_batch(model: Any) -> Any:
    from recodiff.models.base import batches

    return (batch for _, batch in batches(model, BOARD, 4))


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("killed_after", [3, 9, 13])
def test_a_killed_run_goes_on_with_its_average(
    validated: bool, killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    step, done = loop._Loop._step, 0

    def dying(self: Any, users: Tensor) -> Tensor:
        nonlocal done
        done += 1
        if done > killed_after:
            raise KilledError
        return step(self, users)

    validate = (lambda _: {"recall@20": 0.5}) if validated else None
    whole = small(DECAY).fit(BOARD, run(), validate=validate)
    monkeypatch.setattr(loop, "SAVE_AFTER_SECONDS", 0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 0)
    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_step", dying)
        with pytest.raises(KilledError):
            small(DECAY).fit(BOARD, run(tmp_path), validate=validate)
    resumed = small(DECAY).fit(BOARD, run(tmp_path, resume=True), validate=validate)
    assert all(torch.equal(whole.state()[name], tensor) for name, tensor in resumed.state().items())


def test_a_mistake_in_validation_leaves_the_weights_that_were_trained() -> None:
    module = nn.Linear(3, 2)
    averages = Averages(module, 0.9)
    with torch.no_grad():
        module.weight.add_(1)
    averages.update(1)
    trained = module.weight.detach().clone()

    def fail() -> None:
        with averages.standing_in():
            assert not torch.equal(module.weight, trained)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(module.weight, trained)


def test_the_copy_is_counted_before_training() -> None:
    with_it, without = (memory.estimate(small(ema), BOARD, torch.device("cpu"), validated=True) for ema in (DECAY, None))
    assert with_it is not None
    assert without is not None
    assert with_it.best == 2 * without.best == 2 * with_it.parameters
