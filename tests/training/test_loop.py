"""The one loop: early stopping, best weights, exact resume, refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import recodiff
from recodiff import Run, build
from recodiff.errors import CheckpointError, ConfigError, ModelError
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.training import loop
from recodiff.training.checkpoint import CHECKPOINT, GROWING_LOG
from toy import checkerboard

BOARD = checkerboard(20)


def small(name: str = "diffrec", **changes: Any) -> DiffRec:
    settings: dict[str, Any] = {
        "denoiser": {"hidden": [8]},
        "diffusion": {"steps": 3},
        "training": {"epochs": 12, "batch_size": 6, "check_every_epochs": 2, "patience_epochs": 100, **changes},
    }
    if name == "l-diffrec":
        settings["codec"] = {"latent": 6}
    if name == "hidden space":
        name, settings["diffusion"] = "diffrec", {"steps": 3, "space": "hidden"}
    model = build(name, settings)
    assert isinstance(model, DiffRec)
    return model


class Scripted:
    """Validation figures that were decided beforehand."""

    def __init__(self, *figures: float) -> None:
        self.figures, self.calls = list(figures), 0

    def __call__(self, model: object) -> Mapping[str, float]:
        self.calls += 1
        return {"recall@20": self.figures[min(self.calls, len(self.figures)) - 1]}


def run(out: Path | None = None, **options: Any) -> Run:
    return Run(seed=3, out=out, progress=False, device="cpu", **options)


def test_training_stops_by_the_released_rule() -> None:
    # Best in epoch 4; no epoch is begun once 6 have passed since: epoch 10 would be the first such.
    model = small(epochs=100, patience_epochs=6).fit(BOARD, run(), validate=Scripted(0.1, 0.3, 0.2))
    assert model.summary["best_epoch"] == 4
    assert model.summary["epochs"] == 9
    assert model.summary["stopped_by"] == "patience"


def test_only_a_strictly_better_rounded_figure_is_better() -> None:
    figures = Scripted(0.12341, 0.12344, 0.12346)
    exact = small(epochs=6).fit(BOARD, run(), validate=figures)
    rounded = small(epochs=6, metric_decimals=4).fit(BOARD, run(), validate=Scripted(0.12341, 0.12344, 0.12344))
    assert (exact.summary["best_epoch"], rounded.summary["best_epoch"]) == (6, 2)


def test_the_best_weights_are_the_ones_kept() -> None:
    until_best = small(epochs=4).fit(BOARD, run())
    longer = small(epochs=12).fit(BOARD, run(), validate=Scripted(0.1, 0.9, 0.2))
    for name, tensor in longer.state().items():
        torch.testing.assert_close(tensor, until_best.state()[name], rtol=0, atol=0)


def test_the_last_epoch_is_always_checked() -> None:
    figures = Scripted(0.1)
    small(epochs=5).fit(BOARD, run(), validate=figures)
    assert figures.calls == 3


def test_without_validation_every_epoch_is_run() -> None:
    assert small(epochs=7, patience_epochs=1).fit(BOARD, run()).summary["epochs"] == 7


def test_a_metric_that_validation_does_not_give_is_refused() -> None:
    with pytest.raises(ConfigError, match="'ndcg@5', and that is not among the validation figures: recall@20"):
        small(metric="ndcg@5").fit(BOARD, run(), validate=Scripted(0.1))


def test_a_diverging_loss_is_named_at_once_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    step = loop._Loop._step
    monkeypatch.setattr(loop._Loop, "_step", lambda self, users: steps.append(len(users)) or step(self, users))
    with pytest.raises(ModelError, match=r"in epoch 1: training diverged; lower training\.lr"):
        small(lr=1e30, batch_size=2).fit(BOARD, run())
    assert len(steps) < len(BOARD.users) // 2


def test_a_loss_that_explodes_and_stays_finite_is_refused() -> None:
    told = r"the loss began at .* and is .* with the weights of epoch 3: training diverged; lower training\.lr=100000"
    with pytest.raises(ModelError, match=told):
        small(lr=1e5, epochs=3).fit(BOARD, run())
    with pytest.raises(ModelError, match="weights of epoch 1"):  # one batch, whose only loss came before the step
        small(lr=1e5, epochs=1, batch_size=len(BOARD.users)).fit(BOARD, run())


def _exploding(monkeypatch: pytest.MonkeyPatch, after: int) -> DiffRec:
    """A model whose weights grow a thousandfold in every epoch but the first ones."""
    epoch = loop._Loop._epoch

    def explode(self: loop._Loop, advance: Any) -> None:
        if self.state.epoch >= after:
            for weights in self.module.parameters():
                weights.data.mul_(1e3)
        epoch(self, advance)

    monkeypatch.setattr(loop._Loop, "_epoch", explode)
    return small(epochs=5, check_every_epochs=1)


def test_an_explosion_after_the_epoch_that_is_kept_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _exploding(monkeypatch, after=2).fit(BOARD, run(), validate=Scripted(0.1, 0.3, 0.2, 0.2, 0.2))
    assert model.summary["best_epoch"] == 2


def test_an_explosion_is_refused_in_the_epoch_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="weights of epoch 5"):
        _exploding(monkeypatch, after=2).fit(BOARD, run(), validate=Scripted(0.1, 0.1, 0.1, 0.2, 0.3))


def test_an_explosion_is_refused_by_a_run_that_was_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(epochs=5, check_every_epochs=1)
    with monkeypatch.context() as patch:
        _kill_after(model, 2 * math.ceil(len(BOARD.users) / 6) + 1, patch)
        with pytest.raises(KilledError):
            model.fit(BOARD, run(tmp_path))
    with pytest.raises(ModelError, match="weights of epoch 5"):
        _exploding(monkeypatch, after=2).fit(BOARD, run(tmp_path, resume=True))


def test_the_last_look_asks_as_the_first_step_did_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[loop.Progress] = []
    losses = loop._Loop._losses

    def record(self: loop._Loop, pair: Any, at: loop.Progress, generator: Any) -> torch.Tensor:
        asked.append(at)
        return losses(self, pair, at, generator)

    monkeypatch.setattr(loop._Loop, "_losses", record)
    model = small(epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_refuse_exploded", lambda self: None)
        plain = small(epochs=2).fit(BOARD, run())
    model.fit(BOARD, run())
    assert asked[-1] == asked[0] == loop.Progress(0, 0)
    assert [a for a, b in zip(model.module.buffers(), plain.module.buffers(), strict=True) if not torch.equal(a, b)] == []


def test_the_same_seed_gives_the_same_model_and_another_seed_another() -> None:
    first, again = (small(epochs=2).fit(BOARD, run()) for _ in range(2))
    other = small(epochs=2).fit(BOARD, Run(seed=4, progress=False, device="cpu"))
    assert [e["loss"] for e in first.summary["log"]] == [e["loss"] for e in again.summary["log"]]
    assert first.summary["log"][0]["loss"] != other.summary["log"][0]["loss"]


class KilledError(Exception):
    pass


def _kill_after(model: DiffRec, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from recodiff.training import loop

    done = 0
    real = loop._Loop._step

    def step(self: Any, users: torch.Tensor) -> torch.Tensor:
        nonlocal done
        done += 1
        if done > steps:
            raise KilledError
        return real(self, users)

    monkeypatch.setattr(loop._Loop, "_step", step)


@pytest.mark.parametrize(
    ("name", "killed_after"), [*(("diffrec", n) for n in (0, 1, 9, 17, 30, 46)), ("l-diffrec", 30), ("hidden space", 30)]
)
def test_a_run_killed_anywhere_and_resumed_equals_the_uninterrupted_one(
    name: str, killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = (0.1, 0.5, 0.2, 0.6, 0.3, 0.4)
    whole = small(name).fit(BOARD, run(tmp_path / "whole"), validate=Scripted(*figures))

    with monkeypatch.context() as patch:
        _kill_after(small(name), killed_after, patch)
        with pytest.raises(KilledError):
            small(name).fit(BOARD, run(tmp_path / "killed"), validate=Scripted(*figures))
    done = _epochs_logged(tmp_path / "killed") // 2
    if killed_after > 10:  # what was taken from the data comes from the checkpoint, it is not made again
        monkeypatch.setattr(DiffRec, "derive", None)
    resumed = small(name).fit(BOARD, run(tmp_path / "killed", resume=True), validate=Scripted(*figures[done:]))

    for key in ("epochs", "best_epoch", "stopped_by"):
        assert resumed.summary[key] == whole.summary[key]
    assert [e["loss"] for e in resumed.summary["log"]] == [e["loss"] for e in whole.summary["log"]]
    for name, tensor in resumed.state().items():
        assert torch.equal(tensor, whole.state()[name])


def test_between_validations_it_saves_as_often_as_that_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_AFTER_SECONDS", 0)
    for share, saved in ((0.0, 2), (1e9, 1)):  # by the second epoch the first save is known to have taken something
        monkeypatch.setattr(loop, "SAVE_SHARE", share)
        out = tmp_path / str(share)
        with monkeypatch.context() as patch:
            _kill_after(small(), 2 * math.ceil(BOARD.n_users / small().training.batch_size), patch)
            with pytest.raises(KilledError):
                small().fit(BOARD, run(out))
        assert _epochs_logged(out) == saved


def _epochs_logged(out: Path) -> int:
    return len((out / GROWING_LOG).read_text().splitlines()) if (out / GROWING_LOG).exists() else 0


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    first = small(epochs=4).fit(BOARD, run(tmp_path), validate=Scripted(0.2, 0.1))
    figures = Scripted(0.9)
    again = small(epochs=4).fit(BOARD, run(tmp_path, resume=True), validate=figures)
    assert figures.calls == 0
    for name, tensor in again.state().items():
        assert torch.equal(tensor, first.state()[name])


@pytest.mark.parametrize(
    ("model", "data", "seed", "named"),
    [(small(lr=0.5), BOARD, 3, "settings"), (small(), checkerboard(22), 3, "data"), (small(), BOARD, 8, "seed")],
)
def test_a_checkpoint_of_another_run_is_refused(model: DiffRec, data: Any, seed: int, named: str, tmp_path: Path) -> None:
    small(epochs=12).fit(BOARD, run(tmp_path))
    with pytest.raises(CheckpointError, match=f"a run with other {named}"):
        model.fit(data, Run(seed=seed, out=tmp_path, resume=True, progress=False, device="cpu"))


def test_a_checkpoint_chosen_by_another_validation_is_refused(tmp_path: Path) -> None:
    class Named(Scripted):
        def __init__(self, name: str) -> None:
            super().__init__(0.1)
            self.name = name

        def fingerprint(self) -> str:
            return self.name

    small(epochs=2).fit(BOARD, run(tmp_path), validate=Named("a"))
    with pytest.raises(CheckpointError, match="other validation"):
        small(epochs=2).fit(BOARD, run(tmp_path, resume=True), validate=Named("b"))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    small(epochs=2).fit(BOARD, run(tmp_path))
    whole = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        small(epochs=2).fit(BOARD, run(tmp_path, resume=True))


def test_the_log_has_a_line_an_epoch(tmp_path: Path) -> None:
    small(epochs=4).fit(BOARD, run(tmp_path), validate=Scripted(0.2, 0.1))
    lines = [json.loads(line) for line in (tmp_path / GROWING_LOG).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line.get("recall@20") for line in lines] == [None, 0.2, None, 0.1]


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(ConfigError, match="device 'nonsense' cannot be used"):
        small().fit(BOARD, Run(device="nonsense", progress=False))


def test_users_without_interactions_are_passed_over() -> None:
    from recodiff.data.interactions import IdMap, Interactions

    ids = IdMap.range(9), IdMap.range(6)
    x = Interactions.from_arrays([0, 0, 5, 5], [0, 1, 2, 3], *ids)
    assert small(epochs=1).fit(x, run()).summary["users"] == 2


# Frozen numbers: a change here means that published figures may have moved. Change them knowingly, and say so in CHANGELOG.
FROZEN = {"diffrec": 192.8943503, "t-diffrec": 87.1373339, "l-diffrec": 46.1186836, "lt-diffrec": 31.8103483}


@pytest.mark.parametrize("name", FROZEN)
def test_the_loss_after_twenty_steps_is_what_it_was(name: str) -> None:
    settings = {
        "denoiser": {"hidden": [16, 8, 16]},
        "diffusion": {"steps": 4, "schedule": {"noise_scale": 0.5, "noise_min": 0.001, "noise_max": 0.01}},
        "training": {"epochs": 5, "batch_size": 5},
    }
    if name.startswith("l"):
        settings["codec"] = {"latent": 12}
    log = build(name, settings).fit(BOARD, Run(seed=0, progress=False, device="cpu")).summary["log"]
    assert log[-1]["loss"] == pytest.approx(FROZEN[name], rel=1e-5)


BRIEF: dict[str, Any] = {"denoiser": {"hidden": [8]}, "training": {"epochs": 7, "check_every_epochs": 5}}


def fitted_within(model: str, settings: dict[str, Any], **run: Any) -> recodiff.Recommender:
    data = recodiff.prepare(recodiff.synthesise(40, 60, 900, seed=1))
    validate = recodiff.Validation(data)
    return recodiff.build(model, settings).fit(data.train, recodiff.Run(device="cpu", progress=False, **run), validate=validate)


def test_it_ends_with_the_epoch_under_way_and_validates_it() -> None:
    summary = fitted_within("diffrec", BRIEF, longest=0.0).summary
    assert (summary["epochs"], summary["best_epoch"], summary["stopped_by"]) == (1, 1, "time")
    assert "recall@20" in summary["log"][0]


def test_time_that_suffices_changes_nothing() -> None:
    limited, free = (fitted_within("diffrec", BRIEF, longest=longest).summary for longest in (1000.0, None))
    assert limited["stopped_by"] == free["stopped_by"] == "epochs"
    assert [entry["loss"] for entry in limited["log"]] == [entry["loss"] for entry in free["log"]]


def test_components_share_the_time() -> None:
    part = {"model": "diffrec", "settings": BRIEF}
    parts = {"rows": part | {"share": 1.0}, "sequence": {"share": 0.0}, "items": {"share": 0.0}, "more": part | {"share": 1.0}}
    summary = fitted_within("fs-diffrec", {"parts": parts}, longest=0.0).summary
    assert summary["rows"]["stopped_by"] == summary["more"]["stopped_by"] == "time"
