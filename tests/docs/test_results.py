"""Nothing that was once measured is lost: figures move from page to page, and stay."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "benchmarks" / "notebook"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e-?\d+)?(?!\w)")
LINES = 100
"""What the page of results may have: it is one page, not a notebook."""


def numbers(text: str) -> Counter[str]:
    """How often each number stands in a page; targets of links are none."""
    found = NUMBER.findall(re.sub(r"\]\([^)]*\)", "]", text))
    return Counter(number.rstrip(".,").lstrip("+") for number in found)


def test_every_figure_of_the_results_of_0_1_stands_in_the_notebook_or_the_results() -> None:
    """As often as it stood there; the fixture was counted from docs/results.md before it was divided."""
    before = Counter(json.loads((ROOT / "tests" / "fixtures" / "figures_of_0_1.json").read_text()))
    pages = [*NOTEBOOK.glob("*.md"), ROOT / "docs" / "results.md"]
    lost = before - numbers("\n".join(page.read_text("utf-8") for page in pages))
    assert not lost


def test_every_disclosure_is_a_warning() -> None:
    """What was chosen after test figures had been seen is said in a box, where its figures stand."""
    for name in ("ablations", "averages", "forecasting", "baselines", "quality"):
        assert "> [!WARNING]" in (NOTEBOOK / f"{name}.md").read_text("utf-8"), name
    for page in (ROOT / "docs" / "results.md", ROOT / "docs" / "explanation" / "concepts.md", NOTEBOOK / "averages.md"):
        boxes = re.findall(r"> \[!WARNING\]\n((?:>.*\n)+)", page.read_text("utf-8"))
        assert any("`pairs.reach`" in box and "had been seen" in box for box in boxes), page.name


def test_the_results_are_one_page_that_begins_with_the_conclusions() -> None:
    text = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert len(text.splitlines()) <= LINES
    assert re.findall(r"^## (.*)", text, flags=re.M)[0] == "In short"


def test_every_entry_of_the_notebook_is_dated_and_listed() -> None:
    listed = (NOTEBOOK / "README.md").read_text("utf-8")
    for page in NOTEBOOK.glob("*.md"):
        if page.name != "README.md":
            assert re.search(r"Last measured \d{4}-\d\d-\d\d", page.read_text("utf-8")), page.name
            assert f"]({page.name})" in listed, page.name
