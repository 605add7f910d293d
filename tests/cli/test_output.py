"""What stands on the terminal, in a file, and in other programs' hands."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from recodiff.cli.output import Estimate, print_json, print_table, say, write_frame
from recodiff.errors import ConfigError

HEADERS = ("model", "R@10", "R@20", "parameters")
ROWS = [("Simple", Estimate(0.1, 0.01), Estimate(0.25, 0.02), "1,000"), ("Deep", Estimate(0.2, 0.01), None, "20,000")]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("COLUMNS", str(request.param))


def test_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(HEADERS, ROWS, title="Two [models]", right=("parameters",))
    assert printed(capsys) == [
        "Two [models]",
        "model             R@10            R@20  parameters",
        "Simple  0.1000 ±0.0100  0.2500 ±0.0200       1,000",
        "Deep    0.2000 ±0.0100               -      20,000",
    ]


@pytest.mark.parametrize("columns", [40], indirect=True)
def test_errors_stand_below_where_there_is_little_room(columns: None, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADERS, ROWS, right=("parameters",))
    assert printed(capsys)[:3] == [
        "model      R@10     R@20  parameters",
        "Simple   0.1000   0.2500       1,000",
        "        ±0.0100  ±0.0200",
    ]


@pytest.mark.parametrize("columns", [30], indirect=True)
def test_rows_become_columns_where_there_is_less(columns: None, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADERS, ROWS, right=("parameters",))
    lines = printed(capsys)
    assert lines[0].split() == ["model", "Simple", "Deep"]
    assert [line.split()[0] for line in lines[1:]] == ["R@10", "±0.0100", "R@20", "±0.0200", "parameters"]


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(("title",), [("[bold]Heat[/bold] :fire: \\ <b>",)])
    assert printed(capsys)[1] == "[bold]Heat[/bold] :fire: \\ <b>"
    say("[red] :fire: " + "long " * 40)
    assert capsys.readouterr().err.count("\n") == 1


def test_json_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"title": "Amélie"})
    text = capsys.readouterr().out
    assert "Amélie" in text
    assert json.loads(text) == {"title": "Amélie"}


def test_frames_come_back_as_they_were(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["007"], "score": [0.5]})
    for ending, read in ((".parquet", pl.read_parquet), (".jsonl", pl.read_ndjson)):
        write_frame(frame, tmp_path / f"f{ending}", overwrite=False)
        assert read(tmp_path / f"f{ending}").equals(frame)
    with pytest.raises(ConfigError, match="endings"):
        write_frame(frame, tmp_path / "f.feather", overwrite=False)
