"""The HTML page of a comparison: every name is text, whatever it is made of."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recodiff import Dataset, RunOptions, Temporal, compare, prepare, synthesise
from recodiff.experiments.compare import comparison_page
from recodiff.experiments.compare.comparison import Comparison
from recodiff.experiments.compare.comparison_files import markdown

ODD = "<b onclick=\"x\">`a` | $b$ & 'c'</b>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("compare")
    data: Dataset = prepare(synthesise(40, 30, 600, seed=1), out / "data", split=Temporal(0.1, 0.2), name=ODD)
    return compare(["popularity", "ease"], data, out, RunOptions(1, device="cpu", threads=1), say=lambda _: None)


def with_odd_labels(found: Comparison) -> Comparison:
    rows = tuple(replace(row, case=replace(row.case, label=f"{row.case.label} {ODD}"), note=f"note {ODD}") for row in found.rows)
    return replace(found, rows=rows, reference=f"{found.reference} {ODD}", differences=())


def test_markup_in_a_name_stays_text(found: Comparison) -> None:
    odd = with_odd_labels(found)
    parsed = Tags()
    parsed.feed(comparison_page.render_comparison(odd, comparison_page.figures(odd)))
    assert "b" not in parsed.names
    assert f"ease {ODD}" in parsed.text
    assert f"note {ODD}" in parsed.text
    assert parsed.text.count(ODD) >= 8, "title, heading, lead, data, table, figures, missing, provenance"


def test_the_page_has_what_there_is(found: Comparison, tmp_path: Path) -> None:
    text = comparison_page.render_comparison(found, [])
    assert [text.count(f"<h2>{title}</h2>") for title in ("The data", "Accuracy and cost", "Beyond accuracy")] == [1, 1, 1]
    for title in ("What was searched", "What is missing", "Figures"):
        assert f"<h2>{title}</h2>" not in text
    assert "<h2>Figures</h2>" in comparison_page.render_comparison(found, comparison_page.figures(found))


def test_markup_in_a_name_stays_text_in_markdown(found: Comparison) -> None:
    text = markdown(with_odd_labels(found))
    assert "<b" not in text.replace(r"\<b", "")
    assert "`a`" not in text


@pytest.mark.parametrize("name", ["$\\frac{", "a$\\b$", "$$", "$x$", "_^{", "\\$5", "%"])
def test_dollars_and_backslashes_of_names_are_drawn_as_they_are(found: Comparison, name: str) -> None:
    rows = tuple(replace(row, case=replace(row.case, label=f"{number} {name}")) for number, row in enumerate(found.rows))
    drawn = "".join(svg for svg, _ in comparison_page.figures(replace(found, rows=rows)))
    assert f">0 {name}<" in drawn
    assert "mathdefault" not in drawn
