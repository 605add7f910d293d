"""`recodiff reproduce` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from commands import Cli
from lab import plan_of, tiny
from recodiff.experiments.reproduce import catalogue, experiment
from recodiff.training import loop

Interrupted = Callable[[loop._Loop, Tensor], Any]


@pytest.fixture(autouse=True)
def tiny_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table 5 trains in a moment."""
    cases = tiny("x0"), tiny("eps", more={"diffusion": {"prediction": "eps"}}), tiny("new", "not-yet")
    monkeypatch.setitem(catalogue.EXPERIMENTS, "table5", plan_of(*cases, paired=True))


def test_a_table_is_printed_and_written(cli: Cli, data: Path, tmp_path: Path) -> None:
    done = cli("reproduce", "table5", "--data", data, "--out", tmp_path / "r", "--seeds", 2, "--threads", 1).succeeded()
    title, heads, *rows = done.out.splitlines()
    assert title.strip() == "Table 5, a test, on films"
    assert heads.split()[:5] == ["case", "R@10", "R@20", "N@10", "N@20"]
    assert "published" not in heads
    assert [row.count("±") for row in rows] == [5, 5, 0]
    assert "The published figures are for ML-1M, clean, and are not comparable; shown on films." in done.err
    assert "1/4 case x0, seed 1" in done.err
    assert "case new: not in this library yet" in done.err
    for name in ("table5.md", "table5.json"):
        assert (tmp_path / "r" / name).exists()
        assert str(tmp_path / "r" / name) in done.err


def test_json_is_what_the_file_holds(cli: Cli, data: Path, tmp_path: Path) -> None:
    done = cli("reproduce", "table5", "--data", data, "--out", tmp_path / "r", "--quick", "--json").succeeded()
    assert json.loads(done.out) == json.loads((tmp_path / "r" / "table5.json").read_text())
    assert json.loads(done.out)["cap"] == experiment.QUICK_EPOCHS


def test_an_interrupted_command_says_how_to_go_on(cli: Cli, data: Path, tmp_path: Path, interrupted: None) -> None:
    command = ("reproduce", "table5", "--data", data, "--out", tmp_path / "r", "--seeds", 1)
    done = cli(*command)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "recodiff: interrupted; the same command goes on from here"
    assert (tmp_path / "r" / "runs").exists()
    cli(*command).succeeded()


def test_mistakes_are_told_in_one_sentence(cli: Cli, data: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "r")
    cli("reproduce", "table9", "--data", data, *out).refused("'table9'", "choose one of table2", "figure7")
    cli("reproduce", "table5", "--data", tmp_path / "nowhere", *out).refused("nowhere does not exist")
    cli("reproduce", "table5", "--data", data, *out, "--seeds", 0).refused("seeds = 0", "give 1 to 10000")
    cli("reproduce", "table5", "--data", data, *out, "--seeds", "two").refused("two", "whole number")
    cli("reproduce", "table5", "--data", data, *out, "--minutes", -1).refused("minutes = -1")
    cli("reproduce", "--data", data, *out).refused("NAME", "recodiff reproduce --help")
    assert not (tmp_path / "r").exists()


def test_help_has_an_example_and_the_names(cli: Cli) -> None:
    text = " ".join(cli("reproduce", "--help").succeeded().out.split())
    assert "Example: recodiff reproduce table5 --data ml-1m_clean --out reproduced --quick" in text
    assert all(name in text for name in catalogue.EXPERIMENTS)
