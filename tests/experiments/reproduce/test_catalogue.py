"""Experiments as data: each is whole, and says what the paper's table or figure says."""

from __future__ import annotations

import pytest

from recodiff.config import merge
from recodiff.configs import presets
from recodiff.errors import ConfigError
from recodiff.experiments.reproduce.catalogue import EXPERIMENTS, experiment
from recodiff.experiments.reproduce.experiment import Experiment, cases_of
from recodiff.experiments.reproduce.paper import BESIDE
from recodiff.experiments.reproduce.published import known, published

ALL = list(EXPERIMENTS.values())
NAMES = {"table2", "table3", "table4", "table5", "table6", "table7", "figure4", "figure5", "figure6", "figure7"}
QUESTIONS = {"ablation", "weights", "protocols", "embeddings", "forecast"}


def test_every_table_and_figure_of_the_paper_is_there() -> None:
    assert set(EXPERIMENTS) == NAMES | QUESTIONS
    assert {plan.name for plan in ALL if not plan.published} == QUESTIONS
    assert EXPERIMENTS["table4"].cases == EXPERIMENTS["table3"].cases


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: plan.name)
def test_every_published_figure_finds_its_case(plan: Experiment) -> None:
    keys = [case.key for case in plan.cases]
    assert len(set(keys)) == len(keys)
    for said in published(plan.published).values():
        assert said.data in known().values()
        assert set(said.rows) <= set(keys)
        assert all(0 < row["recall@20"] < 0.2 and 0 < row["ndcg@20"] < row["recall@20"] for row in said.rows.values())


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: plan.name)
def test_every_case_of_a_figure_has_its_place(plan: Experiment) -> None:
    panels = {panel.title for panel in plan.panels} or {""}
    assert {case.panel for case in plan.cases} == panels
    if plan.panels:
        assert all(case.point and case.line for case in plan.cases)
        places = [(case.panel, case.line, case.point) for case in plan.cases]
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("plan", ALL, ids=lambda plan: plan.name)
def test_a_quick_pass_has_fewer_cases_or_the_same_and_never_none(plan: Experiment) -> None:
    whole, quick = (cases_of(plan, "other", [], quick=quick) for quick in (False, True))
    assert whole == list(plan.cases)
    assert 0 < len(quick) <= len(whole)


def test_tables_stand_beside_the_simple_methods() -> None:
    for name in ("table2", "table3"):
        assert EXPERIMENTS[name].cases[-len(BESIDE) :] == BESIDE


def test_a_tuned_preset_is_a_further_row() -> None:
    plan = EXPERIMENTS["table2"]
    keys = [case.key for case in cases_of(plan, "ml-1m_clean", presets(), quick=False)]
    assert keys.index("diffrec tuned") == keys.index("diffrec") + 1
    assert "diffrec tuned" not in [case.key for case in cases_of(plan, "ml-100k", presets(), quick=False)]
    tables = {"table2", "table3", "table4", "table7"}
    assert {plan.name for plan in ALL if plan.tuned_rows} == tables


def test_no_noise_is_a_schedule_of_its_own() -> None:
    first, second = (case.settings for case in EXPERIMENTS["figure6"].cases[:2])
    preset = {"diffusion": {"schedule": {"kind": "linear_variance", "noise_scale": 0.005, "noise_min": 0.1, "noise_max": 0.2}}}
    assert merge(preset, first)["diffusion"]["schedule"] == {"kind": "none"}
    assert merge(preset, second)["diffusion"]["schedule"] == {
        "kind": "linear_variance",
        "noise_scale": 1e-5,
        "noise_min": 0.1,
        "noise_max": 0.2,
    }


def test_a_wrong_name_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match="there is no experiment 'tabel5'; did you mean 'table5'") as error:
        experiment("tabel5")
    assert all(name in str(error.value) for name in NAMES | QUESTIONS)


def test_published_figures_are_the_printed_ones() -> None:
    """A few of each kind, typed a second time."""
    assert published("table2")["ml-1m_clean"].rows["multidae++"] == {
        "recall@10": 0.1009,
        "recall@20": 0.1771,
        "ndcg@10": 0.0815,
        "ndcg@20": 0.1079,
    }
    assert published("table3")["ml-1m_noisy"].rows["l-diffrec"]["recall@20"] == 0.1272
    assert published("table7")["amazon-book_clean"].rows["lt-diffrec"]["recall@20"] == 0.1188
    resources = published("table6")["yelp_clean"].rows["l-diffrec"]
    assert (resources["parameters"], resources["memory"]) == (29, 1429)
    assert published("figure6")["amazon-book_clean"].rows["s = 0"] == {"recall@20": 0.0898, "ndcg@20": 0.0488}
    assert published("figure7")["amazon-book_clean"].rows["C = 1"]["parameters"] == 86
    assert "arXiv 2304.04971" in published("table5")["ml-1m_clean"].where
    assert "ml-1m_clean" not in published("table7"), "the paper leaves it out"
