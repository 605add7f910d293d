"""The tutorials run as they stand, in every language, and show what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from shown import Page, fits

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIALS = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("zh/tutorials/*.md")])


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_a_tutorial_shows_what_comes_out(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    page = Page(path.read_text("utf-8")).run()
    assert not page.wrong, f"python tests/shown.py {path} mends the page\n\n" + "\n\n".join(page.wrong)


def test_what_is_shown_and_did_not_come_out_is_noticed() -> None:
    printed = ["wrote data", "users   288", "recall@20 0.3649"]
    assert fits(printed, printed)
    assert fits(["...", "recall@20  0.3651"], printed)
    assert not fits(["...", "recall@20  0.4649"], printed)
    assert not fits(["wrote data", "users 287", "..."], printed)
    assert not fits(printed[:2], printed)
    assert not fits([*printed, "more"], printed)
