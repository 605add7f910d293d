"""`recodiff serve` where it cannot begin; what it does once it runs is in `tests/serving/`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from commands import Cli


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--split", "b=0.5"], ("'b' is not served",)),
        (["--split", "b"], ("NAME=SHARE",)),
        (["--shadow", "b"], ("'b' is not served", "add it, as NAME=RUN")),
        (["--store", "nonsense"], ("no URL of a database",)),
        (["--store", "mysql://host/db"], ("needs the package",)),
        (["--table", "clicks"], ("--columns user=NAME,item=NAME,time=NAME",)),
        (["--table", "clicks", "--columns", "user=a"], ("three columns",)),
        (["--token-file", "nowhere"], ("nowhere", "read TOKEN")),
        (["--wait-ms", "-1"], ("wait_ms",)),
        (["--port", "99999"], ("port 99999", "0..65535")),
        (["--device", "abacus"], ("abacus",)),
        (["--host", "no such host"], ("--host and --port",)),
    ],
)
def test_a_mistake_is_one_sentence(
    cli: Cli, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[Any], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    warned = cli("serve", run, *more, "--threads", 1)
    if "--host" in more:
        assert "whoever reaches no such host may read and write histories" in warned.err
        warned = type(warned)(warned.code, warned.out, warned.err.strip().splitlines()[-1])
    warned.refused(*words)


def test_there_must_be_a_model(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli("serve").refused("name a model folder")
    cli("serve", tmp_path / "none").refused("none", "holds no model")
    assert list(tmp_path.iterdir()) == []


def test_what_is_lacking_is_named(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("recodiff.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    cli("serve", run).refused("uvicorn", "pip install 'recodiff[serve]'")
