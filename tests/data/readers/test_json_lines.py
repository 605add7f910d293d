"""JSON: lines or one array, fields one level deep, and what is no JSON named by its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from recodiff.data.readers.json_lines import JsonLines
from recodiff.data.readers.reader import Options
from recodiff.data.readers.tables import in_memory
from recodiff.errors import DataError

READER = JsonLines()
ROLES = Options(given={"user": None, "item": None, "weight": None, "time": None})
OBJECTS = [{"user": "u1", "item": "a", "rating": 4, "note": "x"}, {"user": "u2", "item": "b", "rating": 5, "note": "y"}]


def written(folder: Path, text: str, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def in_lines(*objects: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_lines_and_an_array_are_the_same_table(tmp_path: Path) -> None:
    lines = READER.read(READER.recognise(written(tmp_path, in_lines(*OBJECTS))), ROLES)
    array = READER.read(READER.recognise(written(tmp_path, json.dumps(OBJECTS, indent=1), "log.json")), ROLES)
    assert in_memory(lines.frame).equals(in_memory(array.frame))
    assert in_memory(lines.frame).select("user", "item", "weight").rows() == [("u1", "a", "4"), ("u2", "b", "5")]
    assert lines.unread == ("note",)


def test_a_compressed_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.json.gz"
    path.write_bytes(gzip.compress(json.dumps(OBJECTS).encode()))
    assert in_memory(READER.read(READER.recognise(path), ROLES).frame).height == 2


def test_a_field_one_level_deep_has_a_name_of_two_words(tmp_path: Path) -> None:
    objects = [{"user": {"id": 1, "age": 30}, "item": {"id": 7}}, {"user": {"id": 2, "age": 31}, "item": {"id": 8}}]
    options = Options(given={"user": "user.id", "item": "item.id", "weight": False, "time": False})
    found = READER.read(READER.recognise(written(tmp_path, in_lines(*objects))), options)
    assert in_memory(found.frame).select("user", "item").rows() == [("1", "7"), ("2", "8")]
    assert found.unread == ("user.age",)


def test_a_field_with_a_point_in_its_own_name_is_no_nested_one(tmp_path: Path) -> None:
    path = written(tmp_path, in_lines({"user.id": 1, "item": 7}, {"user.id": 2, "item": 8}))
    options = Options(given={"user": "user.id", "item": "item", "weight": False, "time": False})
    assert in_memory(READER.read(READER.recognise(path), options).frame)["user"].to_list() == ["1", "2"]


def test_a_row_is_placed_by_its_line_blank_lines_counted(tmp_path: Path) -> None:
    text = in_lines(OBJECTS[0]) + "\n\n" + in_lines(OBJECTS[1])
    found = READER.read(READER.recognise(written(tmp_path, text)), ROLES)
    assert [found.place(row) for row in (0, 1)] == ["line 1", "line 4"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"user": 1, "item": 2}\n[1, 2]\n', r"log.jsonl, line 2: '\[1, 2\]' is no JSON object"),
        ("{'user': 1}\n", "line 1: .*with double quotes"),
        ('{\n"user": 1,\n"item": 2\n}\n', "one JSON value over many lines"),
        ("[1, 2]", "holds no objects in its array"),
        ("[{", "is no JSON"),
        ('{"user": 1, "item": 2}\n' * 300 + '{"user": 1, "item":\n', "line 301: .*is no JSON object"),
    ],
)
def test_what_is_no_table_of_objects_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        READER.read(READER.recognise(written(tmp_path, text)), ROLES)


def test_files_are_known_by_their_ending_and_a_known_data_set_by_its_name(tmp_path: Path) -> None:
    assert not READER.recognise(written(tmp_path, "", "log.csv"))
    reviews = written(tmp_path, in_lines(*OBJECTS), "yelp_academic_dataset_review.json")
    written(tmp_path, in_lines({"business_id": "a", "name": "Bar"}), "yelp_academic_dataset_business.json")
    assert [piece.path for piece in READER.recognise(tmp_path)] == [reviews]
    assert READER.title_files(reviews) == ["yelp_academic_dataset_business.json"]
    assert READER.has_titles(reviews)


def test_titles_are_the_fields_that_are_no_lists(tmp_path: Path) -> None:
    path = written(tmp_path, in_lines({"item": 1, "title": "A", "tags": ["x"], "by": {"name": "N"}}), "items.jsonl")
    table = READER.titles(path)
    assert table.select("item", "title").rows() == [("1", "A")]
    assert "tags" not in table.columns
    assert "by.name" in table.columns
