"""The page: whole, safe, and nothing to fetch."""

from __future__ import annotations

import errno
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recodiff.errors import MissingExtraError
from recodiff.evaluation.evaluate import Evaluation
from recodiff.reports import figures
from recodiff.reports.cells import short
from recodiff.reports.html import Report, ReportEntry, Sample, describe_split, describe_time, render_report, write_report
from recodiff.runtime import files

USERS = 40
VOID = {"meta", "link", "img", "br", "hr", "input"}


def entry(title: str, level: float, *, trained: bool = False) -> ReportEntry:
    rng = np.random.default_rng(len(title))
    values = {name: np.clip(rng.normal(level, 0.1, USERS), 0, 1) for name in ("recall@10", "recall@20", "ndcg@20")}
    log = [{"epoch": e, "loss": 1 / e, "seconds": 0.1} | ({"recall@20": level * e / 6} if e % 2 == 0 else {}) for e in range(1, 7)]
    return ReportEntry(title, Evaluation(values, np.arange(USERS), 0.25, 0), 12.34, log if trained else (), parameters=1234567)


def report(**changes: object) -> Report:
    whole = Report(
        title="Films & <tags>",
        lead="Who finds what people liked next?",
        data={
            "name": "films",
            "source": "films.csv",
            "terms": "none",
            "users": USERS,
            "items": 1000,
            "interactions": 5000,
            "density": 0.125,
            "parts": {"train": 3500, "valid": 500, "test": 1000},
            "split": {"strategy": "temporal", "valid": 0.1, "test": 0.2},
            "time": {"kind": "clock", "first": "2001-02-03T04:05:06Z", "last": "2004-05-06T07:08:09Z"},
            "steps": [
                {"step": "read", "interactions": 6000, "dropped": 0},
                {"step": "repeats: first", "interactions": 6000, "dropped": 0},
                {"step": "5 a user, 5 an item", "interactions": 5000, "dropped": 1000},
            ],
        },
        entries=[entry("Simple", 0.2), entry("Deep", 0.4, trained=True)],
        metrics=("recall@10", "recall@20", "ndcg@20"),
        lengths=np.arange(1, USERS + 1),
        samples=[Sample("User 7", ["Heat (1995)"], {"Simple": ["A", "<script>alert(1)</script>"], "Deep": ["B & C"]}, {"A"})],
        provenance={"commit": "abc123", "versions": {"torch": "2.6"}, "seed": 0, "nothing": None},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


class Balance(HTMLParser):
    """Every tag that opens closes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed() -> None:
    parser = Balance()
    parser.feed(render_report(report()))
    assert parser.open == []


def test_the_page_asks_nothing_of_the_network_and_runs_nothing() -> None:
    page = render_report(report())
    assert "<script" not in page
    assert "@import" not in page
    targets = re.findall(r"(?:src|href)=\"([^\"]*)\"", page) + re.findall(r"url\(([^)]*)\)", page)
    assert all(target.startswith("#") for target in targets), targets


def test_all_text_is_escaped() -> None:
    page = render_report(report())
    assert "<title>Films &amp; &lt;tags&gt;</title>" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "B &amp; C" in page


def test_the_table_marks_the_best_and_gives_the_error() -> None:
    whole = report()
    page = render_report(whole)
    best = whole.entries[1].evaluation
    assert f"<strong>{best.mean('recall@20'):.4f}</strong>" in page
    assert f"±&#8239;{best.standard_error('recall@20'):.4f}" in page
    assert page.count("<strong>") == 3, "one in each column of metrics"
    assert "12.3" in page
    assert "1,234,567" in page


def test_the_data_are_described() -> None:
    page = render_report(report())
    for text in ("12 %", "temporal (valid 0.1, test 0.2)", "train 3,500", "2001-02-03 to 2004-05-06", "6,000 (read) → 5,000 (5 a"):
        assert text in page
    assert "repeats" not in page, "a step that dropped nothing is not worth a word"
    assert "commit abc123 · versions torch 2.6 · seed 0" in page


def test_what_came_true_is_marked() -> None:
    assert '<li class="hit">A</li>' in render_report(report())


def test_a_page_without_training_and_samples() -> None:
    page = render_report(report(entries=[entry("Simple", 0.2)], samples=()))
    assert "What they recommend" not in page
    assert page.count("<figure>") == 3


def test_figures_take_their_colours_from_the_page() -> None:
    svg = figures.comparison(report().entries, ("recall@20",))
    assert "var(--series-1)" in svg
    assert "currentColor" in svg
    assert not re.search("#0[0-3]0[0-3]0[0-9a-f]", svg), "a placeholder was left"


def test_figures_are_the_same_from_run_to_run() -> None:
    assert render_report(report()) == render_report(report())


def test_many_models_share_the_colours_by_turns() -> None:
    assert render_report(report(entries=[entry(f"Model {i}", 0.1 + 0.05 * i) for i in range(11)])).count("<tr>") == 12


def test_quarters_keep_users_of_equal_length_together() -> None:
    labels, members = figures.quarters(np.arange(1, 9))
    assert labels == ["1–2", "3–4", "5–6", "7–8"]
    assert [int(member.sum()) for member in members] == [2, 2, 2, 2]
    labels, members = figures.quarters(np.array([5, 5, 5, 5, 5, 9]))
    assert labels == ["5", "9"]
    assert figures.quarters(np.array([3]))[0] == ["3"]


@pytest.mark.parametrize(("metric", "head"), [("recall@20", "R@20"), ("ndcg@5", "N@5"), ("map@10", "map@10")])
def test_short_names(metric: str, head: str) -> None:
    assert short(metric) == head


def test_splits_and_times_in_words() -> None:
    assert describe_split({"strategy": "published"}) == "published"
    assert describe_time({"kind": None}) == "none"
    assert describe_time({"kind": "order"}) == "order within each user only"


def test_matplotlib_is_only_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r'pip install "recodiff\[report\]"'):
        write_report(tmp_path / "report.html", report())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", report())
    before = (tmp_path / "report.html").read_text()

    def full(self: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(tmp_path / "report.html", report(title="New"))
    assert (tmp_path / "report.html").read_text() == before
    assert len(list(tmp_path.iterdir())) == 1
