"""How the parts of the data are used, and lists from fewer passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import Lab, plan_of, tiny
from recodiff import Run, load_dataset, read_settings
from recodiff.data import save_dataset
from recodiff.evaluation import protocol as protocols
from recodiff.experiments.reproduce import page
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.reproduce.settings import resolve
from recodiff.experiments.runs.cases import Case, ResolvedCase
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.models.registry import build

EASE = Case("ease", "EASE", "ease", seeded=False)


def of(protocol: protocols.Protocol) -> Case:
    return replace(EASE, key=protocol, label=protocol, protocol=protocol)


def test_a_release_has_its_test_part_first_and_is_put_in_order(release: Path) -> None:
    data = load_dataset(release)
    assert protocols.test_comes_first(data)
    ordered = protocols.in_order(data)
    assert (ordered.valid, ordered.test, ordered.train) == (data.test, data.valid, data.train)
    assert not protocols.test_comes_first(ordered)
    assert protocols.in_order(ordered) is ordered


def test_each_protocol_ranks_what_it_says_from_what_it_says(lab: Lab, release: Path) -> None:
    found = lab(plan_of(of("official"), of("chronological"), of("leaking")))
    assert found.missing() == {}
    official, chronological, leaking = (row.results[0] for row in found.rows)
    data = load_dataset(release)
    model = build("ease", read_settings("ease-ml-1m_clean")[1]).fit(data.train, Run(progress=False))
    ordered = protocols.in_order(data)

    def by_hand(where: object, part: str, history: str) -> float:
        return measure_parts(model, where, (part,), ("recall@20",), history=history).parts[part].mean("recall@20")  # pyright: ignore[reportArgumentType]

    assert official.test["recall@20"] == pytest.approx(by_hand(data, "test", "train"))
    assert chronological.valid["recall@20"] == pytest.approx(by_hand(ordered, "valid", "train"))
    assert chronological.test["recall@20"] == pytest.approx(by_hand(ordered, "test", "train+valid"))
    assert leaking.test["recall@20"] == pytest.approx(by_hand(data, "test", "train+valid"))
    assert len({official.key, chronological.key, leaking.key}) == 3
    assert len(lab.trained) == 2, "the leak ranks the official model"


def test_nothing_leaks_where_valid_lies_before_test(lab: Lab, release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ordered"
    save_dataset(protocols.in_order(load_dataset(release)), folder)
    found = lab(plan_of(of("leaking")), folder)
    assert found.missing() == {"leaking": "valid lies before test here, so it gives nothing away"}


def test_fewer_passes_rank_the_same_training_again(lab: Lab, release: Path) -> None:
    cases = tiny("all"), tiny("one pass", passes=1)
    found = lab(plan_of(*cases), seeds=1)
    assert len(lab.trained) == 1
    whole, one = (row.results[0] for row in found.rows)
    assert whole.test != one.test
    assert one.settings["diffusion"]["steps"] == 1
    resolved = resolve(cases[1], load_dataset(release), release)
    assert isinstance(resolved, ResolvedCase)
    assert resolved.source.endswith("1 of 4 steps back")


def test_one_pass_of_a_trained_chain_is_not_taken_for_a_model_trained_without_one(lab: Lab) -> None:
    cases = tiny("all"), tiny("one pass", passes=1), tiny("T = 1", more={"diffusion": {"steps": 1}})
    found = lab(plan_of(*cases), seeds=1)
    assert len(lab.trained) == 2
    assert len({row.results[0].key for row in found.rows}) == 3


def test_a_question_of_our_own_has_a_page_without_published_figures(lab: Lab) -> None:
    plan = Experiment(
        "ablation", "which ingredient", (tiny("as it is"), tiny("changed", more={"denoiser": {"dropout": 0.0}})), published=""
    )
    text = page.render_outcome(lab(plan, seeds=1), drawing=False)
    assert "# Ablation, which ingredient, on ml-1m_clean" in text
    assert "A question that the paper leaves open" in text
    assert "published" not in text.replace("there are no published figures", "")
