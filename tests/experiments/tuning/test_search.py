"""Searches: the budget, the sampler, pruning, and the test part left alone."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch

from recodiff import Run, build
from recodiff.data import Dataset
from recodiff.data.saving import save_dataset
from recodiff.errors import ConfigError, DataError, MissingExtraError, ModelError
from recodiff.evaluation.validation import Validation
from recodiff.experiments.tuning import search
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.dimensions import Choices, Range
from recodiff.experiments.tuning.study import Attempt
from recodiff.experiments.tuning.tune import tune, tune_settings
from recodiff.experiments.tuning.tuning_result import TuningResult
from recodiff.models.linear.ease import Ease
from studies import L2, LR, RUN, TINY, a_second_a_glance, drawn

# The search.


def test_tune_takes_what_train_and_compare_take(data: Dataset, tmp_path: Path, ease: Callable[..., TuningResult]) -> None:
    save_dataset(data, tmp_path / "data")
    found = tune("ease", tmp_path / "data", Budget(6), out=tmp_path / "s", device="cpu", space=L2, progress=False)
    assert drawn(found) == drawn(ease())
    assert (tmp_path / "s" / "best.toml").is_file()
    held = tune("diffrec", data, Budget(1), overrides=["training.epochs=2", "denoiser.hidden=[4]"], device="cpu", progress=False)
    assert held.settings["training"]["epochs"] == 2
    assert not {"training.epochs", "denoiser.hidden"} & held.space.keys()


def test_tune_in_the_form_of_0_1_works_with_a_warning(data: Dataset, ease: Callable[..., TuningResult]) -> None:
    old: Any = tune
    with pytest.warns(DeprecationWarning, match=r"tune\(source, data, budget\)"):
        assert drawn(old("ease", {}, data, RUN, Budget(6), space=L2)) == drawn(ease())
    with pytest.raises(TypeError, match=r"does not know the arguments .*fixed"):
        old("ease", data, Budget(1), fixed=["l2"])


def test_the_first_trial_is_the_start_and_the_best_is_never_worse(data: Dataset, ease: Callable[..., TuningResult]) -> None:
    found = ease()
    assert len(found.trials) == 6
    assert found.trials[0] == found.start
    assert found.start.settings == {"l2": 500.0}
    untuned = Validation(data, ("recall@20",))(build("ease").fit(data.train, RUN))["recall@20"]
    assert found.start.value == untuned
    assert found.best.value == max(trial.value for trial in found.trials if trial.value is not None)
    assert found.settings["l2"] == found.best.settings["l2"]
    assert Validation(data, ("recall@20",))(build("ease", found.settings).fit(data.train, RUN))["recall@20"] == found.best.value


def test_a_start_outside_the_space_is_tried_all_the_same(ease: Callable[..., TuningResult]) -> None:
    found = ease(space={"l2": Range(low=1.0, high=10.0)}, trials=4)
    assert [trial.settings["l2"] <= 10 for trial in found.trials] == [False, True, True, True]


def test_draws_follow_from_the_seed(ease: Callable[..., TuningResult]) -> None:
    assert drawn(ease(seed=1)) == drawn(ease(seed=1))
    assert drawn(ease(seed=1)) != drawn(ease(seed=2))


def test_a_third_is_drawn_at_random_and_then_comes_tpe(ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch) -> None:
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
    found = tune_settings("ease", {}, data, RUN, Budget(40), space=L2)
    assert statistics.median(abs(math.log10(trial.settings["l2"]) - 2) for trial in found.trials[20:]) < 0.5


def test_the_test_part_is_never_read(data: Dataset, ease: Callable[..., TuningResult]) -> None:
    class Sealed:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"the test part was asked for its {name}")

    sealed = replace(data, test=None)
    object.__setattr__(sealed, "test", Sealed())
    with pytest.raises(AssertionError):
        sealed.fingerprint()
    assert drawn(tune_settings("ease", {}, sealed, RUN, Budget(3), space=L2)) == drawn(ease(trials=3))


def test_a_setting_that_is_held_leaves_the_space(data: Dataset) -> None:
    found = tune_settings(
        "diffrec", TINY, data, RUN, Budget(3), fixed=["diffusion", "sampling", "denoiser", "training.weight_decay"]
    )
    assert all(set(trial.settings) == {"training.lr"} for trial in found.trials)
    assert found.settings["denoiser"]["hidden"] == [8]
    with pytest.raises(ConfigError, match="nothing is left to search for 'ease'"):
        tune_settings("ease", {}, data, RUN, Budget(3), fixed=["l2"])


def test_settings_that_were_tried_are_not_trained_again(ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch) -> None:
    fits, fit = [], Ease._fit
    monkeypatch.setattr(Ease, "_fit", lambda model, *rest: (fits.append(model.config.l2), fit(model, *rest)))
    found = ease(space={"l2": Choices(choices=(500.0, 1.0))}, trials=8)
    assert sorted(fits) == [1.0, 500.0]
    assert len(found.trials) == 8
    again = [trial for trial in found.trials if trial.repeats is not None]
    assert len(again) == 6
    assert all(trial.value == found.trials[trial.repeats or 0].value for trial in again)


def test_a_search_with_nothing_new_left_ends_before_its_time(ease: Callable[..., TuningResult]) -> None:
    found = ease(space={"l2": Choices(choices=(500.0, 1.0))}, trials=None, seconds=600)
    assert search.REPEATS < len(found.trials) < 3 * search.REPEATS


def test_recency_is_searched_on_data_with_order_and_refused_without(data: Dataset) -> None:
    found = tune_settings("ease", {}, data, RUN, Budget(5), recency=True)
    assert {trial.settings["weighting.kind"] for trial in found.trials[1:]} <= {"uniform", "half_life", "power_law"}
    timeless = replace(
        data,
        **{name: replace(part, times=None, time_kind=None) for name, part in data.parts().items()},
    )
    with pytest.raises(DataError, match="recency"):
        tune_settings("ease", {}, timeless, RUN, Budget(5), recency=True)


# Budgets.


def test_a_budget_in_seconds_counts_training_and_ends_with_it(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    a_second_a_glance(monkeypatch)
    found = tune_settings("ease", {}, data, RUN, Budget(seconds=4.5), space=L2)
    assert [trial.seconds for trial in found.trials] == [1.0] * 5, "begun while time is left"


@pytest.mark.parametrize(("seconds", "trials"), [(4.5, 4), (0.5, 1)])
def test_a_firm_budget_begins_no_trial_that_would_overrun_it(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, seconds: float, trials: int
) -> None:
    a_second_a_glance(monkeypatch)
    found = tune_settings("ease", {}, data, RUN, Budget(seconds=seconds, firm=True), space=L2)
    assert [trial.seconds for trial in found.trials] == [1.0] * trials, "the first is made whatever it takes"
    assert found.finished


def test_the_trial_under_way_at_the_end_is_stopped_at_its_next_check(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    a_second_a_glance(monkeypatch)
    found = tune_settings("diffrec", TINY, data, RUN, Budget(seconds=20), space=LR)
    first, second = found.trials
    assert (first.state, first.epochs is not None) == ("complete", True)
    assert second.state == "stopped"
    assert second.value is not None, "what it showed until then"
    assert first.seconds < 20 <= first.seconds + second.seconds < 23


def test_the_first_trial_is_finished_whatever_the_time(data: Dataset) -> None:
    found = tune_settings("diffrec", TINY, data, RUN, Budget(seconds=1e-6), space=LR)
    assert [trial.state for trial in found.trials] == ["complete"]


@pytest.mark.parametrize(("trials", "seconds"), [(2, 600.0), (600, 1e-6)])
def test_of_two_budgets_the_first_to_end_holds(ease: Callable[..., TuningResult], trials: int, seconds: float) -> None:
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
    found = tune_settings("diffrec", patient, data, RUN, Budget(20), space=LR)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    complete = [trial.value for trial in found.trials if trial.state == "complete" and trial.value is not None]
    assert all(trial.value is not None and trial.value < max(complete) for trial in pruned)
    assert found.best.state == "complete"
    assert found.trials.index(pruned[0]) >= 5, "a few must be whole to compare with"


def test_of_a_mixture_the_first_part_that_trains_by_epochs_decides(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(Attempt, "is_hopeless", lambda _, epoch, __: told.append(epoch))
    training = {"epochs": 4, "check_every_epochs": 2}
    rows = {"settings": {"denoiser": {"hidden": [8]}, "training": training}}
    sequence = {"settings": {"width": 8, "layers": 1, "training": training}}
    tune_settings("fs-diffrec", {"parts": {"rows": rows, "sequence": sequence}}, data, RUN, Budget(1))
    assert told == [2, 4]
    closed = {"rows": {"share": 0.0}, "sequence": {"share": 0.0}, "a": {"model": "ease"}, "b": {"model": "puresvd"}}
    tune_settings("fs-diffrec", {"parts": closed}, data, RUN, Budget(1), space={"least_gain": Range(low=0.0, high=0.1)})
    assert told == [2, 4], "shares that are tried are no epochs"


def test_no_trial_is_given_up_before_it_was_trained_for_its_patience(data: Dataset, staged: None) -> None:
    long = {**TINY, "training": {"epochs": 6, "check_every_epochs": 1, "patience_epochs": 50}}
    found = tune_settings("diffrec", long, data, RUN, Budget(12), space=LR)
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
    ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error, above=600)
    found = ease(trials=10)
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert len(found.trials) == 10
    assert all(trial.settings["l2"] > 600 and trial.value is None for trial in failed)
    assert failed[0].error == " ".join(str(error).split())


@pytest.mark.parametrize("error", [RuntimeError("a mistake of ours"), ValueError("a mistake of ours")])
def test_a_mistake_of_ours_is_not_hidden(
    ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error, above=0)
    with pytest.raises(type(error), match="a mistake of ours"):
        ease()


def test_if_all_fail_that_is_said_once(ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, ModelError("it diverged"), above=0)
    for _ in range(2):  # nothing is tried again
        with pytest.raises(ModelError, match="all 3 trials failed, the last one thus: it diverged"):
            ease(tmp_path / "s", 3)
    assert not (tmp_path / "s" / "best.toml").exists()
    assert (tmp_path / "s" / "trials.csv").read_text().count("it diverged") == 3


def test_settings_and_data_that_cannot_be_searched_are_refused_at_once(data: Dataset) -> None:
    with pytest.raises(ConfigError, match="recal@20"):
        tune_settings("diffrec", {"training": {"metric": "recal@20"}}, data, RUN, Budget(3))
    with pytest.raises(ConfigError, match="noise_steps=9 lies outside"):
        tune_settings("diffrec", {**TINY, "sampling": {"noise_steps": 9}}, data, RUN, Budget(3), space=LR)
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used"):
        tune_settings("ease", {}, data, Run(device="abacus"), Budget(3))
    with pytest.raises(DataError, match="no validation part"):
        tune_settings("ease", {}, replace(data, valid=None), RUN, Budget(3))


def test_optuna_is_only_asked_for_where_it_is_missing(ease: Callable[..., TuningResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recodiff\[tune\]"'):
        ease()
