"""Tables of a comparison: means over seeds, medians of cost, differences, and cells of what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from recodiff import Dataset, Temporal, prepare, synthesise
from recodiff.experiments.compare.comparison import Comparison, Difference, best
from recodiff.experiments.compare.comparison_files import as_csv, comparison_as_json, markdown
from recodiff.experiments.compare.tables import (
    accuracy,
    adjusted_p,
    beyond,
    cost_cell,
    differences,
    median_cost,
    shares,
    tables,
)
from recodiff.experiments.runs.cases import Case, Row
from recodiff.experiments.runs.results import Result
from recodiff.reports.cells import NOTHING

METRICS: tuple[str, ...] = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare(synthesise(40, 30, 600, seed=1), split=Temporal(0.1, 0.2), name="clicks")


def result(seed: int, figure: float, **more: Any) -> Result:
    figures: dict[str, float] = dict.fromkeys(METRICS, figure)
    given: dict[str, Any] = {"seconds": 10.0 * seed, "best_epoch": None, "parameters": 1234, "beyond": {"coverage": figure}}
    return Result(f"key{seed}", "ease", seed, {}, figures, figures, **given | more)


def row(label: str, *results: Result, needs_order: bool = False, **more: Any) -> Row:
    return Row(Case(label, label, "ease", needs_order=needs_order), "given", results=results, **more)


def comparison(data: Dataset, *rows: Row, **more: Any) -> Comparison:
    return Comparison(data, rows, (1, 2), **{"reference": "a", "differences": (), "test": "bootstrap", "memory": False} | more)


def test_a_mean_over_seeds_has_its_error_and_cost_its_median(data: Dataset) -> None:
    several = row("a", result(1, 0.2), result(2, 0.4), result(3, 0.3))
    (line,) = accuracy(comparison(data, several)).blocks["Without the order of events"]
    assert line[:2] == ("a", "0.3000 (0.0577)")
    assert median_cost(several, "training s") == 20.0
    assert line[6:] == ("20", NOTHING, "1,234")


def test_a_single_run_has_no_error_and_a_row_without_results_no_figures(data: Dataset) -> None:
    found = comparison(data, row("a", result(1, 0.2)), row("b", note="failed: why"))
    lines = accuracy(found).blocks["Without the order of events"]
    assert lines[0][1] == "0.2000"
    assert set(lines[1][1:]) == {NOTHING}
    assert "one run each" in accuracy(found).note
    assert found.missing() == {"b": "failed: why"}


def test_methods_that_use_the_order_stand_in_a_block_of_their_own(data: Dataset) -> None:
    found = comparison(data, row("a", result(1, 0.2), needs_order=True), row("b", result(1, 0.3)))
    assert [rows[0][0] for rows in accuracy(found).blocks.values()] == ["b", "a"]
    assert [one.case.label for one in found.measured] == ["b", "a"]


def test_the_best_on_validation_is_the_first_of_those_with_results(data: Dataset) -> None:
    assert best([row("a", result(1, 0.2)), row("b", result(1, 0.3)), row("c")]) == "b"
    assert best([row("c")]) is None


def test_differences_have_signs_intervals_and_p(data: Dataset) -> None:
    made = tuple(Difference("b", metric, 0.01, -0.02, 0.03, 0.5, 1.0) for metric in ("recall@20", "ndcg@20"))
    found = comparison(data, row("a", result(1, 0.3)), row("b", result(1, 0.2)), differences=made)
    (line,) = differences(found).blocks[""]
    assert line[:3] == ("b", "+0.0100", "-0.0200 to +0.0300")
    assert "The reference is the best of all" in differences(found).note
    worse = comparison(data, row("a", result(1, 0.1)), row("b", result(1, 0.2)), differences=made)
    assert "The reference is" not in differences(worse).note


def test_a_bootstrap_says_no_smaller_p_than_it_can_show() -> None:
    tiny = Difference("b", "recall@20", 0.1, 0.1, 0.1, 1e-4, 0.02)
    assert adjusted_p(tiny, "bootstrap").startswith("≤")
    assert not adjusted_p(tiny, "wilcoxon").startswith("≤")


def test_beyond_accuracy_has_a_column_of_each_figure_that_was_measured(data: Dataset) -> None:
    found = comparison(data, row("a", result(1, 0.2)), row("b", result(1, 0.4, beyond={"coverage": 0.4, "gini": 0.9})))
    table = beyond(found)
    assert table.heads == ("method", "coverage", "gini")
    assert table.blocks["Without the order of events"][0] == ("a", "0.2000", NOTHING)


def test_shares_are_shown_seed_by_seed_where_a_sum_has_some(data: Dataset) -> None:
    mixed = row("a", result(1, 0.2, shares={"rows": 1.0, "items": 0.25}), result(2, 0.3, shares={"rows": 1.0, "items": 0.0}))
    assert shares(comparison(data, mixed)).blocks[""] == [("a", "1", "rows 1, items 0.25"), ("a", "2", "rows 1, items 0")]
    titles = [table.title for table in tables(comparison(data, mixed))]
    assert titles == ["Accuracy and cost", "Shares", "Beyond accuracy"]


@pytest.mark.parametrize(("parameters", "cell"), [(12, "12"), (99.5, "99.5"), (1_234_567, "1,234,567")])
def test_large_costs_are_whole(parameters: float, cell: str) -> None:
    assert cost_cell(row("a", result(1, 0.2, parameters=parameters)), "parameters") == cell


def test_files_say_the_same_as_the_tables(data: Dataset) -> None:
    made = tuple(Difference("b", metric, 0.01, -0.02, 0.03, 0.5, 1.0) for metric in ("recall@20", "ndcg@20"))
    found = comparison(data, row("a", result(1, 0.3), result(2, 0.3)), row("b", note="failed: why"), differences=made)
    described = comparison_as_json(found)
    assert described["rows"][0]["test"]["recall@20"] == {"mean": 0.3, "standard_error": 0.0}
    assert described["rows"][0]["runs"][1]["seed"] == 2
    assert described["missing"] == {"b": "failed: why"}
    assert described["rows"][1]["differences"]["ndcg@20"]["adjusted_p"] == 1.0
    head, first, second = as_csv(found).splitlines()
    assert len(head.split(",")) == len(first.split(",")) == len(second.split(","))
    assert first.startswith("a,ease,given,official,valid,False,2,0.3,")
    page = markdown(found)
    assert "* b: failed: why" in page
    assert page.startswith("# 2 methods on clicks")
