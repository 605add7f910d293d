"""Means, standard errors and paired differences, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lab import plan_of, tiny
from recodiff import load_dataset
from recodiff.errors import CheckpointError
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import REPORTED_METRICS, Row
from recodiff.experiments.runs.results import Mean, Result, load, mean, save_result


def result(seed: int, recall: float) -> Result:
    figures = dict.fromkeys(REPORTED_METRICS, recall)
    return Result(f"key-{seed}-{recall}", "diffrec", seed, {}, figures, figures, 1.5, 3, 100)


def row(key: str, figures: dict[int, float], *, as_preset: bool = False, panel: str = "") -> Row:
    return Row(tiny(key, panel=panel), "a preset", as_preset, tuple(result(seed, value) for seed, value in figures.items()))


def test_a_mean_has_its_standard_error_over_seeds() -> None:
    found = row("a", {1: 0.1, 2: 0.2, 3: 0.6}).test("recall@20")
    assert found is not None
    assert found.value == pytest.approx(0.3)
    assert found.error == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2) / math.sqrt(3))
    assert mean([0.5]) == Mean(0.5, None), "one seed tells nothing of the spread"
    assert mean([]) is None
    assert str(Mean(0.12344, None)) == "0.1234"
    assert str(Mean(0.12344, 0.00106)) == "0.1234 (0.0011)"


def test_differences_are_paired_by_seed() -> None:
    """Differences .01, .02 and .03: the seeds' own spread, ten times as large, does not enter."""
    reference = row("reference", {1: 0.1, 2: 0.3, 3: 0.5, 4: 0.9})
    found = row("a", {2: 0.32, 1: 0.11, 3: 0.53}).minus(reference, "ndcg@10")
    assert found is not None
    assert found.value == pytest.approx(0.02)
    assert found.error == pytest.approx(0.01 / math.sqrt(3))
    assert row("b", {5: 0.1}).minus(reference, "ndcg@10") is None, "no seed in common"


def test_the_reference_is_the_first_that_leaves_its_preset_alone(release: Path) -> None:
    rows = (
        row("0", {1: 0.1}, panel="s"),
        row("1", {1: 0.1}, as_preset=True, panel="s"),
        row("2", {1: 0.1}, as_preset=True, panel="s"),
        row("3", {1: 0.1}, panel="T"),
        row("4", {1: 0.1}, panel="T"),
    )
    found = Outcome(plan_of(*(one.case for one in rows)), load_dataset(release), rows, (1,), None)
    assert [found.reference(one).case.key for one in rows] == ["1", "1", "1", "3", "3"]


def test_a_result_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    kept = result(1, 0.1234567890123)
    save_result(tmp_path / "runs", kept)
    assert load(tmp_path / "runs", kept.key) == kept
    assert load(tmp_path / "runs", "other") is None
    (tmp_path / "runs" / "other.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"other\.json' cannot be read .* remove it"):
        load(tmp_path / "runs", "other")
