"""The tour, on a tiny log in place of MovieLens-100K."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Cli, write_log
from recodiff.errors import DataError
from recodiff.experiments import demo as tour

ITEMS = [*tour.TYPED, *range(1, 28)]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fetch` gives the tiny log instead."""
    folder = write_log(tmp_path / "fetched", ITEMS)

    def fetch(name: str, *, say: Callable[[str], None]) -> Path:
        say(f"{name}: from a test; terms: none")
        return folder

    monkeypatch.setattr(tour, "fetch", fetch)


def test_the_demo_does_what_it_says(cli: Cli, fetched: None, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = cli("demo", "--out", out, "--threads", 1).succeeded()
    assert "ml-100k: from a test; terms: none" in done.err
    names = ("Popularity", "EASE", "DiffRec", "T-DiffRec", "F-DiffRec")
    table = done.out.split("rank", 1)[0].splitlines()
    assert [line.split()[0] for line in table] == ["model", *names]
    assert all(line.count("±") == 4 for line in table[1:])
    assert done.out.count("\n  10  ") == 2, "two lists of ten"
    results = json.loads((out / "results.json").read_text())
    assert list(results["models"]) == ["popularity", "ease", "diffrec", "t-diffrec", "f-diffrec"]
    assert results["models"]["ease"]["recall@20"] > results["models"]["ease"]["recall@20 standard error"] > 0
    page = (out / "report.html").read_text()
    assert all(f"<h4>{name}</h4>" in page for name in names)

    promised = [line.split("#")[0].split() for line in done.err.splitlines() if line.startswith("  recodiff ")]
    for _, command, *rest in promised:
        if command in ("recommend", "similar", "info"):
            assert cli(command, *rest).succeeded().out, command


def test_the_demo_loses_no_earlier_one(cli: Cli, fetched: None, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / "results.json").write_text("{}")
    cli("demo", "--out", out).refused("earlier demo", "--overwrite")
    assert (out / "results.json").read_text() == "{}"


def test_the_demo_without_matplotlib_does_all_else(
    cli: Cli, fetched: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = cli("demo", "--out", tmp_path / "demo", "--threads", 1).succeeded()
    assert 'pip install "recodiff[report]"' in done.err
    assert (tmp_path / "demo" / "results.json").exists()
    assert not (tmp_path / "demo" / "report.html").exists()


def test_the_demo_without_data_says_so(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, *, say: Callable[[str], None]) -> Path:
        raise DataError(f"{name} cannot be fetched (no network); get the extracted folder by other means and give its path")

    monkeypatch.setattr(tour, "fetch", fetch)
    done = cli("demo", "--out", tmp_path / "demo")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("recodiff: ml-100k cannot be fetched")


def test_the_known_user_has_a_usual_history_and_something_to_find(cli: Cli, data: Path) -> None:
    from recodiff import load_dataset

    dataset = load_dataset(data)
    user = tour.typical_user(dataset)
    assert dataset.part("test").lengths()[user] > 0
