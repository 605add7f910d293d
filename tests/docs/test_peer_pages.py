"""The pages of what other packages mean are those that their data make."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

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


def test_what_surprises_about_a_package_stands_in_both_languages_and_agrees_with_what_was_recorded() -> None:
    table = tomllib.loads((ROOT / "src" / "recodiff" / "evaluation" / "peers.toml").read_text("utf-8"))
    recorded = json.loads((ROOT / "tests" / "evaluation" / "peers" / "figures.json").read_text())
    pages = [(ROOT / page).read_text("utf-8") for page in PAGES[:2]]
    for name, package in table["packages"].items():
        for quirk in package["quirks"]:
            assert quirk["en"] in pages[0]
            assert quirk["zh"] in pages[1]
        said = " ".join(quirk["en"] for quirk in package["quirks"])
        ragged = recorded[name]["figures"].get("handed-ragged", {})
        assert not any(isinstance(value, str) for value in ragged.values()) or "rror" in said, name
        for value in re.findall(r"(\d*\.\d{4}) for `handed-ragged`", said):
            assert any(f"{known:.4f}" == value for known in ragged.values())


def test_scikit_learn_does_what_the_page_says() -> None:
    truth = np.array([[1, 0, 1, 0, 0, 1]])  # the first user of the handed example: a to e are ranked, x is not
    scores = np.array([[5, 4, 3, 2, 1, 0]])
    assert ndcg_score(truth[:, :5], scores[:, :5]) == pytest.approx(0.9197, abs=1e-4)
    assert ndcg_score(truth, scores, k=5) == pytest.approx(0.7039, abs=1e-4)
    assert ndcg_score(np.zeros((1, 6)), scores) == 0
    assert average_precision_score([1, 0, 1, 0, 0, 1], scores[0]) == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
