"""A log that is prepared within a bound becomes the very folder that it becomes without one."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recodiff
from recodiff import HeldOutUsers, LeaveLast, Random, RecodiffError, Temporal, TemporalAt, TemporalGlobal
from recodiff.data import NaturalNoise
from recodiff.data.prepare import prepare
from recodiff.data.readers.log import read_log
from recodiff.data.recipe import SHORT
from recodiff.data.saving import save_dataset
from recodiff.data.split import AsPublished
from recodiff.data.strategy import Split
from recodiff.errors import RecodiffWarning
from recodiff.runtime import spill
from recodiff.runtime.spill import spilling

pytest.importorskip("duckdb")
MEMORY = "1GB"


@pytest.fixture(autouse=True)
def _pieces_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "FEWEST_ROWS", 7)
    monkeypatch.setattr(spill, "ROW_BYTES", 10**9)


def outcome(source: Path, out: Path, *, memory: str | None, reading: dict[str, Any], wishes: dict[str, Any]) -> Any:
    """The files of the folder that a log becomes, and the warnings; or the sentence that refuses it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if memory is None:
                dataset = prepare(read_log(source, **reading), name="x", **wishes)
                save_dataset(dataset, out, overwrite=True, mapped=True)
            else:
                with spilling(out, memory) as kept:
                    dataset = prepare(read_log(source, spill=kept, **reading), out, name="x", overwrite=True, **wishes)
        except RecodiffError as error:
            return type(error), str(error)
    info = {key: value for key, value in dataset.info.items() if key not in ("format", "version", "hashes", "files")}
    said = [str(warning.message) for warning in caught if issubclass(warning.category, RecodiffWarning)]
    found = {file.name: file.read_bytes() for file in out.iterdir() if file.suffix != ".json"}
    return said, info, json.loads((out / "dataset.json").read_text("utf-8")), found


def assert_alike(source: Path, folder: Path, reading: dict[str, Any] | None = None, **wishes: Any) -> Any:
    """Prepare a log with and without a bound, and compare everything."""
    without = outcome(source, folder / "out", memory=None, reading=reading or {}, wishes=wishes)
    within = outcome(source, folder / "out", memory=MEMORY, reading=reading or {}, wishes=wishes)
    assert within == without
    assert not list(folder.glob(".*.spill"))
    return without


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        compression = "gzip" if path.suffix == ".gz" else "uncompressed"
        frame.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",", compression=compression)
    return path


SPLITS: list[Split | str | None] = [
    None,
    Temporal(0.2, 0.2),
    TemporalGlobal(0.2, 0.2),
    TemporalGlobal(0, 0.3),
    TemporalAt(valid_from=1_500_040_000, test_from=1_500_080_000),
    LeaveLast(),
    LeaveLast(valid=0),
    Random(0.2, 0.2, seed=3),
    HeldOutUsers(0.2, 0.2, 0.3, seed=1),
    "leave-one-out",
    "time-split",
]


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    """Small logs with repeats, tied times, ids of numbers or text, and maybe no rating or no time."""
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, users, items = draw(st.integers(40, 200)), draw(st.integers(2, 12)), draw(st.integers(5, 25))
    frame = pl.DataFrame({"user": g.integers(0, users, rows) * 7, "item": g.integers(0, items, rows)})
    if draw(st.booleans()):
        frame = frame.with_columns(user=pl.format("u{}", "user"))
    if draw(st.sampled_from([True, True, False])):
        frame = frame.with_columns(rating=pl.Series(g.integers(0, 6, rows) / draw(st.sampled_from([1, 2]))))
    times = 1_500_000_000 + g.integers(0, draw(st.sampled_from([3, 40, 400])), rows) * 3_600
    kind = draw(st.sampled_from(["none", "s", "s", "ms", "iso", "float"]))
    if kind == "ms":
        times = times * 1000 + g.integers(0, 2000, rows)
    if kind != "none":
        column = pl.Series(times) if kind != "float" else pl.Series(times + g.random(rows).round(2))
        if kind == "iso":
            column = pl.Series(times * 10**6).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S")
        frame = frame.with_columns(timestamp=column)
    return frame


@given(
    frame=logs(),
    format=st.sampled_from(["log.parquet", "log.csv", "log.tsv"]),
    split=st.sampled_from(SPLITS),
    events=st.sampled_from([None, "whole", "ordered", "split"]),
    duplicates=st.sampled_from(["first", "last"]),
    core=st.sampled_from([(0, 0), (4, 0), (0, 3), (5, 3)]),
    min_weight=st.sampled_from([None, None, 2.0]),
    keep_weights=st.booleans(),
    order=st.sampled_from(["auto", "auto", "order"]),
    holes=st.sampled_from([0, 0, 2]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_folder_is_the_same_within_a_bound(
    tmp_path_factory: pytest.TempPathFactory,
    frame: pl.DataFrame,
    format: str,
    split: Any,
    events: Any,
    duplicates: str,
    core: tuple[int, int],
    min_weight: float | None,
    keep_weights: bool,
    order: str,
    holes: int,
) -> None:
    folder = tmp_path_factory.mktemp("alike")
    if holes and frame.height > 4:
        place = pl.int_range(pl.len())
        text = pl.when(place % 5 != 3).then(pl.col("item").cast(pl.String)).otherwise(pl.lit("NA"))
        frame = frame.with_columns(item=text)
    source = folder / format
    write(frame, source)
    rated, timed = ({name} <= set(frame.columns) for name in ("rating", "timestamp"))
    events, min_weight, keep_weights = events if timed else None, min_weight if rated else None, keep_weights and rated
    named = {"protocol": split} if split in ("leave-one-out", "time-split") else {"split": split, "events": events}
    wishes = named | {"duplicates": duplicates, "user_core": core[0], "item_core": core[1], "min_weight": min_weight}
    reading = {"time_unit": order, "on_bad_rows": "drop" if holes == 2 else "refuse", "weight": None}
    assert_alike(source, folder, reading, keep_weights=keep_weights, **wishes)


def clicks(rows: int = 60) -> pl.DataFrame:
    g = np.random.default_rng(1)
    return pl.DataFrame(
        {"user": g.integers(0, 8, rows), "item": g.integers(0, 12, rows), "timestamp": 1_600_000_000 + g.integers(0, 9, rows) * 60}
    )


def test_parts_that_a_log_comes_in(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for part, rows in (("train", 400), ("test", 20)):
        write(clicks(rows), tmp_path / "log" / f"{part}.csv")
    assert assert_alike(tmp_path / "log", tmp_path)[1]["split"]["strategy"] == "published"
    assert_alike(tmp_path / "log", tmp_path, split=AsPublished(0.3, seed=2), events="whole")
    assert_alike(tmp_path / "log", tmp_path, split=Temporal(), item_core=2)
    write(clicks(30), tmp_path / "log" / "valid.csv")
    assert_alike(tmp_path / "log", tmp_path)


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz"])
def test_a_folder_of_pieces_with_titles(tmp_path: Path, ending: str) -> None:
    (tmp_path / "log").mkdir()
    for number in range(3):
        write(clicks(40 + number), tmp_path / "log" / f"part-{number}.{ending}")
    write(pl.DataFrame({"item": range(12), "title": [f"title {item}" for item in range(12)]}), tmp_path / "log" / "items.csv")
    _, info, *_ = assert_alike(tmp_path / "log", tmp_path)
    assert info["titles"]


HEAD = b"user,item,time\n"
TEXTS = {
    "bars": b"1::2::5::978300760\n1::2::5::978300760\n1::3::4::978300761\n2::2::1::978300762\n2::3::1::978300763\n",
    "latin": ("user::item::rating::time\n" + "\xe9::2::5::978300760\n\xe9::3::4::978300761\n" * 3).encode("latin-1"),
    "numbers": b"1\t10\t5\t881250949\n1\t11\t3\t881250950\n1\t12\t3\t881250951\n2\t10\t3\t881250951\n",
    "quotes": HEAD + b'"a b",x,1600000000\n"a b","y, z",1600000001\n"a b",z,1600000002\n',
    "a quote within": HEAD + b'a,12" mix,1600000000\na,y,1600000001\na,z,1600000002\n',
    "single quotes": HEAD + b"'1','x',1600000000\n'1','y',1600000001\n'1','z',1600000002\n",
    "blank lines": HEAD + b"1,x,1600000000\n\n1,y,1600000001\n1,z,1600000002\n\n",
    "long": HEAD + b"1,x,1600000000\n1,y,1600000001,9\n1,z,1600000002\n1,w,1600000003\n1,v,1600000004\n",
    "no time": b"user,item\n1,x\n1,y\n1,z\n1,w\n1,v\n2,x\n2,y\n",
    "two units": HEAD + b"1,x,1600000000\n1,y,1600000000000\n1,z,1600000002\n1,w,1600000003\n",
    "odd": HEAD + b"1,x,1600000000\n1,y,0\n1,z,1600000002\n1,w,1600000003\n",
    "early": HEAD + b"1,x,5\n1,y,6\n1,z,7\n1,w,8\n",
    "days": HEAD + b"1,x,18000\n1,y,18001\n1,z,18002\n1,w,18003\n",
    "dates": HEAD + b"1,x,20240501\n1,y,20240502\n1,z,20240503\n",
    "slashes": HEAD + b"1,x,2024/05/01\n1,y,2024/05/02 10:00\n1,z,2024/05/03\n",
    "lists": HEAD + b"1,[8 9],1600000000\n1,[8 7],1600000001\n",
    "whole floats": HEAD + b"1.0,8.0,1600000000\n1.0,9.0,1600000001\n1.0,7.0,1600000002\n",
    "zeros before": HEAD + b"007,8,1600000000\n7,9,1600000001\n007,7,1600000002\n007,6,1600000003\n",
    "beyond 64 bits": HEAD + b"99999999999999999999,8,1600000000\n99999999999999999999,9,1600000001\n1,7,1600000002\n",
    "spaces": b"user, item, time\n1, x, 1600000000\n1, NA, 1600000001\n1, z, 1600000002\n1, w, 1600000003\n",
    "no text": HEAD + b"1,x,noon\n1,y,1600000001\n1,z,1600000002\n1,w,1600000003\n",
    "nothing": HEAD,
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("bad", ["refuse", "drop"])
def test_text_is_read_and_refused_alike(tmp_path: Path, name: str, bad: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(TEXTS[name])
    assert_alike(path, tmp_path, {"on_bad_rows": bad})


COLUMNS = {
    "decimals": pl.Series([1, 2, 3, 4, 5]).cast(pl.Decimal(10, 0)),
    "categories": pl.Series(list("abcde"), dtype=pl.Categorical),
    "bytes": pl.Series([bytes([each] * 16) for each in range(5)]),
    "other bytes": pl.Series([b"a", b"b", b"\xff", b"d", b"e"]),
    "large": pl.Series([2**63, 1, 2, 3, 4], dtype=pl.UInt64),
    "floats": pl.Series([1.0, 2.0, 3.0, 4.0, 5.0]),
    "halves": pl.Series([1.0, 2.5, 3.0, 4.0, 5.0]),
    "truths": pl.Series([True, False, True, True, False]),
    "nulls": pl.Series([None] * 5),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_ids_of_every_type_are_read_alike(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"user": ["u"] * 5, "item": COLUMNS[name], "time": [datetime(2020, 1, 1, 0, at) for at in range(5)]})
    assert_alike(write(frame, tmp_path / "log.parquet"), tmp_path)


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_repeat_is_named_that_comes_first_in_the_log(tmp_path: Path, name: str) -> None:
    kind, sentence = assert_alike(write(clicks(), tmp_path / name), tmp_path, duplicates="refuse")
    assert kind is recodiff.DataError
    assert "stand together more than once" in sentence


def test_short_histories_are_split_otherwise_and_it_is_said(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], "time": range(1_600_000_000, 1_600_000_006)})
    said, info, *_ = assert_alike(write(frame, tmp_path / "log.csv"), tmp_path)
    assert said == [SHORT]
    assert info["split"]["strategy"] == "leave-last"
    assert "leaves the part" in assert_alike(write(frame.head(2), tmp_path / "log.csv"), tmp_path)[1]


class OneOfEach(Split):
    """A strategy of someone who knows nothing of pieces."""

    name = "one-of-each"

    def _mark(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(part=pl.lit("train"))


def test_what_cannot_be_had_within_a_bound_is_refused(tmp_path: Path) -> None:
    path, out = write(clicks().with_columns(rating=3), tmp_path / "log.csv"), tmp_path / "out"
    with pytest.raises(recodiff.ConfigError, match="natural noise is drawn from rows that are in memory; leave memory="):
        prepare(path, out, memory=MEMORY, min_weight=2, noise=NaturalNoise("all"))
    with pytest.raises(recodiff.ConfigError, match="'one-of-each' needs all rows at once; leave memory="):
        prepare(path, out, memory=MEMORY, split=OneOfEach())
    with pytest.raises(recodiff.ConfigError, match="a frame is not read within a bound; write it to a Parquet file"):
        prepare(clicks(), out, memory=MEMORY)
    clicks().write_ndjson(tmp_path / "log.jsonl")
    with pytest.raises(recodiff.ConfigError, match="read as json, which is not read within a bound; convert it to Parquet"):
        prepare(tmp_path / "log.jsonl", out, memory=MEMORY)
    with pytest.raises(recodiff.ConfigError, match="needs a folder to write"):
        prepare(path, memory=MEMORY)
    with pytest.raises(recodiff.ConfigError, match="a database is not read within a bound"):
        prepare("sqlite:///shop.db", out, memory=MEMORY)
    lists = pl.DataFrame({"user": [1, 2], "item": [[1, 2], [3]], "time": [1_600_000_000, 1_600_000_001]})
    with pytest.raises(recodiff.DataError, match="holds lists of items, which are not read within a bound; write a row an item"):
        prepare(write(lists, tmp_path / "lists.parquet"), out, memory=MEMORY)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lists.parquet", "log.csv", "log.jsonl"]
