"""`recodiff refresh`, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl

from commands import Cli, call


def test_it_shows_old_and_new_and_what_it_did(cli: Cli, log: Path, data: Path, tmp_path: Path) -> None:
    rows = pl.read_csv(log / "ratings.csv").sort("timestamp")
    rows.head(int(rows.height * 0.8)).write_csv(tmp_path / "older.csv")
    assert call("prepare", tmp_path / "older.csv", tmp_path / "older", "--min-rating", 4) == 0
    assert call("train", "ease", "--data", tmp_path / "older", "--out", tmp_path / "m", "--device", "cpu") == 0
    shutil.copytree(tmp_path / "m", tmp_path / "n")
    shown = cli("refresh", tmp_path / "m", "--data", data, "--promote-if", "always").succeeded()
    assert [line.split()[0] for line in shown.out.splitlines()] == ["figure", "recall@20", "ndcg@20"]
    assert "it takes the place of the old one" in shown.err
    told = json.loads(cli("refresh", tmp_path / "n", "--data", data, "--promote-if", "always", "--json").succeeded().out)
    assert told["promoted"] is True
    assert {"new items", "of new items", "interactions to be found"} <= set(told["counts"])
    assert "nothing to do" in cli("refresh", tmp_path / "n", "--data", data).succeeded().err


def test_mistakes_are_named(cli: Cli, data: Path, run: Path, tmp_path: Path) -> None:
    cli("refresh", tmp_path, "--data", data).refused("holds no model")
    cli("refresh", run, "--data", tmp_path).refused(str(tmp_path))
    cli("refresh", run, "--data", data, "--promote-if", "sometimes").refused("sometimes")
