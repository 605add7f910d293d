"""`recodiff prepare` says what it took for what before it can be refused, and is short."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import recodiff.data
from commands import Done

Command = Callable[..., Done]
T = 1_387_670_400


def log(folder: Path, text: str, name: str = "log.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def clicks(folder: Path, head: str = "user,item,time", form: str = "{u},{i},{t}", name: str = "log.csv") -> Path:
    """Six users with ten items each."""
    rows = [form.format(u=u, i=(3 * u + 5 * n) % 31, t=T + 86_400 * n + u) for n in range(10) for u in range(6)]
    return log(folder, "\n".join([*([head] if head else []), *rows]) + "\n", name)


def test_roles_and_warnings_come_before_a_refusal_of_the_split(cli: Command, tmp_path: Path) -> None:
    source = log(tmp_path, "user_id,item_id,timestamp\n1,5,1577836800\n1,6,1577923200\n2,6,253402300799\n")
    done = cli("prepare", source, tmp_path / "data")
    told = done.err.splitlines()
    assert done.code == 1
    assert told[2] == "time = column 2 'timestamp', seconds, 2020-01-01 .. 9999-12-31"
    assert told[3] == "4 lines became 3 rows (read as table)"
    assert told[4].startswith("warning: log.csv, line 4: timestamp is the time 9999-12-31")
    assert told[5].startswith("recodiff: the split 'leave-last' leaves the part 'valid' empty")
    assert len(told) == 6


def test_a_place_that_is_taken_is_told_before_anything_is_read(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("mine")
    cli("prepare", tmp_path / "absent.csv", tmp_path / "data").refused("data")


def test_what_is_printed_is_short_and_names_no_licence_of_others(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("of the program in this folder")
    done = cli("prepare", clicks(tmp_path), tmp_path / "data").succeeded()
    assert "LICENSE" not in done.out
    assert len((done.out + done.err).splitlines()) < 20
    assert done.out.splitlines()[0].split() == ["step", "interactions", "users", "items", "dropped"]
    assert "parts        train 42, valid 6, test 12" in done.out
    assert "60 interactions of 6 users and" in done.out
    assert "column 2 'time', seconds" in cli("info", tmp_path / "data").succeeded().out


def test_the_terms_of_what_is_published_are_named(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "LICENSE").write_text("of the data")
    clicks(tmp_path / "log")
    assert "see LICENSE beside the source" in cli("prepare", tmp_path / "log", tmp_path / "data").succeeded().out


def test_a_time_may_be_left_out(cli: Command, tmp_path: Path) -> None:
    source = clicks(tmp_path)
    done = cli("prepare", source, tmp_path / "data", "--time-column", "none").succeeded()
    assert "time = " not in done.err
    assert "random (valid 0.1, test 0.2, seed 0)" in done.out


def test_rows_that_were_dropped_are_counted_where_lines_are(cli: Command, tmp_path: Path) -> None:
    source = clicks(tmp_path)
    source.write_text(source.read_text() + f",7,{T}\n")
    assert "62 lines became 60 rows (read as table, 1 malformed row dropped)" in (
        cli("prepare", source, tmp_path / "data", "--drop-bad-rows").succeeded().err
    )


def test_baskets_of_json_have_a_line_that_can_be_read(cli: Command, tmp_path: Path) -> None:
    form = '{{"user": {u}, "items": [{i}, 40], "time": {t}}}'
    done = cli("prepare", clicks(tmp_path, "", form, "log.jsonl"), tmp_path / "data").succeeded()
    assert "item = column 1 'items', first 0, 0 .. 40" in done.err.splitlines()
    assert "60 lines became 120 rows (read as json)" in done.err


@pytest.mark.parametrize("split", [(), ("--split", "random")])
def test_a_time_that_is_not_read_is_asked_for(cli: Command, tmp_path: Path, split: tuple[str, ...]) -> None:
    source = clicks(tmp_path, "customer_id,article_id,t_dat", "{u},{i},{t}")
    done = cli("prepare", source, tmp_path / "data", *split)
    assert "warning: log.csv: column 't_dat' looks like a time and is not used" in done.err
    assert ("recodiff: " in done.err) is (not split)
    assert done.code == (0 if split else 1)


def test_every_option_that_the_reading_advises_exists(cli: Command) -> None:
    readers = Path(recodiff.data.__file__).parent / "readers"
    texts = [file.read_text("utf-8") for file in readers.glob("*.py")]
    advised = {option for text in texts for option in re.findall(r"--[a-z][a-z-]+", text)} - {"--data"}
    known = cli("prepare", "--help").out
    assert len(advised) > 8
    assert not {option for option in advised if not re.search(rf"{option}\b", known)}


def test_the_same_is_said_within_a_bound(cli: Command, tmp_path: Path) -> None:
    """What was read, what is strange, ties and returns, and what the folder holds."""
    pytest.importorskip("duckdb")
    sources = [
        clicks(tmp_path, "user,item,rating,time", "{u},{i},-1,{t}", "returns.csv"),
        clicks(tmp_path, form="{u},{i},1500000000.5", name="tied.csv"),
        clicks(tmp_path, form="{u},{i},{t}999", name="fine.csv"),
        clicks(tmp_path, "user,item,t_dat", name="moment.csv"),
    ]
    for source in sources:
        without = cli("prepare", source, tmp_path / "data", "--overwrite")
        within = cli("prepare", source, tmp_path / "data", "--overwrite", "--memory", "1GB")
        assert (within.code, within.out, within.err) == (without.code, without.out, without.err)
        assert within.code == (source.name in ("tied.csv", "moment.csv"))
    assert cli("prepare", sources[0], tmp_path / "other", "--memory", "much").err == (
        "recodiff: memory='much' is no size; write it as 2GB or 800MB\n"
    )
