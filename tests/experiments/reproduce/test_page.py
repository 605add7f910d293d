"""The page, the JSON and the drawing: what is said, what is compared, and what is missing."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab import Lab, figure_of, plan_of, tiny
from recodiff import load_dataset
from recodiff.errors import ConfigError
from recodiff.evaluation.significance import holm, seed_p
from recodiff.experiments.reproduce import output, page, paper_figures
from recodiff.experiments.reproduce.catalogue import EXPERIMENTS
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import TESTED_METRICS, Case
from recodiff.reports.cells import as_p

X0, EPS = tiny("x0"), tiny("eps", more={"diffusion": {"prediction": "eps"}})
POINTS = tuple(
    tiny(key, more={"training": {"lr": lr}}, panel="p", line="DiffRec", point=key)
    for key, lr in (("T' = 0", 1e-3), ("T' = T/4", 1e-2), ("T' = T/2", 2e-2))
)


def table(text: str, heading: str = "# ") -> dict[str, dict[str, str]]:
    """The first table below a heading: its rows by their first cell."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    assert {len(row) for row in rows} == {len(rows[0])}, "every row has a cell for every head"
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def written(found: Outcome, out: Path) -> tuple[str, dict[str, Any]]:
    output.write_outcome(found, out, lambda _: None)
    name = found.plan.name
    return (out / f"{name}.md").read_text("utf-8"), json.loads((out / f"{name}.json").read_text("utf-8"))


@pytest.mark.usefixtures("as_published")
def test_published_figures_stand_beside_ours_on_their_own_data(lab: Lab) -> None:
    found = lab(plan_of(X0, EPS), seeds=2)
    text, described = written(found, lab.out)
    rows = table(text)
    assert text.startswith("# Table 5, a test, on ml-1m_clean\n")
    assert "Published figures: Table 5 of Diffusion Recommender Model" in text
    assert rows["case x0"]["R@20, published"] == "0.1787"
    assert rows["case eps"]["N@10, published"] == "0.0170"
    ours = found.rows[0].test("recall@20")
    assert rows["case x0"]["R@20"] == str(ours)
    assert rows["case x0"]["R@20"].count("(") == 1
    assert rows["case x0"]["valid R@20"] == str(found.rows[0].valid("recall@20"))
    assert rows["case x0"]["seeds"] == "2"
    assert "not comparable" not in text
    assert described["comparable"] is True
    assert described["rows"][1]["published"] == {"recall@10": 0.0157, "recall@20": 0.0266, "ndcg@10": 0.0170, "ndcg@20": 0.0204}
    assert described["published_on_other_data"] == []
    assert [run["seed"] for run in described["rows"][0]["runs"]] == [1, 2]


def test_published_figures_of_other_data_share_no_column_with_ours(lab: Lab) -> None:
    found = lab(plan_of(X0, EPS), seeds=1)
    text, described = written(found, lab.out)
    assert "The published figures are for ML-1M, clean, and are not comparable; shown on ml-1m_clean (the name is" in text
    assert not any("published" in head for head in table(text)["case x0"])
    assert "0.1787" not in text[: text.index("## Published for other data")]
    apart = text[text.index("## Published for other data: Table 5") :]
    assert "| ML-1M, clean | case x0 | 0.1058 | 0.1787 | 0.0901 | 0.1148 |" in apart
    assert described["comparable"] is False
    assert all(row["published"] is None for row in described["rows"])
    assert described["published_on_other_data"][0]["rows"]["x0"]["recall@20"] == 0.1787


def test_an_effect_is_told_as_a_paired_difference(lab: Lab) -> None:
    found = lab(plan_of(X0, EPS, paired=True), seeds=2)
    text, described = written(found, lab.out)
    row = table(text, "## Differences, paired by seed")["case eps"]
    assert row["minus"] == "case x0"
    assert row["R@20"].lstrip("+") == str(found.rows[1].minus(found.rows[0], "recall@20"))
    assert described["rows"][1]["difference_to"] == "x0"
    assert described["rows"][0]["difference"] is None
    assert "## Differences" not in written(lab(plan_of(X0, EPS), seeds=2), lab.out)[0]


def test_three_seeds_are_tested_and_corrected_for_how_many_tests_there_are(lab: Lab) -> None:
    found = lab(plan_of(X0, EPS, paired=True), seeds=3)
    text, _ = written(found, lab.out)
    apart = [found.rows[1].differences(found.rows[0], metric) for metric in TESTED_METRICS]
    expected = [as_p(p) for p in holm([seed_p(three) or 0.0 for three in apart])]
    row = table(text, "## Differences, paired by seed")["case eps"]
    assert [row["R@20 adjusted p"], row["N@20 adjusted p"]] == expected
    assert "Holm's correction over the 2 tests here" in text
    assert "adjusted p" not in written(lab(plan_of(X0, EPS, paired=True), seeds=2), lab.out)[0]


def test_what_is_missing_is_named(lab: Lab) -> None:
    text, described = written(lab(plan_of(X0, tiny("new", "not-yet")), seeds=1, minutes=0), lab.out)
    assert "**Not complete**: 2 of 2 rows lack something" in text
    assert "* case x0: not run: --minutes 0 asks for what there is" in text
    assert "* case new: not in this library yet" in text
    assert table(text)["case new"]["R@20"] == "–"
    assert table(text)["case new"]["note"] == "not in this library yet"
    assert described["missing"]["case new"] == "not in this library yet"
    whole, _ = written(lab(plan_of(X0), seeds=1), lab.out)
    assert "Not complete" not in whole
    assert "missing" not in whole


def test_a_quick_pass_says_so_in_its_title(lab: Lab) -> None:
    text, _ = written(lab(plan_of(X0, replace(EPS, quick=False)), quick=True), lab.out)
    assert text.startswith("# Quick pass (one seed, at most 10 epochs, fewer points): Table 5, a test, on ml-1m_clean\n")
    assert "its figures reproduce nothing" in text
    assert "* left out of a quick pass: case eps" in text


def test_figures_come_with_their_provenance(lab: Lab) -> None:
    text, described = written(lab(plan_of(X0), seeds=1), lab.out)
    where = text[text.index("## Where this comes from") :]
    for word in (
        "commit: ",
        "machine: ",
        "versions: recodiff",
        "torch",
        "device: cpu",
        "fingerprint ",
        "train and valid masked",
        "UTC",
    ):
        assert word in where
    settings = table(text, "## Settings")["case x0"]
    assert settings["settings"] == "preset diffrec-ml-1m_clean"
    assert "denoiser.hidden = [8]" in settings["changed in them"]
    assert described["rows"][0]["runs"][0]["provenance"]["data"]["fingerprint"] == described["data"]["fingerprint"]
    assert str(lab.folder) not in text + json.dumps(described), "no place of this machine"


def test_a_cell_breaks_no_table(lab: Lab) -> None:
    case = replace(tiny("odd"), label="a | b\nc")
    assert r"a \| b c" in table(written(lab(plan_of(case), seeds=1), lab.out)[0])


@pytest.mark.usefixtures("as_published")
def test_what_the_paper_counts_beside_accuracy(lab: Lab) -> None:
    plan = replace(EXPERIMENTS["table6"], cases=(replace(tiny("diffrec"), label="DiffRec"),), memory=False)
    text, _ = written(lab(plan, seeds=1), lab.out)
    row = table(text)["DiffRec"]
    assert row["parameters, M, published"] == "4"
    assert int(row["parameters"].replace(",", "")) == lab(plan, seeds=1).rows[0].results[0].parameters


def svg_text(path: Path) -> list[str]:
    return [text for element in ElementTree.parse(path).iter() for text in [(element.text or "").strip()] if text]


def test_a_figure_is_drawn_with_the_published_curve_apart(lab: Lab) -> None:
    text, _ = written(lab(figure_of(*POINTS), seeds=2), lab.out)
    assert (lab.out / "figure5.png").read_bytes().startswith(b"\x89PNG")
    said = svg_text(lab.out / "figure5.svg")
    assert said.count("ours, ml-1m_clean") == 2, "recall and NDCG"
    assert said.count("published, Amazon-book, clean") == 2
    assert "DiffRec, published" not in said, "not in one panel with ours"
    assert "](figure5.png)" in text
    assert not [path for path in lab.out.iterdir() if path.name.startswith(".")], "nothing half-written is left"


def test_a_figure_on_the_published_data_has_both_in_one_panel(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from recodiff.experiments.reproduce import published, result

    beside = published.published("figure5")["amazon-book_clean"]
    monkeypatch.setattr(result, "beside", lambda experiment, data: beside)
    found = lab(figure_of(*POINTS), seeds=1)
    paper_figures.draw_paper_figures(found, lab.out)
    said = svg_text(lab.out / "figure5.svg")
    assert "DiffRec, published" in said
    assert "published, Amazon-book, clean" not in said


def test_a_figure_of_which_nothing_is_measured_says_so(lab: Lab) -> None:
    found = lab(EXPERIMENTS["figure7"], seeds=1, minutes=0)
    lab.out.mkdir(exist_ok=True)
    assert [path.name for path in paper_figures.draw_paper_figures(found, lab.out)] == ["figure7.png", "figure7.svg"]
    assert svg_text(lab.out / "figure7.svg").count("nothing measured") == 2
    assert paper_figures.draw_paper_figures(lab(plan_of(X0), seeds=1, minutes=0), lab.out) == [], "a table has no drawing"


def test_without_matplotlib_there_is_all_else(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lab(figure_of(*POINTS), seeds=1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said: list[str] = []
    assert [path.name for path in output.write_outcome(found, lab.out, said.append)] == ["figure5.md", "figure5.json"]
    assert 'pip install "recodiff[report]"' in said[0]
    assert ".png" not in (lab.out / "figure5.md").read_text("utf-8")


def test_a_page_is_not_lost_to_other_data_or_to_a_quick_pass(lab: Lab) -> None:
    plan, data = plan_of(X0), load_dataset(lab.folder)
    output.refuse_other(plan, data, lab.out, quick=True)
    written(lab(plan, seeds=1), lab.out)
    output.refuse_other(plan, data, lab.out, quick=False)
    with pytest.raises(ConfigError, match="holds a full pass, which a quick one may not replace"):
        output.refuse_other(plan, data, lab.out, quick=True)
    other = replace(data, train=data.train.only(data.train.matrix.data > 2))
    with pytest.raises(ConfigError, match="holds table5 on other data, 'ml-1m_clean'; choose another folder"):
        output.refuse_other(plan, other, lab.out, quick=False)
    (lab.out / "table5.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"table5\.json' cannot be read .* no page of ours"):
        output.refuse_other(plan, data, lab.out, quick=False)


def test_titles_name_what_the_paper_does(lab: Lab) -> None:
    found = lab(replace(EXPERIMENTS["figure4"], cases=(Case("k", "l", "not-yet"),)), seeds=1)
    assert page.outcome_title(found) == "Figure 4, random noise, on ml-1m_clean"


def test_dollars_in_the_name_of_the_data_are_drawn_as_they_are(lab: Lab) -> None:
    found = lab(figure_of(*POINTS[:2]), seeds=1)
    odd = replace(found, data=replace(found.data, info=found.data.info | {"name": r"$\frac{ $"}))
    paper_figures.draw_paper_figures(odd, lab.out)
    drawn = (lab.out / "figure5.svg").read_text("utf-8")
    assert r"ours, $\frac{ $" in drawn
