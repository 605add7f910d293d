"""The one border that every named file passes: what is no file is refused at once, and contents decide what a file is."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recodiff import build
from recodiff.configs import read_settings
from recodiff.data import read_log
from recodiff.data.interactions import IdMap
from recodiff.data.readers import contents, packed
from recodiff.data.readers.formats import read_items
from recodiff.data.readers.id_files import read_ids
from recodiff.errors import ConfigError, DataError, RecodiffError
from recodiff.evaluation.given_lists import read_lists
from recodiff.evaluation.item_facts import load_embeddings
from recodiff.experiments.tuning.spaces import read_space

ROWS = [(f"u{n % 6}", f"i{n % 7}", 1_388_534_400 + 3600 * n) for n in range(42)]
CSV = "user,item,time\n" + "".join(f"{user},{item},{time}\n" for user, item, time in ROWS)
USERS, ITEMS = IdMap([f"u{n}" for n in range(6)]), IdMap([f"i{n}" for n in range(7)])
READERS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "log": (read_log, ["x", "x.csv", "x.txt", "x.tsv", "x.parquet", "x.pq", "x.jsonl", "x.json.gz", "x.inter", "u.data", "x.zip"]),
    "items": (lambda path: read_items(path, ITEMS.ids), ["x.csv", "x.parquet", "u.item", "x.json", "x.item"]),
    "ids": (lambda path: read_ids(path, USERS, "user"), ["x", "x.csv", "x.tsv", "x.parquet"]),
    "lists": (lambda path: read_lists(path, USERS, ITEMS), ["x", "x.csv", "x.tsv", "x.parquet"]),
    "settings": (read_settings, ["x", "x.toml"]),
    "space": (read_space, ["x.toml"]),
}
EVERY = [(kind, name) for kind, (_, names) in READERS.items() for name in names]


class Waits(BaseException):
    """It waits, and nothing that is written for errors of files may take this for one."""


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Nothing here waits: a test that does ends with an alarm."""

    def end(*_: object) -> None:
        raise Waits

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("what", ["pipe", "device"])
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, name: str, what: str) -> None:
    if what == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(RecodiffError, match=f"'.*/{name}' is no file; .") as caught:
        READERS[kind][0](tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), [one for one in EVERY if one[0] != "log" and one[1] != "x"])
def test_folders_and_what_is_not_there_get_a_sentence_that_names_them(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / name, tmp_path / "folder" / name):
        if place.parent != tmp_path:
            place.mkdir()
        with pytest.raises(RecodiffError, match=rf"'.*{name}'") as caught:
            READERS[kind][0](place)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["TERMS.txt", "items.csv"])
def test_a_pipe_beside_a_log_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    os.mkfifo(tmp_path / name)
    if name == "TERMS.txt":
        assert read_log(tmp_path / "log.csv").terms is None
    else:
        with pytest.raises(DataError, match="is no file"):
            read_log(tmp_path / "log.csv")


def test_terms_that_are_not_utf8_do_not_end_the_reading(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "TERMS.txt").write_bytes("Universität".encode("latin-1"))
    assert (read_log(tmp_path / "log.csv").terms or "").startswith("Universit")


def test_compressed_content_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(CSV)
    (tmp_path / "packed.csv").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "packed.dat").write_bytes(gzip.compress("".join(f"{u}::{i}::4::{t}\n" for u, i, t in ROWS).encode()))
    (tmp_path / "packed.jsonl").write_bytes(
        gzip.compress(b"".join(b'{"user": "%s", "item": "%s"}\n' % (u.encode(), i.encode()) for u, i, _ in ROWS))
    )
    (tmp_path / "unpacked.csv.gz").write_text(CSV)
    (tmp_path / "lists.csv").write_bytes(gzip.compress(b"user,item,rank\nu1,i1,1\n"))
    (tmp_path / "ids.csv").write_bytes(gzip.compress(b"user\nu1\n"))
    (tmp_path / "titles.csv").write_bytes(gzip.compress(b"item,title\ni1,One\n"))
    expected = read_log(tmp_path / "plain.csv").frame
    assert read_log(tmp_path / "packed.csv").frame.equals(expected)
    assert read_log(tmp_path / "unpacked.csv.gz").frame.equals(expected), "as a browser leaves it"
    for name in ("packed.dat", "packed.jsonl"):
        assert read_log(tmp_path / name).frame.select("user", "item").equals(expected.select("user", "item"))
    assert read_lists(tmp_path / "lists.csv", USERS, ITEMS).lengths.sum() == 1
    assert read_ids(tmp_path / "ids.csv", USERS, "user").to_list() == ["u1"]
    assert read_items(tmp_path / "titles.csv", ITEMS.ids)["title"].to_list() == ["One"]


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("log.csv", CSV)
    return content.getvalue()


def parquet() -> bytes:
    content = io.BytesIO()
    pl.DataFrame({"user": [1, 2], "item": [3, 4]}).write_parquet(content)
    return content.getvalue()


NOISE = np.random.default_rng(5).bytes(3000)
FOREIGN = {
    "zip": (zipped(), "a zip archive or a workbook"),
    "parquet": (parquet(), "a Parquet file"),
    "bzip2": (bz2.compress(CSV.encode()), "bzip2"),
    "zstd": (b"\x28\xb5\x2f\xfd" + NOISE, "Zstandard"),
    "utf-16": (CSV.encode("utf-16"), "encoding='utf-16'"),
    "png": (b"\x89PNG\r\n\x1a\n" + NOISE, "bytes of another kind"),
    "sqlite": (b"SQLite format 3\0" + NOISE, "a SQLite database; give its URL"),
    "noise in gzip": (gzip.compress(NOISE), "bytes of another kind"),
}


@pytest.mark.parametrize("kind", ["log", "items", "ids", "lists"])
@pytest.mark.parametrize("what", FOREIGN)
def test_other_content_under_a_name_of_text_is_named_and_not_shown(tmp_path: Path, kind: str, what: str) -> None:
    content, words = FOREIGN[what]
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(RecodiffError, match=words) as caught:
        READERS[kind][0](tmp_path / "a.csv")
    assert "a.csv" in str(caught.value)
    assert str(caught.value).isprintable()


def test_text_in_utf16_is_read_where_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV.encode("utf-16"))
    assert read_log(tmp_path / "a.csv", encoding="utf-16").frame.height == len(ROWS)


def test_text_that_unpacks_beyond_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode() + b"u1,i1,1388534400\n" * 500_000))
    monkeypatch.setattr(contents, "available_memory", lambda: 3_000_000)
    with pytest.raises(DataError, match=r"a\.csv\.gz holds more than [\d,]+ bytes once unpacked"):
        read_log(tmp_path / "a.csv.gz")


def test_a_stream_that_unpacks_beyond_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv.bz2").write_bytes(bz2.compress(b"\0" * 5_000_000))
    monkeypatch.setattr(packed.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(DataError, match=r"a\.csv\.bz2' cannot be read \(it holds .* bytes or more"):
        read_log(tmp_path / "a.csv.bz2")


@pytest.mark.parametrize("spoil", ["nothing", "encrypted", "deep", "long", "a damaged zip within"])
def test_what_is_wrong_with_an_archive_names_the_archive(tmp_path: Path, spoil: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        name = {"deep": "a/" * 1500 + "x.csv", "long": "a" * 300, "a damaged zip within": "b.zip"}.get(spoil, "x.unknown")
        archive.writestr(name, zipped()[:40] if spoil == "a damaged zip within" else "nonsense")
        if spoil == "nothing":
            archive.writestr("y.unknown", "nonsense")
    if spoil == "encrypted":
        content = bytearray((tmp_path / "a.zip").read_bytes())
        content[6] |= 1
        content[content.find(b"PK\x01\x02") + 8] |= 1
        (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_log(tmp_path / "a.zip")
    said = str(caught.value)
    assert "recodiff-" not in said.partition("cannot be read")[0]
    assert "a.zip" in said or "b.zip" in said
    assert "\n" not in said


def test_embeddings_whose_header_lies_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (7, 99999999999), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    (tmp_path / "item_emb.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"12345678")
    with pytest.raises(DataError, match="it should hold"):
        load_embeddings(tmp_path, ITEMS)


def test_settings_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    for read in (read_settings, read_space):
        with pytest.raises(ConfigError, match=r"x\.toml' cannot be read"):
            read(tmp_path / "x.toml")


@pytest.mark.parametrize("read", [read_settings, read_space])
def test_settings_nested_without_end_are_no_traceback(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "x.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match=r"x\.toml: not a TOML file") as caught:
        read(tmp_path / "x.toml")
    assert "\n" not in str(caught.value)


def test_an_override_nested_without_end_is_text() -> None:
    with pytest.raises(ConfigError, match="l2"):
        build(*read_settings("ease", ["l2=" + "[" * 100_000], models=["ease"]))
