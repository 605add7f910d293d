"""The one registry of metrics."""

from __future__ import annotations

import pytest

from recodiff.errors import ConfigError
from recodiff.evaluation.hit_metrics import HIT_METRICS
from recodiff.evaluation.judged_metrics import JUDGED_METRICS
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.metrics import METRICS, parse, parse_all


def test_every_metric_is_registered_once() -> None:
    assert list(METRICS.values()) == [*HIT_METRICS, *JUDGED_METRICS, *LIST_METRICS]
    for name, metric in METRICS.items():
        assert name == metric.name
        assert metric.kind in ("hits", "judged", "lists")
        assert metric.meaning
        assert "\n" not in metric.meaning


def test_names_carry_their_length() -> None:
    for name, kind, k in (("recall@20", "recall", 20), ("recall_min@5", "recall_min", 5), ("gini@3", "gini", 3)):
        wanted = parse(name)
        assert (wanted.name, wanted.metric, wanted.k) == (name, METRICS[kind], k)


def test_a_metric_of_lists_may_leave_its_length_out() -> None:
    """It does not depend on the metrics beside it."""
    assert parse("coverage") == parse("coverage@20")
    assert [one.name for one in parse_all(["recall@5", "coverage", "coverage@20", "coverage@5"])] == [
        "recall@5",
        "coverage@20",
        "coverage@5",
    ]
    assert [one.name for one in parse_all("mrr@3")] == ["mrr@3"]


@pytest.mark.parametrize(
    "name",
    ["recall", "recall@", "recall@0", "recall@-3", "recall@2.5", "Recall@20", "@20", "", "coverage@", "gini@0"],
)
def test_names_that_mean_nothing_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no metric|needs a length"):
        parse(name)


def test_nothing_is_no_metric() -> None:
    with pytest.raises(ConfigError, match="no metric is asked for"):
        parse_all([])
