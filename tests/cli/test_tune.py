"""`recodiff tune`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Cli
from recodiff.models.linear.ease import Ease


@pytest.fixture
def few(tmp_path: Path) -> Path:
    path = tmp_path / "few.toml"
    path.write_text('"training.lr" = { low = 1e-4, high = 1e-1, log = true }\n"denoiser.hidden" = { choices = [[4], [8, 8]] }\n')
    return path


def test_tune_prints_what_it_found_and_the_command_to_train_it(cli: Cli, data: Path, tiny: Path, few: Path, tmp_path: Path) -> None:
    out = tmp_path / "t"
    arguments = ("tune", tiny, "--data", data, "--out", out, "--space", few, "--trials", 3, "--seed", 4, "--threads", 1)
    shown = cli(*arguments).succeeded()
    assert [line.split()[0] for line in shown.out.splitlines()] == ["setting", "training.lr", "denoiser.hidden"]
    assert "3 trials (3 complete)" in shown.err
    told = json.loads(cli(*arguments, "--json").succeeded().out)
    assert told["trials"] == {"complete": 3}
    assert told["value"] >= told["start"]

    _, promised = shown.err.split("train it: recodiff ")
    command = promised.split()
    assert command[-2:] == ["--seed", "4"]
    command[command.index("--out") + 1] = str(tmp_path / "m")
    figures = json.loads(cli(*command, "--threads", 1, "--json").succeeded().out)
    assert figures["recall@20"] == told["value"]


def test_tune_refits_at_once(cli: Cli, data: Path, tmp_path: Path) -> None:
    arguments = ("tune", "ease", "--data", data, "--out", tmp_path / "t", "--trials", 2, "--recency", "--refit")
    assert "trained on train and valid" in cli(*arguments).succeeded().err
    assert json.loads((tmp_path / "t" / "model" / "config.json").read_text())["info"]["refit"] is True
    assert cli("evaluate", tmp_path / "t" / "model", "--data", data, "--json").succeeded().err == "", "it knows its data"
    cli(*arguments).succeeded()


def test_what_is_set_is_held(cli: Cli, data: Path, tiny: Path, few: Path, tmp_path: Path) -> None:
    held = ("--set", "denoiser.hidden=[5]", "--set", "training.epochs=2")
    told = json.loads(
        cli("tune", tiny, "--data", data, "--out", tmp_path / "t", "--space", few, "--trials", 2, *held, "--json").succeeded().out
    )
    assert set(told["settings"]) == {"training.lr"}
    assert "hidden = [5]" in (tmp_path / "t" / "best.toml").read_text()


def test_an_interrupted_search_says_how_to_go_on(cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ease, "_fit", stop)
    found = cli("tune", "ease", "--data", data, "--out", tmp_path / "t", "--trials", 2)
    assert found.refused("interrupted", "the same command goes on").code == 130


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ease", "--trials", 0), ("trials = 0", "above 0")),
        (("ease", "--trials", 1.5), ("1.5", "whole number")),
        (("ease", "--seconds", 0), ("seconds = 0", "above 0")),
        (("eas",), ("eas", "did you mean 'ease'")),
        (("popularity",), ("popularity", "--recency")),
        (("ease", "--space", "none.toml"), ("none.toml", "is missing")),
        (("ease", "--space", "FEW"), ("search space of 'ease'", "unknown setting 'training'")),
        (("ease", "--set", "l2=5"), ("nothing is left to search",)),
        (("ease", "--set", "l2=-5"), ("l2", "-5")),
    ],
)
def test_mistakes_are_named(
    cli: Cli, data: Path, few: Path, tmp_path: Path, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    typed = [few if word == "FEW" else word for word in arguments]
    cli("tune", *typed, "--data", data, "--out", tmp_path / "t").refused(*words)
    assert not (tmp_path / "t").exists()


def test_a_run_folder_is_no_place_for_a_study(cli: Cli, data: Path, run: Path) -> None:
    cli("tune", "ease", "--data", data, "--out", run).refused(str(run), "something else")


def test_a_place_that_cannot_be_written(cli: Cli, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    cli("tune", "ease", "--data", data, "--out", tmp_path / "file" / "below").refused(str(tmp_path / "file"))
