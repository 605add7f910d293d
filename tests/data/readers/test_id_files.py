"""Files of ids: no id is lost to a header that is none, and none is made of one that is."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from recodiff.data import IdMap
from recodiff.data.readers.id_files import read_ids
from recodiff.errors import ConfigError

NUMBERS, TEXTS = IdMap([3, 4, 5, 9]), IdMap(["a", "b", "item"])


def parquet(**columns: list) -> bytes:
    pl.DataFrame(columns).write_parquet(file := BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("min.csv", "9\n3\n4\n", ["9", "3", "4"]),
        ("quoted.csv", '"9"\n"3"\n"4"\n', ["9", "3", "4"]),
        ("quoted.tsv", '"9"\n"3"\n', ["9", "3"]),
        ("banned.csv", "3\n4\n5\n", ["3", "4", "5"]),
        ("named.csv", "item\n3\n4\n", ["3", "4"]),
        ("other.csv", "what\n3\n4\n", ["3", "4"]),
        ("unknown.csv", "7\n3\n", ["7", "3"]),
        ("wide.csv", "score,item_id\n0.5,3\n0.25,4\n", ["3", "4"]),
        ("bare.csv", "3,0.5\n4,0.25\n", ["3", "4"]),
        ("tabs.tsv", "rank\tmovieId\n1\t3\n2\t4\n", ["3", "4"]),
        ("plain.txt", "3\n\n 4 \n", ["3", "4"]),
        ("named.txt", "item_id\n3\n4\n", ["3", "4"]),
        ("marked.txt", "\ufeff3\n4\n", ["3", "4"]),
        ("wide.parquet", parquet(rank=[1, 2], item=[3, 4]), [3, 4]),
        ("a.jsonl", '{"item": 3}\n{"item": 4}\n', ["3", "4"]),
        ("a.jsonl", '{"title": "9", "id": 3}\n{"title": "9", "id": 4}\n', ["3", "4"]),
        ("a.jsonl", "3\n\n4\n", ["3", "4"]),
        ("titles.csv", "title,id\n9,3\n9,4\n", ["3", "4"]),
        ("id.txt", "id\n3\n4\n", ["3", "4"]),
        ("floats.csv", "item\n3.0\n4.00\n", ["3", "4"]),
        ("floats.txt", "3.0\n4\n", ["3", "4"]),
        ("floats.parquet", parquet(item=[3.0, 4.0]), ["3", "4"]),
        ("gaps.csv", "item\n3\nNA\n4\n", ["3", "4"]),
    ],
)
def test_ids_of_items(tmp_path: Path, name: str, content: str | bytes, ids: list) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_ids(tmp_path / name, NUMBERS, "item").to_list() == ids


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [("ids.csv", "item\na\nb\n", ["item", "a", "b"]), ("ids.csv", "a\nb\n", ["a", "b"]), ("ids.csv", "item_id\na\n", ["a"])],
)
def test_a_first_cell_that_is_a_known_id_is_an_id(tmp_path: Path, name: str, content: str, ids: list[str]) -> None:
    (tmp_path / name).write_text(content)
    assert read_ids(tmp_path / name, TEXTS, "item").to_list() == ids


def test_users_are_found_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("item,user_id\n7,3\n8,4\n")
    assert read_ids(tmp_path / "ids.csv", NUMBERS, "user").to_list() == ["3", "4"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", "", "holds no ids"),
        ("none.txt", "\n", "holds no ids"),
        ("named.csv", "item\n", "holds no ids"),
        ("bad.parquet", "PAR1", "bad.parquet' cannot be read"),
        ("not_there.txt", None, "not_there.txt' is missing"),
    ],
)
def test_files_without_ids_are_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_ids(tmp_path / name, NUMBERS, "item")


@pytest.mark.parametrize("name", ["pipe.txt", "pipe.csv", "pipe.parquet"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ConfigError, match="is no file; give one id per line"):
        read_ids(tmp_path / name, IdMap.range(3), "item")


def test_floats_are_text_where_the_ids_are(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("3.0\n")
    assert read_ids(tmp_path / "ids.txt", IdMap(["3.0", "3"]), "item").to_list() == ["3.0"]


@pytest.mark.parametrize(
    ("content", "words"), [("{3}\n", r"line 1: '\{3\}' is no JSON"), ("3\n[3, 4]\n", "line 2: .* holds no single id")]
)
def test_json_that_holds_no_ids_is_refused_with_its_line(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "ids.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=words):
        read_ids(tmp_path / "ids.jsonl", NUMBERS, "item")
