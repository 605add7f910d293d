"""Packing, names and lines of files, through `recodiff prepare`: read whatever holds a log, or said what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pytest

from commands import Cli
from siblings import READ, USERS, Sibling, rows
from situations import T, parquet

LOG = rows("{u},{i},{t}", "user,item,time")
JSON = rows('{{"user": {u}, "item": {i}, "time": {t}}}')
TITLES = "item,title\n" + "".join(f"{item},Low {item}\n" for item in range(20, 51))
RUNS = "".join("".join(f"{cell:>12}" for cell in line.split(",")) + "\n" for line in LOG.splitlines()[1:])


def zipped(**files: str | bytes) -> bytes:
    with zipfile.ZipFile(held := io.BytesIO(), "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return held.getvalue()


def tarred(content: str) -> bytes:
    with tarfile.open(fileobj=(held := io.BytesIO()), mode="w:gz") as archive:
        info = tarfile.TarInfo("log.csv")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content.encode()))
    return held.getvalue()


def arrow() -> bytes:
    columns = {
        "user": [USERS[n % 6] for n in range(60)],
        "item": [20 + n % 31 for n in range(60)],
        "time": [T + 86_400 * n for n in range(60)],
    }
    pl.DataFrame(columns).write_ipc(held := io.BytesIO())
    return held.getvalue()


def of_titles(name: str, content: bytes) -> Sibling:
    """A log and a packed table of titles."""
    files = {"log.csv": LOG, name: content}
    return Sibling(f"titles: {name}", files, READ | {"titles": True}, ("--items", f"LOG/{name}"), source="log.csv")


SIBLINGS = [
    Sibling("archives: .ZIP", {"A.ZIP": zipped(log_csv=LOG)}),
    Sibling("archives: .BZ2", {"A.CSV.BZ2": bz2.compress(LOG.encode())}),
    Sibling("archives: a zip in a zip", {"a.zip": zipped(b_zip=zipped(log_csv=LOG))}),
    Sibling("archives: bz2 in a zip", {"a.zip": zipped(log_csv_bz2=bz2.compress(LOG.encode()))}),
    Sibling("archives: xz beside titles in a zip", {"a.zip": zipped(log_csv_xz=lzma.compress(LOG.encode()), items_csv=TITLES)}),
    Sibling("archives: a tar called zip", {"a.zip": tarred(LOG)}),
    Sibling(
        "archives: zips without end",
        {"a.zip": zipped(b_zip=zipped(c_zip=zipped(d_zip=zipped(e_zip=zipped(f_zip=zipped(log_csv=LOG))))))},
        "a.zip.*more than 3 deep",
    ),
    of_titles("t.zip", zipped(items_csv=TITLES)),
    of_titles("t.csv.xz", lzma.compress(TITLES.encode())),
    of_titles("t.zip", zipped(items_csv=TITLES, users_csv="user,age\n7,30\n")),
    Sibling(
        "titles: none in an archive of several",
        {"log.csv": LOG, "t.zip": zipped(a_csv=TITLES, b_csv=TITLES)},
        r"t.zip holds several files \(a.csv, b.csv\), none of them items.csv",
        ("--items", "LOG/t.zip"),
        source="log.csv",
    ),
    Sibling("lines: ends of old Macs", {"a.csv": LOG.replace("\n", "\r")}, told=("61 lines became 60 rows",)),
    Sibling("lines: ends of old Macs, gzip", {"a.csv.gz": gzip.compress(LOG.replace("\n", "\r").encode())}),
    Sibling("lines: JSON called .txt", {"a.txt": JSON}, told=("read as json",)),
    Sibling("lines: JSON called .csv", {"a.csv": JSON}, told=("read as json",)),
    Sibling("blanks: in columns", {"a.txt": RUNS}, told=("user = column 0, first 7, 3 .. 12",)),
    Sibling("blanks: two", {"a.dat": rows("{u}  {i}  {t}")}),
    Sibling("blanks: two, with names", {"a.txt": rows("{u}  {i}  {t}", "user  item  time")}, told=("time = column 2 'time'",)),
    Sibling(
        "blanks: not alike",
        {"a.txt": rows("{u}  {i}  {t}") + "7   20\n"},
        "runs of blanks part its fields, 3 on the first line and 2 on another .'7 20'",
    ),
    Sibling("kinds: Arrow", {"a.feather": arrow()}, told=("read as arrow",)),
    Sibling("kinds: Arrow, in pieces", {"part-1.arrow": arrow(), "part-2.arrow": arrow()}, {"users": 6}, told=("120 rows",)),
    Sibling("kinds: no Arrow", {"a.feather": b"ARROW1\0\0" + bytes(200)}, "a.feather cannot be read as Arrow"),
    Sibling("kinds: Arrow called .csv", {"a.csv": arrow()}, "an Arrow file; name it .arrow"),
    Sibling(
        "kinds: SQLite",
        {"shop.db": b"SQLite format 3\0" + bytes(4000)},
        "a SQLite database; give its URL, sqlite:///.*shop.db",
    ),
    Sibling("kinds: DuckDB", {"shop.db": bytes(8) + b"DUCK" + bytes(4000)}, "a DuckDB database; give its URL, duckdb:///.*shop.db"),
    Sibling(
        "folders: Spark's text without endings",
        {
            "part-00000": rows("{u},{i},{t}", "user,item,time", 0, 30),
            "part-00001": rows("{u},{i},{t}", "user,item,time", 30),
            "_SUCCESS": "",
        },
        told=("62 lines became 60 rows",),
    ),
    Sibling(
        "folders: columns in their names",
        {f"date=2020-01-0{day}/part-0.parquet": parquet(user=[1, 2], item=[3, day]) for day in (1, 2)},
        "the column 'date' stands in names of folders; in Python give pl.scan_parquet",
    ),
    Sibling(
        "folders: the same twice",
        {"ratings.csv": LOG, "ratings.csv.gz": gzip.compress(LOG.encode())},
        "ratings.csv and ratings.csv.gz seem to be the same; give one",
    ),
]


@pytest.mark.parametrize("case", SIBLINGS, ids=lambda case: case.name)
def test_what_holds_a_log_is_read_or_named(cli: Cli, tmp_path: Path, case: Sibling) -> None:
    case.check(cli, tmp_path)
