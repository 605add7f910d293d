"""The pages of what other packages mean are those that their data make."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["docs/explanation/metrics.md", "docs/zh/explanation/metrics.md", "docs/explanation/splitters.md"]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peer_pages", ROOT / "benchmarks" / "peers" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_up_to_date(maker: ModuleType, page: str) -> None:
    assert (ROOT / page).read_text("utf-8") == maker.pages()[page], "run python benchmarks/peers/pages.py"


def test_every_figure_is_ours_or_says_why_not(maker: ModuleType) -> None:
    for page in PAGES[:2]:
        every = (ROOT / page).read_text("utf-8").partition("### ")[2]
        rows = re.findall(r"^\| (`.*?`) \| (.*?) \| .+ \| (?:\d|-)", every, flags=re.M)
        assert len(rows) == sum(len(peer.figures) for peer in maker.peers().values())
        assert all(same.strip() for _, same in rows)
