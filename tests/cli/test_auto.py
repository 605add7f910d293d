"""`recodiff auto`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Cli
from recodiff.experiments import auto as module


@pytest.fixture(autouse=True)
def few_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITH_TIME", ("popularity", "ease"))
    monkeypatch.setattr(module, "MOST_TRIALS", 2)


def test_it_says_what_it_understood_what_is_best_and_what_comes_next(cli: Cli, log: Path, tmp_path: Path) -> None:
    arguments = ("auto", log / "ratings.csv", "--out", tmp_path / "m", "--minutes", 1, "--min-rating", 4, "--threads", 1)
    found = cli(*arguments).succeeded()
    for words in ("user = column 0 'userId'", "is best by validation", "trained on everything", "recodiff serve"):
        assert words in found.err
    assert "Differences to" in found.out
    _, command = found.err.split("recodiff recommend ")
    assert cli("recommend", *command.split("#")[0].split()).succeeded().out
    told = json.loads(cli(*arguments, "--json").succeeded().out)
    assert told["best"] in told["recall@20"]
    assert set(told["recall@20"]) == {"popularity", "ease"}


@pytest.mark.parametrize(
    ("more", "words"),
    [(("--minutes", 0), "minutes = 0"), (("--table", "clicks"), "no database"), (("--user-column", "uid"), "uid")],
)
def test_mistakes_are_named(cli: Cli, log: Path, tmp_path: Path, more: tuple[object, ...], words: str) -> None:
    cli("auto", log / "ratings.csv", "--out", tmp_path / "m", *more).refused(words)


def test_interrupted_it_says_how_to_go_on(cli: Cli, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recodiff.models.linear.ease import Ease

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ease, "_fit", stop)
    found = cli("auto", log / "ratings.csv", "--out", tmp_path / "m", "--minutes", 1)
    assert found.code == 130
    assert "interrupted; the same command goes on from here" in found.err
