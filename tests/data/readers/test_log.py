"""Text tables, Parquet and frames: what goes in comes out, and what is wrong is named."""

from __future__ import annotations

import builtins
import gzip
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recodiff.data import read_log
from recodiff.data.readers.missing import is_mark
from recodiff.errors import ConfigError, DataError


def write(folder: Path, content: str | bytes, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


COMMON = ["user", "item", "weight", "time"]


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("log.csv", "userId,movieId,rating,timestamp\n1,20,4.5,1260759144\n2,30,1,1260759200\n", {}),
        ("log.csv", "\ufeffuserId,movieId,rating,timestamp\r\n1,20,4.5,1260759144\r\n2,30,1,1260759200\r\n", {}),
        ("log.csv", '"timestamp","note","item","user","rating"\n1260759144,"a, b",20,1,4.5\n1260759200,,30,2,1\n', {}),
        ("log.csv", "a;b;c;d\n1;20;4.5;1260759144\n2;30;1;1260759200\n", dict(zip(COMMON, "abcd", strict=True))),
        ("log.csv", "1,20,4.5,1260759144\n2,30,1,1260759200\n", {}),
        ("log.csv", "x,1,20,4.5,1260759144\ny,2,30,1,1260759200\n", dict(zip(COMMON, (1, 2, 3, 4), strict=True))),
        ("log.tsv", "user\titem\trating\ttime\n1\t20\t4.5\t2009-12-14 02:52:24\n2\t30\t1\t2009-12-14 02:53:20\n", {}),
        ("log.tsv", "user\titem\trating\ttime\n1\t20\t4.5\t1260759144\n2\t30\t1\t1260759200\n", {"separator": "\\t"}),
        ("log.txt", "user item count ts\n1 20 4.5 1260759144000\n2 30 1 1260759200000\n", {}),
        ("log.txt", "1|20|4.5|1260759144\n\n2|30|1|1260759200\n\n", {}),
        ("log.txt", "1--20--4.5--1260759144\n2--30--1--1260759200\n", {"separator": "--"}),
        ("log.csv.gz", gzip.compress(b"user,item,rating,time\n1,20,4.5,1260759144\n2,30,1,1260759200\n"), {}),
        ("log.csv", "user,item,rating,time\n1,20,4.5,1260759144\n2,30,1,1260759200\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_text_tables(tmp_path: Path, name: str, content: str | bytes, options: dict[str, Any]) -> None:
    log = read_log(write(tmp_path, content, name), **options)
    assert log.frame.columns[:2] == ["user", "item"] or set(log.frame.columns) == set(COMMON)
    assert log.frame.select(COMMON).rows() == [(1, 20, 4.5, 1260759144), (2, 30, 1, 1260759200)]
    assert log.frame.select(COMMON).dtypes == [pl.Int64, pl.Int64, pl.Float32, pl.Int64]
    assert log.time_kind == "clock"


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("1,2\n3,4\n", ["user", "item"]),
        ("1,2,4.5\n3,4,5\n", ["user", "item", "weight"]),
        ("1,2,1260759144\n3,4,1260759145\n", ["user", "item", "time"]),
        ("1,2,2020-01-01\n3,4,2020-01-02\n", ["user", "item", "time"]),
    ],
)
def test_columns_without_a_header_go_by_place(tmp_path: Path, content: str, columns: list[str]) -> None:
    assert read_log(write(tmp_path, content)).frame.columns == columns


def test_text_ids_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "ann,apple\nbob,pear\n")
    with pytest.raises(DataError, match=r"clearly the user: it has 'ann', 'apple'"):
        read_log(path)
    with pytest.raises(DataError, match=r"which of columns 0 \('ann'\) and 1 \('apple'\) is the user"):
        read_log(path, header=False)
    assert read_log(path, header=False, user=0, item=1).frame.rows() == [("ann", "apple"), ("bob", "pear")]


def test_leading_zeros_stay(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, "user,item\n1,0104257\n2,1853728\n"))
    assert log.frame.rows() == [(1, "0104257"), (2, "1853728")]


def test_times_finer_than_a_second_order_the_log(tmp_path: Path) -> None:
    log = read_log(write(tmp_path, "user,item,ts\n1,7,1600000000999\n1,8,1600000000123\n1,9,1600000000123\n"))
    assert log.frame.rows() == [(1, 8, 1_600_000_000), (1, 9, 1_600_000_000), (1, 7, 1_600_000_000)]


def test_a_time_may_be_a_rank(tmp_path: Path) -> None:
    assert read_log(write(tmp_path, "user,item,time\n1,7,2\n1,8,1\n"), time_unit="order").time_kind == "order"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item,rating\n1,2,5\n3,4,abc\n", "log.csv, line 3: rating is 'abc', not a finite number; mend the row"),
        ("user,item,rating\n1,2,5\n\n3,4,abc\n5,6,def\n", r"line 4: rating is 'abc'.*1 more like it"),
        ("user,item,rating\n1,2,NaN\n", r"line 2: rating is missing \(empty, NaN or a mark such as NA\)"),
        ("user,item,rating\n1,2,inf\n", "line 2: rating is 'inf'"),
        ("user,item,rating\n1,2,5\n3,4\n", "line 3: rating is missing"),
        ("user,item\n1,2\n,4\n", "line 3: user is missing"),
        ("user,item\n1,2\nNaN,4\n", "line 3: user is missing"),
        ("user,item\n1,2\n3,4,5\n", "line 3: '3,4,5' has more than the 2 fields"),
        ("1::2::3::1260759144\n1::2::3::1260759144::9\n", "line 2: '1::2::3::1260759144::9' has more than the 4"),
        ("user,item,date\n1,2,2020-01-01\n3,4,01/02/2020\n", "line 3: date is '01/02/2020', not a time"),
        ("user,item,date\n1,2,20200101\n", "column 'date' holds numbers like 20200101"),
        ('user,note,item,rating\n1,"a\nb",5,2\n3,c,5,bad\n', "row 2: rating is 'bad'"),
        ('user,item\n1,"2\n3,4\n', "line 2: .* has a quote that does not close"),
        ("1,2,3,4,5\n", "no header and 5 columns; say which"),
        ("a,b\nx,y\n", "no column that is clearly the user"),
        ("user\n1\n", "has one column .*give the separator"),
        ("", "log.csv is empty"),
        ("\n \n", "log.csv is empty"),
        ("user,item\n", "holds no interactions; give a log"),
        (b"user,item\n1,caf\xe9\n", "log.csv is not UTF-8; give its encoding"),
        ("user,item\n1,2\n".encode("utf-16"), "log.csv is no text, but UTF-16"),
        (bytes(range(256)), "log.csv"),
    ],
)
def test_malformed_text_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_log(write(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_malformed_rows_are_dropped_and_counted_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item,rating\n1,2,5\n\n3,4,abc\n,,2\n5,6,7,8\n9,9,1\n")
    log = read_log(path, on_bad_rows="drop")
    assert log.frame.rows() == [(1, 2, 5), (9, 9, 1)]
    assert log.dropped == {"malformed rows": 3, "blank lines": 1}
    with pytest.raises(DataError, match=r"no interactions \(1 malformed rows dropped\)"):
        read_log(write(tmp_path, "user,item,rating\n1,2,x\n"), on_bad_rows="drop")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_bad_rows": "skip"}, "on_bad_rows='skip'"),
        ({"time_unit": "hours"}, "time_unit='hours'"),
        ({"format": "excel"}, "format 'excel' is unknown; choose one of auto, table"),
        ({"encoding": "klingon"}, "encoding 'klingon' is unknown"),
    ],
)
def test_unknown_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_log(write(tmp_path, "user,item\n1,2\n"), **options)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    content = gzip.compress(b"user,item\n1,2\n" * 1000)[:-20]
    with pytest.raises(DataError, match=r"log.csv.gz is damaged"):
        read_log(write(tmp_path, content, "log.csv.gz"))


def test_what_is_not_there_or_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nope.csv does not exist"):
        read_log(tmp_path / "nope.csv")
    with pytest.raises(DataError, match=r"a dict is no frame"):
        read_log({"user": [1], "item": [2]})
    with pytest.raises(DataError, match=r"ml.zip' cannot be read .*fetch it again"):
        read_log(write(tmp_path, b"PK", "ml.zip"))


FRAME = {"user": ["a", "b"], "item": [3, 1], "rating": [4.5, 1.0], "time": [datetime(2020, 9, 13, 12, 26, 40)] * 2}
ROWS = [("a", 3, 4.5, 1_600_000_000), ("b", 1, 1.0, 1_600_000_000)]


def frames() -> dict[str, Any]:
    return {
        "polars": pl.DataFrame(FRAME),
        "lazy": pl.LazyFrame(FRAME),
        "pandas": pd.DataFrame(FRAME),
        "pandas in Berlin": pd.DataFrame(FRAME).assign(
            time=pd.Series([pd.Timestamp("2020-09-13 14:26:40", tz="Europe/Berlin")] * 2)
        ),
        "pandas categories": pd.DataFrame(FRAME).astype({"user": "category"}),
        "pandas objects": pd.DataFrame(FRAME).astype({"user": object, "item": "Int64"}),
        "arrow": pa.table(FRAME),
        "arrow batch": pa.record_batch(FRAME),
    }


@pytest.mark.parametrize("make", list(frames()))
def test_frames_of_any_make(make: str) -> None:
    log = read_log(frames()[make])
    assert log.frame.rows() == ROWS
    assert (log.source, log.time_kind) == ("the frame", "clock")


def test_pandas_serves_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, original = frames()["pandas"], builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert read_log(frame).frame.rows() == ROWS


def test_text_in_frames_stays_text_and_whole_floats_become_numbers() -> None:
    log = read_log(pd.DataFrame({"user": ["1", "2"], "item": [3.0, 4.0]}))
    assert log.frame.rows() == [("1", 3), ("2", 4)]
    assert log.frame.dtypes == [pl.String, pl.Int64]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"user": [1.0, 2.5], "item": [1, 2]}), r"row 1 \(the first is 0\): user is 2.5, not a whole number"),
        (pd.DataFrame({"user": [1.0, None], "item": [1, 2]}), "row 1 .*: user is missing"),
        (pd.DataFrame({"user": pd.array([1, None], dtype="Int64"), "item": [1, 2]}), "row 1 .*: user is missing"),
        (pd.DataFrame({"user": ["x", 3], "item": [1, 2]}), "column 'user' of the frame cannot be converted"),
        (pl.DataFrame({"user": [True], "item": [1]}), "column 'user' is of type Boolean, and ids are whole numbers or text"),
        (pl.DataFrame({"user": [1], "item": [1], "rating": [float("nan")]}), "row 0 .*: rating is missing"),
        (pl.DataFrame({"user": [1], "item": [1], "time": [None]}), "row 0 .*: time is missing"),
        (pl.DataFrame({"user": [], "item": []}), "the frame holds no interactions"),
        (pl.DataFrame({"a": [1], "b": [1]}), "the frame has no column that is clearly the user"),
    ],
)
def test_bad_frames_are_refused(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_log(frame)


def test_parquet_files_and_folders_of_pieces(tmp_path: Path) -> None:
    whole = pl.DataFrame(FRAME)
    whole.write_parquet(tmp_path / "log.parquet")
    assert read_log(tmp_path / "log.parquet").frame.rows() == ROWS
    pieces = tmp_path / "log"
    pieces.mkdir()
    for number in (0, 1):
        whole[number : number + 1].write_parquet(pieces / f"part-{number}.parquet")
    pl.DataFrame({"item": [1, 3], "name": ["one ", "three"]}).write_parquet(pieces / "items.parquet")
    log = read_log(pieces)
    assert log.frame.rows() == ROWS
    assert log.items is not None
    assert log.items.rows() == [(1, "one"), (3, "three")]


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense", None])
def test_damaged_parquet_is_refused(tmp_path: Path, content: bytes | None) -> None:
    pl.DataFrame(FRAME).write_parquet(tmp_path / "log.parquet")
    whole = (tmp_path / "log.parquet").read_bytes()
    write(tmp_path, whole[: len(whole) // 2] if content is None else content, "log.parquet")
    with pytest.raises(DataError, match=r"log.parquet cannot be read as Parquet"):
        read_log(tmp_path / "log.parquet")


def test_pieces_of_different_make_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1], "item": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user": [1], "item": ["x"]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"cannot be read as Parquet"):
        read_log(tmp_path)


text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1).filter(
    lambda value: not is_mark(value)
)
rows = st.lists(st.tuples(text, st.integers(0, 10**12), st.integers(0, 2**31)), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(rows, st.sampled_from([",", "\t", ";", "|"]))
def test_any_table_survives_a_round_trip_through_text(tmp_path: Path, rows: list[tuple[str, int, int]], separator: str) -> None:
    frame = pl.DataFrame(rows, schema={"user": pl.String, "item": pl.Int64, "time": pl.Int64}, orient="row")
    path = tmp_path / "log.csv"
    frame.write_csv(path, separator=separator, quote_style="necessary")
    log = read_log(path, separator=separator, time_unit="s")
    assert log.frame.cast({"user": pl.String}).rows() == frame.rows() or log.frame["user"].dtype == pl.Int64
    if log.frame["user"].dtype == pl.Int64:
        assert log.frame["user"].to_list() == [int(user) for user, _, _ in rows]
