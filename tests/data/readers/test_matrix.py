"""What frames and files bring: each type of column, each kind of container."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import uuid
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recodiff.data import read_log
from recodiff.errors import DataError

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2**100)
NOON = datetime(2020, 9, 13, 12, 26, 40)
T = 1_600_000_000


def users_of(source: Any, **options: Any) -> list:
    return read_log(source, **options).frame["user"].to_list()


def times_of(source: Any, **options: Any) -> list:
    return read_log(source, **options).frame["time"].to_list()


def with_user(values: Any) -> pl.DataFrame:
    return pl.DataFrame({"user": values, "item": [1, 2]})


def with_time(values: Any) -> pl.DataFrame:
    return pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": values})


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])), ["b", "a"]),
        (pl.Series([Decimal(7), Decimal(12)], dtype=pl.Decimal(38, 0)), [7, 12]),
        (pl.Series([Decimal("7.00"), Decimal("12.00")], dtype=pl.Decimal(10, 2)), [7, 12]),
        (pl.Series([2**63 + 5, 1], dtype=pl.UInt64), [str(2**63 + 5), "1"]),
        (pl.Series([-(2**62) - 1, 2**62 + 1]), [-(2**62) - 1, 2**62 + 1]),
        (pl.Series([2**70, 1], dtype=pl.Int128), [str(2**70), "1"]),
        (pl.Series([ONE.bytes, OTHER.bytes]), [str(ONE), str(OTHER)]),
        (pl.Series([b"ann", b"bob"]), ["ann", "bob"]),
        (pl.Series([b"\xff\x01", b"\xfe\x02"]), ["ff01", "fe02"]),
        (pl.Series([1, 2], dtype=pl.Int8), [1, 2]),
        (pl.Series([1.0, 2.0], dtype=pl.Float32), [1, 2]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_ids_of_every_type(values: pl.Series, ids: list) -> None:
    assert users_of(with_user(values)) == ids


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pl.Series([2.0**53, 2.0**53 + 2]), r"numbers from 2\^53 on as Float64"),
        (pl.Series([2.0**24, 1.0], dtype=pl.Float32), r"numbers from 2\^24 on as Float32"),
        (pl.Series([Decimal("7.5"), Decimal(1)]), r"row 0 .*: user is Decimal\('7.5.*not a whole number"),
        (pl.Series([True, False]), "of type Boolean"),
        (pl.Series([timedelta(1), timedelta(2)]), "of type Duration"),
        (pl.Series([date(2020, 1, 1)] * 2), "of type Date"),
        (pl.Series(["a", "None"]), "row 1 .*: user is missing"),
        (pl.Series(["<NA>", "b"]), "row 0 .*: user is missing"),
        (pl.Series([ONE.bytes, None]), "row 1 .*: user is missing"),
        (pl.Series([{"a": 1}, {"a": 2}]), "of type Struct"),
    ],
)
def test_ids_that_are_none_are_refused(values: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_log(with_user(values))


@pytest.mark.parametrize(
    "users",
    [
        pd.Series(["a", "b"], dtype="string"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(["a", "b"], dtype=object),
        pd.Series(["a", "b"]),
    ],
    ids=lambda users: str(users.dtype),
)
def test_texts_of_pandas(users: pd.Series) -> None:
    assert users_of(pd.DataFrame({"user": users, "item": [1, 2]})) == ["a", "b"]


@pytest.mark.parametrize(
    "users",
    [
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1.0, None]),
        pd.Series(["a", None]).astype(object).astype(str),
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    ],
    ids=lambda users: str(users.dtype),
)
def test_missing_ids_of_pandas_are_refused_or_counted(users: pd.Series) -> None:
    frame = pd.DataFrame({"user": users, "item": [1, 2]})
    with pytest.raises(DataError, match=r"row 1 .*: user is missing"):
        read_log(frame)
    log = read_log(frame, on_bad_rows="drop")
    assert (log.frame.height, log.dropped) == (1, {"malformed rows": 1})


def test_uuids_of_pandas() -> None:
    assert users_of(pd.DataFrame({"user": [ONE, OTHER], "item": [1, 2]})) == [str(ONE), str(OTHER)]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([NOON] * 2),
        pl.Series([NOON] * 2).dt.cast_time_unit("ns"),
        pl.Series([NOON] * 2).dt.cast_time_unit("ms"),
        pl.Series([NOON.replace(tzinfo=UTC)] * 2),
        pl.Series([NOON.replace(tzinfo=UTC)] * 2).dt.convert_time_zone("Asia/Shanghai"),
        pl.Series([T * 10**9] * 2),
        pl.Series([float(T)] * 2),
        pl.Series([Decimal(T)] * 2),
        pl.Series(["2020-09-13T14:26:40+02:00"] * 2),
        pl.Series([str(T * 1000)] * 2),
    ],
    ids=lambda values: f"{values.dtype} {values[0]}",
)
def test_times_of_every_type(values: pl.Series) -> None:
    assert times_of(with_time(values)) == [T, T]


def test_times_of_pandas() -> None:
    times = pd.Series([NOON.replace(tzinfo=timezone(timedelta(hours=8)))] * 2)
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": times})) == [T - 8 * 3600] * 2
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": [date(2020, 9, 13)] * 2})) == [1_599_955_200] * 2
    assert times_of(pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": pd.to_datetime([NOON] * 2).as_unit("s")})) == [T, T]


def test_dates_are_times_and_durations_are_none() -> None:
    assert times_of(with_time([date(2020, 9, 13)] * 2)) == [1_599_955_200] * 2
    with pytest.raises(DataError, match=r"column 'time' is of type Duration.*times are dates, numbers or ISO text"):
        read_log(with_time([timedelta(1)] * 2))


def test_lists_of_items_are_one_event() -> None:
    baskets = pl.DataFrame({"user": [1, 1, 2], "items": [["a", "b"], ["c"], []], "time": [T, T + 9, T]})
    assert read_log(baskets).frame.rows() == [(1, "a", T), (1, "b", T), (1, "c", T + 9)]
    in_order = read_log(baskets.drop("time"), time_unit="order")
    assert in_order.frame.select("user", "item", "time").rows() == [(1, "a", 0), (1, "b", 0), (1, "c", 1)]
    arrays = baskets.head(1).cast({"items": pl.Array(pl.String, 2)})
    assert read_log(arrays).frame["item"].to_list() == ["a", "b"]
    with pytest.raises(DataError, match=r"row 1 .*: items is missing"):
        read_log(pl.DataFrame({"user": [1, 2], "items": [[5], [None]]}))


ROWS = [(1, 10, T), (2, 11, T + 1)]
LOG = {"user": [1, 2], "item": [10, 11], "time": [T, T + 1]}
CSV = f"user,item,time\n1,10,{T}\n2,11,{T + 1}\n"


def read_rows(path: Any, **options: Any) -> list[tuple]:
    return read_log(path, **options).frame.select("user", "item", "time").rows()


def test_streams_of_arrow_and_duckdb() -> None:
    table = pa.table(LOG)
    assert read_rows(table.to_reader()) == ROWS
    assert read_rows(pa.table({name: pa.chunked_array([values[:1], values[1:]]) for name, values in LOG.items()})) == ROWS
    duckdb = pytest.importorskip("duckdb")
    assert read_rows(duckdb.sql(f"select * from (values (1, 10, {T}), (2, 11, {T + 1})) as log(user, item, time)")) == ROWS


def test_parquet_of_other_programs(tmp_path: Path) -> None:
    words = pa.array(["a", "b"]).dictionary_encode()
    table = pa.table({"user": words, "item": pa.array([ONE.bytes, OTHER.bytes], pa.binary(16)), "time": pa.array([NOON] * 2)})
    pq.write_table(table, tmp_path / "log.parquet", use_deprecated_int96_timestamps=True)
    assert read_rows(tmp_path / "log.parquet") == [("a", str(ONE), T), ("b", str(OTHER), T)]
    pq.write_table(table.slice(0, 1), tmp_path / "log.parquet", row_group_size=1, compression="gzip")
    assert read_rows(tmp_path / "log.parquet") == [("a", str(ONE), T)]


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
