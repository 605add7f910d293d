"""Whatever a name is made of, Markdown shows it as it is."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from recodiff.reports import markdown

NAMES = [
    "a | b",
    "two\nlines",
    "`code`",
    "$x$ and $y$",
    r"a\b \| c\\",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "*a* **b** _c_ __d__ ~~e~~",
    "[link](http://example.org) ![image](x.png) [ref][1]",
    "&lt; &#65;",
    "snake_case < .001 <= 3, x_0, T' = 2, l2 = 1e3",
]


def rendered(text: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def plain(fragment: str) -> str:
    assert not re.search("<(?!/?p>|/?t|br)", fragment), fragment
    return html.unescape(re.sub("<[^>]*>", "", fragment)).strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_shows_a_name_as_it_is(name: str) -> None:
    page = rendered(markdown.markdown_table(["case", name], [[name, "0.1"], ["b", name]]))
    cells = re.findall(r"<t[hd]>(.*?)</t[hd]>", page)
    shown = " ".join(name.split("\n"))
    assert [plain(cell) for cell in cells] == ["case", shown, shown, "0.1", "b", shown]


@pytest.mark.parametrize("name", [*NAMES, "# head", "- entry", "1. first", "12) twelfth", "+ plus", "> quoted", "* star"])
def test_a_line_shows_a_name_as_it_is(name: str) -> None:
    assert plain(rendered(markdown.line(name))) == " ".join(name.split("\n"))


@given(st.text(st.sampled_from("ab1 |`$<>\\*_~&;#[]()!.-+\n"), min_size=1, max_size=12))
def test_no_name_breaks_a_table(name: str) -> None:
    cells = re.findall(r"<td>(.*?)</td>", rendered(markdown.markdown_table(["a", "b"], [["x", name]])))
    assert len(cells) == 2
    assert " ".join(plain(cells[1]).split()) == " ".join(name.split())


def test_what_needs_no_escape_has_none() -> None:
    row = ["F-DiffRec, T' = 2", "+0.0048 (0.0003)", "< .001", "≤ .013", "training.ema = null; hidden = [200]", "noise_scale"]
    assert markdown.markdown_table(["h"] * len(row), [row]).splitlines()[2] == f"| {' | '.join(row)} |"
