"""Catalogues of a few items: lengths fit by themselves, and a metric that cannot tell methods apart decides nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Cli
from recodiff.data import prepare, read_log
from recodiff.evaluation.cutoffs import candidates, note, reaching, shorter
from recodiff.evaluation.protocol import stages

HOUR = 3600


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen items, histories of seven or eight in train: some eight items are left to each user."""
    folder = tmp_path_factory.mktemp("few")
    rows = [(f"u{u}", f"i{(u + n * (1 + u % 3)) % 15}", 1_600_000_000 + HOUR * (31 * n + u)) for u in range(30) for n in range(10)]
    (folder / "log.csv").write_text("user,item,time\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    prepare(read_log(folder / "log.csv"), folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def run(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from recodiff import train

    train("ease", few, out=tmp_path_factory.mktemp("run") / "ease", progress=False)
    return next(tmp_path_factory.getbasetemp().glob("run*/ease"))


def test_metrics_that_reach_the_candidates_are_found(few: Path) -> None:
    from recodiff import load_dataset

    task = stages(load_dataset(few)).valid
    assert 5 <= candidates(task) < 10
    assert reaching(task, ["recall@20", "ndcg@10", "recall@3", "coverage@20", "auc"]) == ["recall@20", "ndcg@10"]
    assert shorter("recall@20", candidates(task)) == "recall@3"
    assert shorter("ndcg@20", 2) == "ndcg@1"
    assert "recall@20" in (note(task, ["recall@20"]) or "")
    assert note(task, ["recall@3"]) is None


def test_evaluate_tells_of_lists_that_hold_everything(cli: Cli, few: Path, run: Path) -> None:
    done = cli("evaluate", run, "--data", few, "--metrics", "recall@500,recall@2").succeeded()
    assert "warning: recall@500: lists so long hold all" in done.err
    assert "such as recall@2" in done.err or "such as recall@3" in done.err
    assert "lists so long" not in cli("evaluate", run, "--data", few, "--metrics", "recall@2").succeeded().err


def test_lists_of_the_usual_length_fit_the_catalogue(cli: Cli, tmp_path: Path) -> None:
    rows = [(u, (u + n) % 6, 1_600_000_000 + HOUR * n) for u in range(9) for n in range(4)]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    cli("prepare", tmp_path / "log.csv", tmp_path / "data").succeeded()
    cli("train", "mf", "--set", "training.epochs=2", "--data", tmp_path / "data", "--out", tmp_path / "run").succeeded()
    cli("recommend", tmp_path / "run", "--history", 1, 2, "--include-seen").succeeded()
    cli("similar", tmp_path / "run", 1).succeeded()
    cli("recommend", tmp_path / "run", "--history", 1, "-k", 10).refused("1..6")


def test_training_stops_by_a_length_that_fits_and_refuses_one_that_does_not(cli: Cli, few: Path, tmp_path: Path) -> None:
    done = cli("train", "diffrec", "--data", few, "--out", tmp_path / "run", "--set", "training.epochs=6").succeeded()
    assert "early stopping goes by recall@3: lists of recall@20 hold all" in done.err
    assert cli("info", tmp_path / "run").succeeded().out.count("recall@3")
    cli("train", "diffrec", "--data", few, "--out", tmp_path / "other", "--set", "training.metric=recall@20").refused(
        "'recall@20' cannot choose", "--set training.metric=recall@3"
    )


def test_studies_and_comparisons_say_so(cli: Cli, few: Path, tmp_path: Path) -> None:
    done = cli("tune", "ease", "--data", few, "--out", tmp_path / "study", "--trials", 1).succeeded()
    assert "trials are judged by recall@3" in done.err
    done = cli("compare", "popularity", "ease", "--data", few, "--out", tmp_path / "compared").succeeded()
    assert "recall@10, recall@20" in done.err
    assert "lists so long hold all" in (tmp_path / "compared" / "compare.md").read_text()
