"""Parquet: one file, pieces and parts; types stay, damage is named."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from recodiff.data.readers.parquet import Parquet
from recodiff.data.readers.reader import Options
from recodiff.data.readers.tables import in_memory
from recodiff.errors import DataError

READER = Parquet()
ROLES = Options(given={"user": None, "item": None, "weight": None, "time": None})


def written(path: Path, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_columns_keep_their_types_and_rows_are_counted_from_0(tmp_path: Path) -> None:
    path = written(tmp_path / "log.parquet", user=[1, 2], item=["a", "b"], rating=[4.5, 3.0], note=["x", "y"])
    found = READER.read(READER.recognise(path), ROLES)
    assert found.frame.schema == {"user": pl.Int64, "item": pl.String, "weight": pl.Float64}
    assert not found.is_text
    assert found.unread == ("note",)
    assert found.place(1) == "row 1 (the first is 0)"


def test_a_column_of_times_that_nobody_reads_is_noticed(tmp_path: Path) -> None:
    moments: list[object] = [datetime(2024, 1, 1), datetime(2024, 1, 2)]
    path = written(tmp_path / "log.parquet", user=[1, 2], item=[3, 4], seen_on_site=moments)
    assert READER.read(READER.recognise(path), ROLES).moments == ("seen_on_site",)
    silent = Options(given={**ROLES.given, "time": False})
    assert READER.read(READER.recognise(path), silent).moments == ()


def test_pieces_are_one_table_and_parts_have_their_names(tmp_path: Path) -> None:
    for number in (0, 1):
        written(tmp_path / "pieces" / f"part-{number}.parquet", user=[number], item=[7])
    pieces = READER.recognise(tmp_path / "pieces")
    assert in_memory(READER.read(pieces, ROLES).frame)["user"].to_list() == [0, 1]
    for name in ("train", "test"):
        written(tmp_path / "parts" / f"{name}.parquet", user=[1], item=[7 if name == "train" else 8])
    found = READER.read(READER.recognise(tmp_path / "parts"), ROLES)
    assert in_memory(found.frame).select("item", "part").rows() == [(7, "train"), (8, "test")]


def test_tables_of_titles_and_users_are_no_pieces(tmp_path: Path) -> None:
    for name in ("clicks", "more", "items", "users"):
        written(tmp_path / f"{name}.parquet", user=[1], item=[7])
    assert [piece.path.stem for piece in READER.recognise(tmp_path)] == ["clicks", "more"]
    assert not READER.recognise(tmp_path / "items.csv")


def test_damage_and_pieces_of_another_make_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"broken\.parquet cannot be read as Parquet"):
        READER.read(READER.recognise(broken), ROLES)
    written(tmp_path / "mixed" / "part-0.parquet", user=[1], item=[7])
    written(tmp_path / "mixed" / "part-1.parquet", user=[1], thing=[7])
    with pytest.raises(DataError, match=r"mixed cannot be read as Parquet .*of one make"):
        READER.read(READER.recognise(tmp_path / "mixed"), ROLES)
    with pytest.raises(DataError, match=r"x\.parquet.*item"):
        READER.read(READER.recognise(written(tmp_path / "x.parquet", user=[1], nothing=["a"])), ROLES)


def test_titles_have_their_types(tmp_path: Path) -> None:
    path = written(tmp_path / "items.parquet", item=[1, 2], title=["A", "B"], year=[1999, 2000])
    assert READER.has_titles(path)
    assert READER.titles(path).schema["year"] == pl.Int64
