"""Published figures stand beside ours only on the data they belong to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recodiff import load_dataset
from recodiff.experiments.reproduce.published import beside, not_comparable, recognise


def test_a_name_alone_is_not_enough(release: Path) -> None:
    data = load_dataset(release)
    assert data.name == "ml-1m_clean"
    assert recognise(data) is None
    assert beside("table2", data) is None
    said = not_comparable("table2", data)
    assert said.startswith("The published figures are for Amazon-book, clean; Yelp, clean; ML-1M, clean, and are not comparable")
    assert "here are 40 users in place of 5,949" in said
    assert "shown on ml-1m_clean" in said


@pytest.mark.usefixtures("as_published")
def test_name_sizes_and_split_together_are(release: Path) -> None:
    data = load_dataset(release)
    found = recognise(data)
    assert found is not None
    assert found.title == "ML-1M, clean"
    assert beside("table2", data) is not None
    assert not_comparable("table2", data) == ""
    assert beside("table7", data) is None, "the paper has no such figures for it"
    renamed = replace(data, info=data.info | {"name": "mine"})
    assert recognise(renamed) is None
    assert "shown on mine." in not_comparable("table2", renamed)
    split_anew = replace(data, info=data.info | {"split": {"strategy": "temporal", "valid": 0.1, "test": 0.2}})
    assert recognise(split_anew) is None
    assert "the split 'temporal' in place of the published one" in not_comparable("table2", split_anew)


@pytest.mark.parametrize("name", ["ml-1m_clean", "ml-1m_noisy"])
def test_the_released_files_are_recognised(shared: Path, name: str) -> None:
    found = recognise(load_dataset(shared / name))
    assert found is not None
    assert found.name == name


COMMITTED = Path(__file__).resolve().parents[3] / "benchmarks" / "reproduce"


PAGES = sorted(path.with_suffix(".json") for path in COMMITTED.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_committed_page_is_made_of_the_committed_runs(page: Path) -> None:
    for row in json.loads(page.read_text())["rows"]:
        for run in row["runs"]:
            kept = json.loads((COMMITTED / "runs" / f"{run['key']}.json").read_text())
            assert kept["test"] == run["test"], f"{row['label']}, seed {run['seed']}"
