"""Fetching, with the network played by the test."""

from __future__ import annotations

import hashlib
import io
import subprocess
import urllib.error
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recodiff.data import download, fetch, read_log
from recodiff.errors import DataError

INTER = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n"
ITEM = b"item_id:token\tmovie_title:token_seq\trelease_year:token\n242\tKolya\t1996\n"
GENRES = b"|".join([b"0"] * 19)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


SITE = zipped(
    {"ml-100k/u.data": b"196\t242\t3\t881250949\n", "ml-100k/u.item": b"242|Kolya (1996)||||" + GENRES, "ml-100k/README": b"x"}
)
WHEEL = zipped({f"recbole/dataset_example/ml-100k/ml-100k.{end}": data for end, data in (("inter", INTER), ("item", ITEM))})


class World:
    """What the publisher's site and the installer answer, and how often each was asked."""

    def __init__(self) -> None:
        self.site: bytes | Exception = SITE
        self.wheel: bytes | str = WHEEL
        self.asked: list[str] = []
        self.commands: list[list[str]] = []

    def urlopen(self, url: str, timeout: float) -> io.BytesIO:
        self.asked.append(url)
        assert 0 < timeout <= 30
        if isinstance(self.site, Exception):
            raise self.site
        return io.BytesIO(self.site)

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.asked.append("pip")
        self.commands.append(command)
        if isinstance(self.wheel, str):
            return subprocess.CompletedProcess(command, 1, "", f"noise\nERROR: {self.wheel}\n")
        (Path(command[command.index("--dest") + 1]) / "recbole-1.2.1-py3-none-any.whl").write_bytes(self.wheel)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The known sources with the hashes of the files above."""
    world = World()
    monkeypatch.setattr(download.urllib.request, "urlopen", world.urlopen)
    monkeypatch.setattr(download.subprocess, "run", world.run)
    terms, (site, wheel) = download.KNOWN_DATASETS["ml-100k"]
    site = replace(site, get=partial(download._from_site, "https://publisher/ml-100k.zip", hashlib.md5(SITE).hexdigest()))
    hashes = {f"ml-100k.{end}": hashlib.sha256(data).hexdigest() for end, data in (("inter", INTER), ("item", ITEM))}
    monkeypatch.setitem(download.KNOWN_DATASETS, "ml-100k", (terms, (site, replace(wheel, sha256=hashes))))
    return world


def test_the_publisher_comes_first_and_the_cache_after(world: World, tmp_path: Path) -> None:
    said: list[str] = []
    folder = fetch("ml-100k", cache=tmp_path, say=said.append)
    assert fetch("ml-100k", cache=tmp_path, say=said.append) == folder
    assert fetch("ml-100k", cache=tmp_path, offline=True) == folder
    assert world.asked == ["https://publisher/ml-100k.zip"]
    assert said[0].startswith("ml-100k: fetched from files.grouplens.org. Terms: MovieLens data of GroupLens")
    assert "Harper & Konstan" in said[0]
    assert "no redistribution" in said[0]
    assert said[1].startswith("ml-100k: from the cache, ")
    log = read_log(folder)
    assert log.frame.rows() == [(196, 242, 3, 881250949)]
    assert log.terms is not None
    assert "Source: files.grouplens.org" in log.terms


@pytest.mark.parametrize(
    ("site", "reason"),
    [
        (urllib.error.URLError("Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
        (SITE[:-9], "archive.zip has md5"),
        (b"<html>blocked</html>", "archive.zip has md5"),
    ],
)
def test_the_wheel_steps_in(world: World, tmp_path: Path, site: bytes | Exception, reason: str) -> None:
    world.site = site
    said: list[str] = []
    folder = fetch("ml-100k", cache=tmp_path, say=said.append)
    assert said[0].startswith("ml-100k: fetched from recbole-1.2.1, for files.grouplens.org: ")
    assert reason in said[0]
    log = read_log(folder)
    assert log.items is not None
    assert log.items["title"].to_list() == ["Kolya (1996)"]
    assert log.frame.rows() == [(196, 242, 3, 881250949)]
    assert {"-m", "pip", "download", "--no-deps", "recbole==1.2.1"} <= set(world.commands[0])
    assert [path.name for path in (tmp_path / "ml-100k").iterdir()] == ["recbole-1.2.1"]


def no_such_member(world: World) -> None:
    world.wheel = zipped({"other": b""})


def other_content(world: World) -> None:
    world.wheel = zipped({f"recbole/dataset_example/ml-100k/ml-100k.{end}": b"tampered" for end in ("inter", "item")})


def no_pip(world: World) -> None:
    world.wheel = "No module named pip"


def cut_off(world: World) -> None:
    world.wheel = WHEEL[:-30]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (no_pip, "No module named pip"),
        (cut_off, "zip"),
        (no_such_member, "no item named"),
        (other_content, "ml-100k.inter has sha256"),
    ],
)
def test_when_nothing_answers_both_sources_are_named_and_nothing_is_left(
    world: World, tmp_path: Path, trouble: Callable[[World], None], reason: str
) -> None:
    world.site = urllib.error.URLError("no route")
    trouble(world)
    with pytest.raises(DataError) as caught:
        fetch("ml-100k", cache=tmp_path)
    message = str(caught.value)
    assert message.startswith("ml-100k cannot be fetched (files.grouplens.org: <urlopen error no route>; recbole-1.2.1: ")
    assert reason in message
    assert message.endswith("get its extracted folder by other means and give the path")
    assert list((tmp_path / "ml-100k").iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing_half_there(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "copyfileobj", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("ml-100k", cache=tmp_path)
    assert list((tmp_path / "ml-100k").iterdir()) == []
    assert (fetch("ml-100k", cache=tmp_path) / "u.data").is_file()


def test_offline_and_not_cached(world: World, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ml-100k is not in the cache"):
        fetch("ml-100k", cache=tmp_path, offline=True)
    assert world.asked == []


def test_a_cache_that_cannot_be_written_is_named(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        DataError, match=r"the cache .*file/ml-100k cannot be written \(.*\); name another folder with RECODIFF_CACHE"
    ):
        fetch("ml-100k", cache=tmp_path / "file")
    assert world.asked == []


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data set 'ml-1b' is unknown; choose one of ml-100k"):
        fetch("ml-1b", cache=tmp_path)


def test_the_cache_can_be_moved(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODIFF_CACHE", str(tmp_path / "here"))
    assert fetch("ml-100k").is_relative_to(tmp_path / "here")
    monkeypatch.delenv("RECODIFF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(download.sys, "platform", "linux")
    assert fetch("ml-100k").is_relative_to(tmp_path / "xdg" / "recodiff")


def test_the_real_sources_are_pinned() -> None:
    _, (site, wheel) = download.KNOWN_DATASETS["ml-100k"]
    assert site.get.args == ("https://files.grouplens.org/datasets/movielens/ml-100k.zip", "0e33842e24a9c977be4e0107933c0723")  # type: ignore[attr-defined]
    assert wheel.get.args == ("recbole==1.2.1",)  # type: ignore[attr-defined]
    assert set(wheel.sha256) == set(wheel.members.values())
