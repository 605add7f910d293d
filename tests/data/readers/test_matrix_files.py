"""What files bring: Parquet of every type, folders of pieces, compressed files, archives as published."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recodiff.data import read_log
from recodiff.errors import DataError
from two_rows import CSV, LOG, NOON, ONE, OTHER, ROWS, T, read_rows, times_of, users_of


def test_parquet_of_other_programs(tmp_path: Path) -> None:
    words = pa.array(["a", "b"]).dictionary_encode()
    table = pa.table({"user": words, "item": pa.array([ONE.bytes, OTHER.bytes], pa.binary(16)), "time": pa.array([NOON] * 2)})
    pq.write_table(table, tmp_path / "log.parquet", use_deprecated_int96_timestamps=True)
    assert read_rows(tmp_path / "log.parquet") == [("a", str(ONE), T), ("b", str(OTHER), T)]
    pq.write_table(table.slice(0, 1), tmp_path / "log.parquet", row_group_size=1, compression="gzip")
    assert read_rows(tmp_path / "log.parquet") == [("a", str(ONE), T)]


PARQUET = {
    "dictionary": pa.array(["a", "b"]).dictionary_encode(),
    "large text": pa.array(["a", "b"], pa.large_string()),
    "views": pa.array(["a", "b"], pa.string_view()),
    "decimal": pa.array([Decimal(7), Decimal(12)], pa.decimal128(38, 0)),
    "fixed size": pa.array([ONE.bytes, OTHER.bytes], pa.binary(16)),
    "unsigned": pa.array([2**63 + 5, 1], pa.uint64()),
    "half": pa.array([7, 12], pa.int8()),
}
FOUND = {"decimal": [7, 12], "fixed size": [str(ONE), str(OTHER)], "unsigned": [str(2**63 + 5), "1"], "half": [7, 12]}
MOMENTS = {
    "zoned": pa.array([NOON.replace(tzinfo=UTC)] * 2, pa.timestamp("us", tz="Asia/Shanghai")),
    "nanoseconds": pa.array([NOON] * 2, pa.timestamp("ns")),
    "seconds": pa.array([NOON] * 2, pa.timestamp("s")),
    "whole nanoseconds": pa.array([T * 10**9] * 2),
    "decimal": pa.array([Decimal(T)] * 2, pa.decimal128(20, 0)),
    "float": pa.array([float(T)] * 2),
    "dates": pa.array([date(2020, 9, 13)] * 2, pa.date32()),
    "dates of 64 bits": pa.array([date(2020, 9, 13)] * 2, pa.date64()),
}


@pytest.mark.parametrize("kind", PARQUET)
def test_ids_of_parquet(tmp_path: Path, kind: str) -> None:
    pq.write_table(pa.table({"user": PARQUET[kind], "item": [10, 11]}), tmp_path / "log.parquet")
    assert users_of(tmp_path / "log.parquet") == FOUND.get(kind, ["a", "b"])


@pytest.mark.parametrize("kind", MOMENTS)
def test_times_of_parquet(tmp_path: Path, kind: str) -> None:
    pq.write_table(pa.table({"user": [1, 1], "item": [10, 11], "time": MOMENTS[kind]}), tmp_path / "log.parquet")
    whole = T - T % 86_400 if kind.startswith("dates") else T
    assert times_of(tmp_path / "log.parquet") == [whole] * 2


def test_what_parquet_cannot_say_is_refused(tmp_path: Path) -> None:
    spans = pa.array([1, 2], pa.duration("s"))
    for column, values, message in (
        ("user", pa.array([2.0**53, 2.0**53 + 2]), r"numbers from 2\^53 on"),
        ("user", pa.array(["a", None]), "row 1 .*user is missing"),
        ("user", pa.array([[1], [2]]), "of type List"),
        ("time", spans, "of type Duration"),
        ("time", pa.array([True, False]), "of type Boolean"),
    ):
        columns = {"user": pa.array([1, 2]), "item": pa.array([10, 11])} | {column: values}
        pq.write_table(pa.table(columns), tmp_path / "log.parquet")
        with pytest.raises(DataError, match=message):
            read_log(tmp_path / "log.parquet")


def test_baskets_of_parquet_are_one_event_each(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1, 2], "items": [["a", "b"], ["c"]], "time": [T, T + 1]}), tmp_path / "log.parquet")
    log = read_log(tmp_path / "log.parquet")
    assert log.frame.rows() == [(1, "a", T), (1, "b", T), (2, "c", T + 1)]
    assert log.reading is not None
    assert log.reading.roles["item"] == "column 1 'items', first a, a .. c"


def spark(folder: Path, pieces: Mapping[str, bytes | str]) -> Path:
    folder.mkdir()
    for name, content in pieces.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / f".{name}.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    return folder


def test_the_folders_that_spark_writes(tmp_path: Path) -> None:
    name = "part-{:05}-3f2a91c4-0e1d-4c7a-9b51-2d5f8a6c7e90-c000"
    halves = [pl.DataFrame(LOG)[row] for row in (0, 1)]
    texts = spark(tmp_path / "csv", {f"{name.format(n)}.csv": half.write_csv() for n, half in enumerate(halves)})
    packed = {f"{name.format(n)}.csv.gz": gzip.compress(half.write_csv().encode()) for n, half in enumerate(halves)}
    lines = {f"{name.format(n)}.json": half.write_ndjson() for n, half in enumerate(halves)}
    assert read_rows(texts) == read_rows(spark(tmp_path / "gz", packed)) == read_rows(spark(tmp_path / "json", lines)) == ROWS
    folder = spark(tmp_path / "parquet", {})
    for number, half in enumerate(halves):
        half.write_parquet(folder / f"{name.format(number)}.snappy.parquet")
    assert read_rows(folder) == ROWS
    parts = tmp_path / "parts"
    for part, half in zip(("train", "test"), halves, strict=True):
        (parts / f"split={part}").mkdir(parents=True)
        half.write_csv(parts / f"split={part}" / "part-00000.csv")
    assert read_log(parts).frame["part"].to_list() == ["train", "test"]


def packed(folder: Path, name: str, files: Mapping[str, str | bytes]) -> Path:
    contents = {member: text if isinstance(text, bytes) else text.encode() for member, text in files.items()}
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in contents.items():
                archive.writestr(member, content)
        return path
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, content in contents.items():
            (info := tarfile.TarInfo(member)).size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


REVIEW = {"review_id": "r", "user_id": "u1", "business_id": "b1", "stars": 5.0, "text": "good", "date": "2020-09-13 12:26:40"}
ARCHIVES = [
    (
        "ml-1m.zip",
        {"ml-1m/ratings.dat": f"1::10::5::{T}\n2::11::4::{T + 1}\n", "ml-1m/movies.dat": "10::A::Drama\n11::B::War\n"},
        ROWS,
    ),
    ("ml-100k.zip", {"ml-100k/u.data": f"1\t10\t5\t{T}\n2\t11\t4\t{T + 1}\n", "__MACOSX/ml-100k/._u.data": "x"}, ROWS),
    (
        "ml-latest.zip",
        {"ml/ratings.csv": f"userId,movieId,rating,timestamp\n1,10,5,{T}\n2,11,4,{T + 1}\n", "ml/tags.csv": "a\n"},
        ROWS,
    ),
    (
        "yelp.tar",
        {
            "yelp_academic_dataset_review.json": json.dumps(REVIEW),
            "yelp_academic_dataset_user.json": "{}",
            "yelp_academic_dataset_business.json": json.dumps({"business_id": "b1", "name": "Cafe"}),
        },
        [("u1", "b1", T)],
    ),
    (
        "amazon.zip",
        {
            "Beauty.json": "".join(
                json.dumps({"reviewerID": f"A{n}", "asin": f"B{n}", "overall": 5.0, "unixReviewTime": T + n}) + "\n" for n in (1, 2)
            )
        },
        [("A1", "B1", T + 1), ("A2", "B2", T + 2)],
    ),
    (
        "amazon2023.tar.gz",
        {"All_Beauty.csv": f"user_id,parent_asin,rating,timestamp\nu1,B1,5.0,{T}000\nu2,B2,4.0,{T + 1}000\n"},
        [("u1", "B1", T), ("u2", "B2", T + 1)],
    ),
    (
        "gowalla-raw.zip",
        {"loc-gowalla_totalCheckins.txt": "0\t2020-09-13T12:26:40Z\t30.2359\t-97.7951\t22847\n" * 2},
        [(0, 22847, T)] * 2,
    ),
    ("log.tar.gz", {"log.csv": CSV}, ROWS),
    ("log.tgz", {"a/b/log.csv": CSV, "a/b/README.txt": "terms"}, ROWS),
]


@pytest.mark.parametrize(("name", "files", "rows"), ARCHIVES, ids=lambda value: value if isinstance(value, str) else "")
def test_archives_are_read_as_published(tmp_path: Path, name: str, files: Mapping[str, str], rows: list[tuple]) -> None:
    log = read_log(packed(tmp_path, name, files))
    assert log.frame.select("user", "item", "time").rows() == rows
    assert log.source == str(tmp_path / name)
    if any("movies" in member or "business" in member for member in files):
        assert log.items is not None
        assert log.items["title"][0] in ("A", "Cafe")


def test_lists_of_gowalla_and_the_raw_check_ins(tmp_path: Path) -> None:
    lists = {"gowalla/train.txt": "0 1 2 3\n1 4\n", "gowalla/test.txt": "0 5\n", "gowalla/user_list.txt": "org_id remap_id\n7 0\n"}
    assert read_log(packed(tmp_path, "gowalla.zip", lists)).frame["part"].value_counts(sort=True).rows() == [
        ("train", 4),
        ("test", 1),
    ]
    raw = tmp_path / "loc-gowalla_totalCheckins.txt.gz"
    raw.write_bytes(
        gzip.compress(b"0\t2020-09-13T12:26:40Z\t30.2359\t-97.7951\t22847\n1\t2020-09-13T12:26:41Z\t30.2\t-97.749\t420315\n")
    )
    assert read_rows(raw) == [(0, 22847, T), (1, 420315, T + 1)]


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files(tmp_path: Path, ending: str, pack: Any) -> None:
    (tmp_path / f"log.csv{ending}").write_bytes(pack(CSV.encode()))
    assert read_rows(tmp_path / f"log.csv{ending}") == ROWS
    (tmp_path / f"train.txt{ending}").write_bytes(pack(b"0 1 2 3\n1 4\n"))
    assert read_log(tmp_path / f"train.txt{ending}").frame.rows() == [(0, 1), (0, 2), (0, 3), (1, 4)]


def test_archives_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    whole = packed(tmp_path, "log.tar.gz", {"log.csv": CSV * 500})
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:-40])
    packed(tmp_path, "empty.zip", {})
    packed(tmp_path, "outside.tar", {"../log.csv": CSV})
    packed(tmp_path, "two.zip", {"a.csv": CSV, "b.csv": CSV})
    for name, message in (
        ("cut.tar.gz", "cut.tar.gz' cannot be read"),
        ("empty.zip", "empty.zip is empty"),
        ("outside.tar", "outside.tar' cannot be read"),
        ("two.zip", r"no interactions that are known at sight \(a.csv, b.csv\)"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            read_log(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not (tmp_path.parent / "log.csv").exists()


def test_a_blank_line_in_a_table_of_titles_drops_none(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    for text in ("item,title\n\n10,A\n11,B\n", "item,title\n10,A\n\n11,B\n\n", "10,A\n\n11,B\n"):
        (tmp_path / "items.csv").write_text(text)
        items = read_log(tmp_path / "log.csv").items
        assert items is not None
        assert items.select("item", "title").rows() == [(10, "A"), (11, "B")]


@pytest.mark.parametrize("ended", [False, True])
def test_the_folder_of_a_job_that_has_not_ended_is_refused(tmp_path: Path, ended: bool) -> None:
    pl.DataFrame({"user": [1, 2], "item": [3, 4]}).write_parquet(tmp_path / "part-00000.parquet")
    (tmp_path / "_temporary").mkdir()
    if ended:
        (tmp_path / "_SUCCESS").touch()
    with nullcontext() if ended else pytest.raises(DataError, match="the job that writes it has not ended"):
        assert len(read_log(tmp_path).frame) == 2
