"""Names that training decides by: those of the metrics of hits, a user's own, and no other."""

from __future__ import annotations

import pytest

from recodiff import ConfigError, Run, Validation, build, prepare
from recodiff.data import synthesise
from recodiff.evaluation.metric_kinds import JudgedMetric
from recodiff.evaluation.metrics import METRICS
from recodiff.training.metric_names import OF_LISTS, OF_RANKINGS
from recodiff.training.settings import TrainingConfig
from toy import checkerboard

RUN = Run(progress=False, device="cpu")
SMALL = {"width": 4, "training": {"epochs": 1, "metric": "own:profit"}}


def test_the_names_are_those_of_the_metrics_of_hits() -> None:
    of_hits = {name: metric for name, metric in METRICS.items() if metric.kind != "lists"}
    whole = {name for name, metric in of_hits.items() if isinstance(metric, JudgedMetric) and metric.whole}
    assert set(OF_RANKINGS) == whole
    assert set(OF_LISTS) == set(of_hits) - whole


@pytest.mark.parametrize("name", [*(f"{name}@7" for name in OF_LISTS), *OF_RANKINGS, "own:profit"])
def test_a_name_that_decides(name: str) -> None:
    assert TrainingConfig(metric=name).metric == name


@pytest.mark.parametrize("name", ["", "own:", "recall@", "recall@0", "recall@x", "auc@3", "novelty@5", "profit"])
def test_a_name_that_does_not(name: str) -> None:
    with pytest.raises(ConfigError, match=r"mf: setting 'training\.metric'"):
        build("mf", {"training": {"metric": name}})


def test_a_function_of_a_users_own_names_its_figure() -> None:
    seen = list[str]()
    build("mf", SMALL).fit(checkerboard(), RUN, validate=lambda model: seen.append(model.registered) or {"own:profit": 1.0})
    assert seen


@pytest.mark.parametrize("model", ["mf", "fs-diffrec"])
def test_a_validation_without_the_figure_is_refused_before_anything_trains(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepare(synthesise(users=30, items=20, interactions=300, seed=0))
    settings = SMALL if model == "mf" else {"metric": "ndcg@5"}
    built = build(model, settings)
    monkeypatch.setattr(type(built), "_fit", lambda *_, **__: pytest.fail("it trains"))
    with pytest.raises(ConfigError, match="is not among the validation figures: recall@20, ndcg@20"):
        built.fit(data.train, RUN, validate=Validation(data))


def test_a_mixture_whose_function_lacks_its_figure_says_so() -> None:
    settings = {"parts": {"rows": {"model": "popularity"}, "sequence": {"share": 0}, "items": {"model": "ease"}}}
    with pytest.raises(ConfigError, match="'recall@20', and that is not among"):
        build("fs-diffrec", settings).fit(checkerboard(shuffled=True), RUN, validate=lambda _: {"own:profit": 1.0})
