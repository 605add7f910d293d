"""Searches: the budget, the sampler, pruning, resuming, what is written, and the test part left alone."""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import torch

from recodiff import Run, build, prepare
from recodiff.config import read_settings
from recodiff.data import Dataset, synthesise
from recodiff.errors import CheckpointError, ConfigError, DataError, MissingExtraError, ModelError
from recodiff.evaluation import Validation
from recodiff.experiments import search
from recodiff.experiments.dimensions import Choices, Range, Space
from recodiff.experiments.search import Budget
from recodiff.experiments.study import JOURNAL, LOCK, open_study
from recodiff.experiments.tune import refit, tune
from recodiff.experiments.tuned import Tuned
from recodiff.models.ease import Ease
from recodiff.training import CHECKPOINT

RUN = Run(device="cpu", progress=False)
TINY = {"diffusion": {"steps": 2}, "denoiser": {"hidden": [8]}, "training": {"epochs": 6, "check_every_epochs": 1}}
LR: Space = {"training.lr": Range(low=1e-4, high=1e-1, log=True)}
L2: Space = {"l2": Range(low=1.0, high=1e4, log=True)}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(synthesise(users=60, items=50, interactions=1500, seed=0), name="clicks")


@pytest.fixture
def ease(data: Dataset) -> Callable[..., Tuned]:
    """A search of EASE's ridge."""

    def run(
        out: Path | None = None, trials: int | None = 6, *, seconds: float | None = None, seed: int = 0, space: Space = L2
    ) -> Tuned:
        return tune("ease", {}, data, replace(RUN, out=out, seed=seed), Budget(trials, seconds), space=space)

    return run


def drawn(found: Tuned) -> list[Any]:
    return [trial.settings for trial in found.trials]


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The program is killed in the fit after so many."""
    numbers, fit = count(), Ease._fit

    def dies(model: Ease, *rest: Any) -> None:
        if next(numbers) == after:
            raise KeyboardInterrupt
        fit(model, *rest)

    monkeypatch.setattr(Ease, "_fit", dies)


# The search.


def test_the_first_trial_is_the_start_and_the_best_is_never_worse(data: Dataset, ease: Callable[..., Tuned]) -> None:
    found = ease()
    assert len(found.trials) == 6
    assert found.trials[0] == found.start
    assert found.start.settings == {"l2": 500.0}
    untuned = Validation(data, ("recall@20",))(build("ease").fit(data.train, RUN))["recall@20"]
    assert found.start.value == untuned
    assert found.best.value == max(trial.value for trial in found.trials if trial.value is not None)
    assert found.settings["l2"] == found.best.settings["l2"]
    assert Validation(data, ("recall@20",))(build("ease", found.settings).fit(data.train, RUN))["recall@20"] == found.best.value


def test_a_start_outside_the_space_is_tried_all_the_same(ease: Callable[..., Tuned]) -> None:
    found = ease(space={"l2": Range(low=1.0, high=10.0)}, trials=4)
    assert [trial.settings["l2"] <= 10 for trial in found.trials] == [False, True, True, True]


def test_draws_follow_from_the_seed(ease: Callable[..., Tuned]) -> None:
    assert drawn(ease(seed=1)) == drawn(ease(seed=1))
    assert drawn(ease(seed=1)) != drawn(ease(seed=2))


def test_a_third_is_drawn_at_random_and_then_comes_tpe(ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch) -> None:
    used, ask = [], optuna.Study.ask

    def watched(study: optuna.Study) -> optuna.Trial:
        used.append(type(study.sampler).__name__)
        return ask(study)

    monkeypatch.setattr(optuna.Study, "ask", watched)
    ease(trials=12)
    assert used[1:] == ["RandomSampler"] * 3 + ["TPESampler"] * 8


def test_tpe_learns_from_what_was_tried(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that fall with the distance from l2 = 100: later draws come close to it. Random ones would lie a factor of 10
    away, by the median."""

    def figures(self: Validation, model: Ease) -> dict[str, float]:
        return dict.fromkeys(self.metrics, 1 - abs(math.log10(model.config.l2) - 2))

    monkeypatch.setattr(Validation, "__call__", figures)
    found = tune("ease", {}, data, RUN, Budget(40), space=L2)
    assert statistics.median(abs(math.log10(trial.settings["l2"]) - 2) for trial in found.trials[20:]) < 0.5


def test_the_test_part_is_never_read(data: Dataset, ease: Callable[..., Tuned]) -> None:
    class Sealed:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"the test part was asked for its {name}")

    sealed = replace(data, test=None)
    object.__setattr__(sealed, "test", Sealed())
    with pytest.raises(AssertionError):
        sealed.fingerprint()
    assert drawn(tune("ease", {}, sealed, RUN, Budget(3), space=L2)) == drawn(ease(trials=3))


def test_a_setting_that_is_held_leaves_the_space(data: Dataset) -> None:
    found = tune("diffrec", TINY, data, RUN, Budget(3), fixed=["diffusion", "sampling", "denoiser", "training.weight_decay"])
    assert all(set(trial.settings) == {"training.lr"} for trial in found.trials)
    assert found.settings["denoiser"]["hidden"] == [8]
    with pytest.raises(ConfigError, match="nothing is left to search for 'ease'"):
        tune("ease", {}, data, RUN, Budget(3), fixed=["l2"])


def test_settings_that_were_tried_are_not_trained_again(ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch) -> None:
    fits, fit = [], Ease._fit
    monkeypatch.setattr(Ease, "_fit", lambda model, *rest: (fits.append(model.config.l2), fit(model, *rest)))
    found = ease(space={"l2": Choices(choices=(500.0, 1.0))}, trials=8)
    assert sorted(fits) == [1.0, 500.0]
    assert len(found.trials) == 8
    again = [trial for trial in found.trials if trial.repeats is not None]
    assert len(again) == 6
    assert all(trial.value == found.trials[trial.repeats or 0].value for trial in again)


def test_a_search_with_nothing_new_left_ends_before_its_time(ease: Callable[..., Tuned]) -> None:
    found = ease(space={"l2": Choices(choices=(500.0, 1.0))}, trials=None, seconds=600)
    assert search.REPEATS < len(found.trials) < 3 * search.REPEATS


def test_recency_is_searched_on_data_with_order_and_refused_without(data: Dataset) -> None:
    found = tune("ease", {}, data, RUN, Budget(5), recency=True)
    assert {trial.settings["weighting.kind"] for trial in found.trials[1:]} <= {"uniform", "half_life", "power_law"}
    timeless = replace(
        data,
        **{name: replace(part, times=None, time_kind=None) for name, part in data.parts().items()},
    )
    with pytest.raises(DataError, match="recency"):
        tune("ease", {}, timeless, RUN, Budget(5), recency=True)


# Budgets.


def a_second_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the search moves whenever it is looked at."""
    clock = count(0, 1.0)
    monkeypatch.setattr(search, "time", SimpleNamespace(perf_counter=lambda: next(clock)))


def test_a_budget_in_seconds_counts_training_and_ends_with_it(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    a_second_a_glance(monkeypatch)
    found = tune("ease", {}, data, RUN, Budget(seconds=4.5), space=L2)
    assert [trial.seconds for trial in found.trials] == [1.0] * 5, "begun while time is left"


def test_the_trial_under_way_at_the_end_is_stopped_at_its_next_check(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    a_second_a_glance(monkeypatch)
    found = tune("diffrec", TINY, data, RUN, Budget(seconds=20), space=LR)
    first, second = found.trials
    assert (first.state, first.epochs is not None) == ("complete", True)
    assert second.state == "stopped"
    assert second.value is not None, "what it showed until then"
    assert first.seconds < 20 <= first.seconds + second.seconds < 23


def test_the_first_trial_is_finished_whatever_the_time(data: Dataset) -> None:
    found = tune("diffrec", TINY, data, RUN, Budget(seconds=1e-6), space=LR)
    assert [trial.state for trial in found.trials] == ["complete"]


@pytest.mark.parametrize(("trials", "seconds"), [(2, 600.0), (600, 1e-6)])
def test_of_two_budgets_the_first_to_end_holds(ease: Callable[..., Tuned], trials: int, seconds: float) -> None:
    assert len(ease(trials=trials, seconds=seconds).trials) == (2 if seconds > 1 else 1)


@pytest.mark.parametrize("given", [(None, None), (0, None), (-1, None), (None, 0.0), (None, float("nan")), (None, float("inf"))])
def test_a_budget_must_be_one(given: tuple[int | None, float | None]) -> None:
    with pytest.raises(ConfigError, match="budget"):
        Budget(*given)


# Pruning.


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation figures that are the learning rate, from the first check on."""

    def figures(self: Validation, model: Any) -> dict[str, float]:
        return dict.fromkeys(self.metrics, float(model.config.training.lr))

    monkeypatch.setattr(Validation, "__call__", figures)


def test_hopeless_trials_are_given_up_early(data: Dataset, staged: None) -> None:
    patient = {**TINY, "training": {"epochs": 6, "check_every_epochs": 1, "patience_epochs": 3}}
    found = tune("diffrec", patient, data, RUN, Budget(20), space=LR)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    complete = [trial.value for trial in found.trials if trial.state == "complete" and trial.value is not None]
    assert all(trial.value is not None and trial.value < max(complete) for trial in pruned)
    assert found.best.state == "complete"
    assert found.trials.index(pruned[0]) >= 5, "a few must be whole to compare with"


def test_no_trial_is_given_up_before_it_was_trained_for_its_patience(data: Dataset, staged: None) -> None:
    long = {**TINY, "training": {"epochs": 6, "check_every_epochs": 1, "patience_epochs": 50}}
    found = tune("diffrec", long, data, RUN, Budget(12), space=LR)
    assert found.states == {"complete": 12}


def test_a_model_whose_training_was_ended_from_validation_is_none_the_worse(data: Dataset) -> None:
    model, validation = build("diffrec", TINY), Validation(data)

    def give_up(_: Any) -> Any:
        raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        model.fit(data.train, RUN, validate=give_up)
    again = validation(model.fit(data.train, RUN, validate=validation))
    assert again == validation(build("diffrec", TINY).fit(data.train, RUN, validate=validation))


# Failures.


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, *, above: float) -> None:
    fit = Ease._fit

    def fails(model: Ease, *rest: Any) -> None:
        if model.config.l2 > above:
            raise error
        fit(model, *rest)

    monkeypatch.setattr(Ease, "_fit", fails)


@pytest.mark.parametrize(
    "error",
    [
        ModelError("training diverged;\nlower l2"),
        MemoryError("no room"),
        torch.OutOfMemoryError("no room"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        ConfigError("too wide"),
    ],
)
def test_a_trial_that_fails_with_the_models_own_error_is_recorded(
    ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error, above=600)
    found = ease(trials=10)
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert len(found.trials) == 10
    assert all(trial.settings["l2"] > 600 and trial.value is None for trial in failed)
    assert failed[0].error == " ".join(str(error).split())


@pytest.mark.parametrize("error", [RuntimeError("a mistake of ours"), ValueError("a mistake of ours")])
def test_a_mistake_of_ours_is_not_hidden(ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    failing(monkeypatch, error, above=0)
    with pytest.raises(type(error), match="a mistake of ours"):
        ease()


def test_if_all_fail_that_is_said_once(ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, ModelError("it diverged"), above=0)
    for _ in range(2):  # nothing is tried again
        with pytest.raises(ModelError, match="all 3 trials failed, the last one thus: it diverged"):
            ease(tmp_path / "s", 3)
    assert not (tmp_path / "s" / "best.toml").exists()
    assert (tmp_path / "s" / "trials.csv").read_text().count("it diverged") == 3


def test_settings_and_data_that_cannot_be_searched_are_refused_at_once(data: Dataset) -> None:
    with pytest.raises(ConfigError, match="recal@20"):
        tune("diffrec", {"training": {"metric": "recal@20"}}, data, RUN, Budget(3))
    with pytest.raises(ConfigError, match="noise_steps=9 lies outside"):
        tune("diffrec", {**TINY, "sampling": {"noise_steps": 9}}, data, RUN, Budget(3), space=LR)
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used"):
        tune("ease", {}, data, Run(device="abacus"), Budget(3))
    with pytest.raises(DataError, match="no validation part"):
        tune("ease", {}, replace(data, valid=None), RUN, Budget(3))


def test_optuna_is_only_asked_for_where_it_is_missing(ease: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recodiff\[tune\]"'):
        ease()


# Going on.


def test_the_same_command_adds_only_what_is_missing(
    ease: Callable[..., Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ease(tmp_path / "s", 4)
    monkeypatch.setattr(Ease, "_fit", lambda *_: pytest.fail("nothing is missing"))
    assert ease(tmp_path / "s", 4).trials == first.trials
    monkeypatch.undo()
    more = ease(tmp_path / "s", 7)
    assert more.trials[:4] == first.trials
    assert len(more.trials) == 7


def test_a_killed_study_goes_on_as_if_it_had_not_been(
    ease: Callable[..., Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ease(trials=8)
    for after in (0, 4):  # in the very first trial, and in a later one
        interrupt(monkeypatch, after)
        with pytest.raises(KeyboardInterrupt):
            ease(tmp_path / "s", 8)
        monkeypatch.undo()
    found = ease(tmp_path / "s", 8)
    counted = [trial for trial in found.trials if trial.counts]
    assert [trial.settings for trial in counted] == drawn(whole)
    assert [trial.value for trial in counted] == [trial.value for trial in whole.trials]
    assert found.states == {"complete": 8, "killed": 2}
    assert found.start.settings == {"l2": 500.0}


def test_half_a_line_in_the_journal_is_no_trial(ease: Callable[..., Tuned], tmp_path: Path) -> None:
    before = ease(tmp_path / "s", 4)
    with (tmp_path / "s" / JOURNAL).open("a") as journal:
        journal.write('{"op_code": 4, "wor')
    (tmp_path / "s" / f"{JOURNAL}.lock").touch()
    began = time.monotonic()
    found = ease(tmp_path / "s", 5)
    assert found.trials[:4] == before.trials
    assert len(found.trials) == 5
    assert time.monotonic() - began < 20, "no wait for a lock that nobody holds"


def test_a_damaged_study_is_refused(ease: Callable[..., Tuned], tmp_path: Path) -> None:
    ease(tmp_path / "s", 3)
    journal = tmp_path / "s" / JOURNAL
    journal.write_text("nonsense\n" + journal.read_text())
    with pytest.raises(CheckpointError, match=r"journal\.jsonl' is damaged"):
        ease(tmp_path / "s", 3)
    (tmp_path / "s" / "study.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"study\.json' cannot be read"):
        ease(tmp_path / "s", 3)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "diffrec", "space": LR}, "model"),
        ({"data": "another"}, "data"),
        ({"space": {"l2": Range(low=1.0, high=10.0)}}, "space"),
        ({"settings": {"l2": 7.0}}, "settings"),
        ({"run": replace(RUN, seed=1)}, "seed"),
    ],
)
def test_the_folder_of_another_study_is_refused(data: Dataset, tmp_path: Path, change: dict[str, Any], what: str) -> None:
    out = tmp_path / "s"
    given: dict[str, Any] = {"name": "ease", "settings": {}, "data": data, "run": RUN, "budget": Budget(2), "space": L2}
    other: dict[str, Any] = {**given, **change}
    if other["data"] == "another":
        other["data"] = replace(data, train=data.train.take(range(1, 60)), valid=data.part("valid").take(range(1, 60)), test=None)
    for one in (given, other):
        one["run"] = replace(one["run"], out=out)
    tune(**given)
    before = (out / JOURNAL).read_bytes()
    with pytest.raises(CheckpointError, match=f"holds a study of (another|other) {what}; go on with the command that began it"):
        tune(**other)
    assert (out / JOURNAL).read_bytes() == before


def test_a_folder_of_something_else_is_refused(ease: Callable[..., Tuned], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="holds something else"):
        ease(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_at_once_in_one_folder_are_refused(ease: Callable[..., Tuned], tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with (
        open_study(folder, {"model": "ease"}, seed=0, warmup_epochs=0),
        pytest.raises(CheckpointError, match="is in use by another"),
        open_study(folder, {"model": "ease"}, seed=0, warmup_epochs=0),
    ):
        pytest.fail("it is held")
    assert (folder / LOCK).exists()


# What is shown and written.


@pytest.mark.parametrize(("budget", "total"), [(Budget(5), 5), (Budget(5, 600), 600), (Budget(seconds=6.5), 6)])
def test_the_bar_counts_what_the_end_of_which_is_known(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, budget: Budget, total: int
) -> None:
    a_second_a_glance(monkeypatch)
    steps: list[int] = []
    notes: list[str] = []

    def advance(step: int, note: str) -> None:
        steps.append(step)
        notes.append(note)

    @contextmanager
    def bar(what: str, of: int | None, *, show: bool, start: int) -> Iterator[Callable[[int, str], None]]:
        assert (what, of, show, start) == ("tuning", total, True, 0)
        yield advance

    monkeypatch.setattr(search, "progress", SimpleNamespace(bar=bar))
    found = tune("diffrec", TINY, data, replace(RUN, progress=True), budget, space=LR)
    assert min(steps) >= 0
    assert sum(steps) == (5 if total == 5 else min(total, int(found.seconds)))
    assert notes[0] == "trial 0"
    assert re.fullmatch(r"trial 0, epoch 1, recall@20 0\.\d{4}", notes[1])
    assert notes[-1].endswith(f"best recall@20 {found.best.value:.4f} in trial {found.best.number}")


def test_best_toml_is_a_complete_config(data: Dataset, tmp_path: Path) -> None:
    found = tune("t-diffrec", TINY, data, replace(RUN, out=tmp_path / "s", seed=3), Budget(3), fixed=["diffusion", "sampling"])
    text = (tmp_path / "s" / "best.toml").read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    for fact in ("T-DiffRec", "clicks", f"{found.best.value:.4f}", found.about["fingerprint"], "Seed: 3", "3 trials"):
        assert fact in " ".join(head)
    name, settings = read_settings(tmp_path / "s" / "best.toml")
    model = build(name, settings)
    assert model.config == build("t-diffrec", found.settings).config
    validation = Validation(data, ("recall@20", "ndcg@20"))
    assert validation(model.fit(data.train, replace(RUN, seed=3), validate=validation))["recall@20"] == found.best.value


@pytest.mark.parametrize("name", ["lt-diffrec", "f-diffrec", "ease"])
def test_any_config_survives_toml(name: str) -> None:
    from recodiff.config import to_toml

    settings = build(name).config.model_dump(mode="json")
    if name == "lt-diffrec":
        settings["codec"]["embeddings"] = {"kind": "file", "path": 'a "quoted" \\ päth\n.npy'}
    assert build(name, tomllib.loads(to_toml(settings))).config == build(name, settings).config


def test_every_trial_is_written(ease: Callable[..., Tuned], tmp_path: Path) -> None:
    found = ease(tmp_path / "s", 4)
    told = json.loads((tmp_path / "s" / "trials.json").read_text())
    assert [trial["settings"] for trial in told] == drawn(found)
    with (tmp_path / "s" / "trials.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["l2"]) for line in lines] == [trial["settings"]["l2"] for trial in told]
    assert [float(line["recall@20"]) for line in lines] == [trial["value"] for trial in told]
    assert {line["state"] for line in lines} == {"complete"}


def test_the_best_so_far_is_there_when_a_study_is_killed(
    ease: Callable[..., Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        ease(tmp_path / "s", 8)
    assert read_settings(tmp_path / "s" / "best.toml")[0] == "ease"
    assert len(json.loads((tmp_path / "s" / "trials.json").read_text())) == 3


def test_a_search_without_a_folder_writes_nothing(
    ease: Callable[..., Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ease(trials=2)
    assert not list(tmp_path.iterdir())


def test_a_refit_learns_from_validation_too(data: Dataset, tmp_path: Path) -> None:
    found = tune("diffrec", TINY, data, RUN, Budget(2), space=LR)
    run = replace(RUN, out=tmp_path / "m")
    model = refit(found, data, run)
    described = json.loads((tmp_path / "m" / "config.json").read_text())
    assert described["info"]["refit"] is True
    assert described["info"]["chosen"]["best_epoch"] == model.config.training.epochs
    assert described["info"]["asked"] == build("diffrec", found.settings).config.model_dump(mode="json")

    other = replace(found, settings={**found.settings, "denoiser": {"hidden": [4]}})
    refit(other, data, run)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["config"]["denoiser"]["hidden"] == [4]

    build("diffrec", other.settings).fit(data.train, run, validate=Validation(data, ("recall@20", "ndcg@20")))
    assert (tmp_path / "m" / CHECKPOINT).exists(), "as a refit leaves it that was killed"
    refit(found, data, run)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["config"]["denoiser"]["hidden"] == [8]
    assert not (tmp_path / "m" / CHECKPOINT).exists()
