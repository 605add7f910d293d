"""`recodiff evaluate` of lists that another program wrote, and by the conventions of other packages."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from commands import Cli
from recodiff.evaluation.peers import peers

HISTORY = ("--history", "train+valid")


@pytest.fixture
def lists(cli: Cli, data: Path, run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "lists.csv"
    cli("recommend", run, "--data", data, "--parts", "train+valid", "-k", 5, "--out", path).succeeded()
    return path


def test_lists_are_worth_what_their_model_is(cli: Cli, data: Path, run: Path, lists: Path) -> None:
    asked = ("--data", data, *HISTORY, "--metrics", "recall@5,ndcg@3,coverage@5", "--json")
    of_model = json.loads(cli("evaluate", run, *asked).succeeded().out)
    of_lists = json.loads(cli("evaluate", "--lists", lists, *asked).succeeded().out)
    assert of_lists == pytest.approx(of_model)


def test_what_is_odd_about_lists_is_said(cli: Cli, data: Path, lists: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(lists)
    odd = tmp_path / "odd.csv"
    pl.concat([frame.filter(pl.col("user") != frame["user"][0]), frame.tail(1)]).drop("score").write_csv(odd)
    done = cli("evaluate", "--lists", odd, "--data", data, *HISTORY, "--metrics", "recall@9").succeeded()
    said = " ".join(done.err.split())
    assert "1 rows repeat an item" in said
    assert "have no list; they count as 0" in said
    assert "lists hold fewer than 9 items" in said


def test_a_package_s_figures_stand_under_its_names(cli: Cli, data: Path, run: Path, lists: Path) -> None:
    asked = ("--data", data, *HISTORY, "--metrics", "ndcg@5,recall@5")
    theirs = json.loads(cli("evaluate", run, *asked, "--like", "rectools", "--json").succeeded().out)
    ours = json.loads(cli("evaluate", run, *asked, "--json").succeeded().out)
    assert set(theirs) == {"Recall@5", "Precision, r_precision=True@5", "NDCG@5", "NDCG, divide_by_achievable=True@5"}
    assert theirs["Recall@5"] == pytest.approx(ours["recall@5"])
    assert theirs["NDCG, divide_by_achievable=True@5"] == pytest.approx(ours["ndcg@5"])
    assert theirs["NDCG@5"] < ours["ndcg@5"]
    assert json.loads(cli("evaluate", "--lists", lists, *asked, "--like", "rectools", "--json").succeeded().out) == pytest.approx(
        theirs
    )


def test_a_whole_ranking_is_made_where_it_is_asked_for(cli: Cli, data: Path, run: Path) -> None:
    short = cli("evaluate", run, "--data", data, "--like", "cornac", "--metrics", "recall@5,map@5").succeeded()
    assert "MAP needs a whole ranking" in " ".join(short.err.split())
    whole = cli("evaluate", run, "--data", data, "--like", "cornac", "--metrics", "map_ranking", "--json").succeeded()
    ours = cli("evaluate", run, "--data", data, "--metrics", "map_ranking", "--json").succeeded()
    assert json.loads(whole.out)["MAP"] == pytest.approx(json.loads(ours.out)["map_ranking"])


def test_mistakes_are_refused(cli: Cli, data: Path, run: Path, lists: Path) -> None:
    cli("evaluate", run, "--data", data, "--like", "surprise").refused("no package 'surprise'", "rectools")
    cli("evaluate", run, "--data", data, "--lists", lists).refused("--lists FILE", "not both")
    cli("evaluate", "--data", data).refused("--lists FILE")
    cli("evaluate", "--lists", lists, "--data", data, "--metrics", "auc").refused("auc needs every item to be found")
    cli("evaluate", "--lists", data / "none.csv", "--data", data).refused("none.csv")


def test_the_help_names_every_package(cli: Cli) -> None:
    said = " ".join(cli("evaluate", "--help").out.replace("│", " ").split())
    assert all(name in said for name in peers())
