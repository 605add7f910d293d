"""`recodiff evaluate` of lists that another program wrote, and by the conventions of other packages."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from commands import ITEMS, Cli, call
from recodiff.data.saving import load_dataset
from recodiff.evaluation.peers import peers

HISTORY = ("--history", "train+valid")
METRICS = "recall@5,precision@3,ndcg@5,map@5,mrr@5,hit_rate@5,auc"


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


@pytest.fixture(scope="module")
def ragged(log: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data cut at one moment, so that some users have no test part, and a model of it."""
    here = tmp_path_factory.mktemp("ragged")
    assert call("prepare", log, here / "data", "--split", "temporal-global", "--keep-weights") == 0
    assert call("train", "ease", "--data", here / "data", "--out", here / "run", "--threads", 1) == 0
    without = load_dataset(here / "data").part("test").lengths() == 0
    assert 5 < without.sum() < 50
    return here / "data", here / "run"


@pytest.mark.parametrize("name", peers())
def test_a_model_and_its_lists_have_the_same_figures(cli: Cli, ragged: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    data, run = ragged
    lists = tmp_path / "lists.csv"
    cli("recommend", run, "--data", data, "--parts", "train+valid", "-k", 5, "--out", lists).succeeded()
    asked = ("--data", data, *HISTORY, "--like", name, "--metrics", METRICS, "--json")
    of_model = json.loads(cli("evaluate", run, *asked).succeeded().out)
    of_lists = json.loads(cli("evaluate", "--lists", lists, *asked).succeeded().out)
    assert of_model.pop("notes", []) == [note for note in of_lists.pop("notes", []) if "whole ranking" not in note]
    rankings = {figure.name for figure in peers()[name].figures if figure.formula.cut == "ranking"}
    assert set(of_lists) == set(of_model) - rankings
    assert of_lists == pytest.approx({figure: of_model[figure] for figure in of_lists})


@pytest.mark.parametrize("name", ["cornac", "lightfm"])
def test_whole_rankings_are_made_of_the_models_scores(cli: Cli, ragged: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    data, run = ragged
    lists = tmp_path / "lists.csv"
    cli("recommend", run, "--data", data, "--parts", "train+valid", "-k", ITEMS, "--out", lists).succeeded()
    asked = ("--data", data, *HISTORY, "--like", name, "--metrics", METRICS, "--json")
    of_model = json.loads(cli("evaluate", run, *asked).succeeded().out)
    assert any(figure in of_model for figure in ("AUC", "auc_score"))
    assert json.loads(cli("evaluate", "--lists", lists, *asked).succeeded().out) == pytest.approx(of_model)


def test_a_whole_ranking_is_made_for_a_model_alone(cli: Cli, data: Path, run: Path, lists: Path) -> None:
    whole = cli("evaluate", run, "--data", data, "--like", "cornac", "--metrics", "recall@5,map@5", "--json").succeeded()
    ours = cli("evaluate", run, "--data", data, "--metrics", "map_ranking", "--json").succeeded()
    assert json.loads(whole.out)["MAP"] == pytest.approx(json.loads(ours.out)["map_ranking"])
    short = cli("evaluate", "--lists", lists, "--data", data, "--like", "cornac", "--metrics", "map@5", "--json").succeeded()
    assert json.loads(short.out) == {"notes": ["MAP needs a whole ranking, and these lists end after 5 items"]}
    assert "MAP needs a whole ranking" in " ".join(short.err.split())


def test_what_a_package_answers_by_an_error_is_told(cli: Cli, ragged: tuple[Path, Path]) -> None:
    data, run = ragged
    done = cli("evaluate", run, "--data", data, "--like", "lenskit", "--metrics", "map@5", "--json").succeeded()
    (note,) = json.loads(done.out)["notes"]
    assert note.startswith("lenskit itself gives no AveragePrecision of these lists but an error, since ")
    assert note in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenskit", "have no list; lenskit leaves them out"),
        ("spark", "have no list; spark counts them as 0"),
        ("microsoft", "microsoft leaves them out in recall_at_k, counts them as 0 in ndcg_at_k"),
        (None, "have no list; they count as 0"),
    ],
)
def test_users_without_a_list_are_treated_as_is_said(
    cli: Cli, data: Path, lists: Path, tmp_path: Path, name: str | None, words: str
) -> None:
    frame = pl.read_csv(lists)
    odd = tmp_path / "odd.csv"
    frame.filter(pl.col("user") != frame["user"][0]).write_csv(odd)
    asked = ("--data", data, *HISTORY, "--metrics", "recall@5,ndcg@5", *(("--like", name) if name else ()))
    assert words in " ".join(cli("evaluate", "--lists", odd, *asked).succeeded().err.split())


def test_mistakes_are_refused(cli: Cli, data: Path, run: Path, lists: Path) -> None:
    cli("evaluate", run, "--data", data, "--like", "surprise").refused("no package 'surprise'", "rectools")
    cli("evaluate", run, "--data", data, "--lists", lists).refused("--lists FILE", "not both")
    cli("evaluate", "--data", data).refused("--lists FILE")
    cli("evaluate", "--lists", lists, "--data", data, "--metrics", "auc").refused("auc needs every item to be found")
    cli("evaluate", "--lists", data / "none.csv", "--data", data).refused("none.csv")


def test_the_help_names_every_package(cli: Cli) -> None:
    said = " ".join(cli("evaluate", "--help").out.replace("│", " ").split())
    assert all(name in said for name in peers())
