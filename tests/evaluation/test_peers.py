"""Every package's own figures, recorded from runs, come out of our lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import ConfigError
from recodiff.evaluation import metrics
from recodiff.evaluation.conventions import Judged, judge
from recodiff.evaluation.metric_kinds import HitMetric, JudgedMetric
from recodiff.evaluation.peers import PeerFigure, formulas, like, peers

RECORDED = Path(__file__).parent / "peers"
CASES: dict[str, Any] = json.loads((RECORDED / "lists.json").read_text())
FIGURES: dict[str, Any] = json.loads((RECORDED / "figures.json").read_text())
TOLERANCE = 1e-4
OURS = [name for name in metrics.METRICS if name in formulas()]


def judged_of(case: str) -> Judged:
    """What `judge` makes of the lists of a case."""
    users = CASES[case]["users"]
    places = max(len(ranked) for ranked, _ in users)
    most = max(max((len(truth) for _, truth in users)), 1)
    ratings, ideal = np.zeros((len(users), places)), np.zeros((len(users), most))
    for row, (ranked, truth) in enumerate(users):
        for place, item in enumerate(ranked):
            ratings[row, place] = truth.get(str(item), 0)
        ideal[row, : len(truth)] = sorted(truth.values(), reverse=True)
    lengths = np.array([len(ranked) for ranked, _ in users])
    items = CASES[case]["items"]
    return Judged(
        hits=ratings > 0,
        lengths=lengths,
        relevant=(ideal > 0).sum(1),
        candidates=np.full(len(users), items),
        n_items=items,
        ratings=ratings,
        ideal=ideal,
    )


def recorded(name: str) -> list[tuple[str, str]]:
    """Cases and the package's names of its figures."""
    return [(case, figure) for case, figures in FIGURES[name]["figures"].items() for figure in figures]


def figure_of(name: str, figure: str) -> PeerFigure | None:
    return next((known for known in peers()[name].figures if known.name == figure), None)


@pytest.mark.parametrize("name", peers())
def test_figures_are_the_packages_own(name: str):
    compared = 0
    for case, label in recorded(name):
        figure, value = figure_of(name, label), FIGURES[name]["figures"][case][label]
        judged, k = judged_of(case), CASES[case]["k"]
        if figure is None or figure.refuses(judged, k):
            continue
        if isinstance(value, str):
            assert "refuse" in (figure.without_truth, figure.without_list), f"{name} answers {value} to {label} of {case}"
            continue
        mean = figure.formula.mean(judged.take(figure.population(judged)), k)
        assert mean == pytest.approx(value, abs=TOLERANCE), f"{label} of {case}"
        compared += 1
    assert compared >= len(peers()[name].figures) - 1  # Elliot's figures of ratings were never recorded


def test_lists_and_interactions_are_judged_as_the_case_is():
    case = CASES["ml-100k-ragged"]
    items = IdMap.range(case["items"] + 1)
    users = IdMap.range(len(case["users"]))
    rated = [(row, int(item), grade) for row, (_, truth) in enumerate(case["users"]) for item, grade in truth.items()]
    rows, columns, grades = map(np.array, zip(*rated, strict=True))
    truth = Interactions.from_arrays(rows, columns, users, items, weights=grades)
    lists = np.full((len(users), 20), -1)
    for row, (ranked, _) in enumerate(case["users"]):
        lists[row, : len(ranked)] = ranked
    judged, wanted = judge(lists, np.arange(len(users)), truth), judged_of("ml-100k-ragged")
    assert judged.ratings is not None
    assert judged.ideal is not None
    for name in ("hits", "lengths", "relevant", "ratings", "ideal"):
        assert np.array_equal(getattr(judged, name), getattr(wanted, name)), name


@pytest.mark.parametrize("name", OURS)
def test_formulas_of_our_names_are_our_metrics(name: str):
    metric = metrics.METRICS[name]
    if isinstance(metric, JudgedMetric):
        assert metric.formula == formulas()[name]
        return
    assert isinstance(metric, HitMetric)
    draw = np.random.default_rng(0)
    hits, k = draw.random((50, 12)) < 0.2, 10
    relevant = hits.sum(1) + draw.integers(0, 15, 50)
    judged = Judged(hits, np.full(50, 12), relevant, np.full(50, 100), 100)
    assert formulas()[name].values(judged, k) == pytest.approx(metric.function(hits[:, :k], relevant))


def test_what_a_package_cannot_say_of_lists_is_said_once():
    answers, refusals = like("cornac", judged_of("ml-100k"), (5, 10), {"recall", "map"})
    assert [answer.name for answer in answers] == ["Recall@5", "Recall@10"]
    assert [answer.ours for answer in answers] == ["recall@5", "recall@10"]
    assert refusals == ["MAP needs a whole ranking, and these lists end after 20 items"]
    assert like("torchmetrics", judged_of("ml-100k-ragged"), (10,), {"hit_rate"})[1] == [
        "HitRate credits items after the end of a list, so it is given for lists of 10 items only"
    ]


def test_an_unknown_package_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no package 'surprise'.*rectools"):
        like("surprise", judged_of("handed"), (5,))
