"""Columns without names: the kind of a value, of a column, whether there is a header, and which column is what."""

from __future__ import annotations

import re

import pytest

from recodiff.data.readers.places import Kind, by_place, columns_of, is_header, kind_of
from recodiff.errors import DataError

T = "1387670400"
ASKED = {"user": None, "item": None, "weight": None, "time": None}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "empty"),
        ("NA", "empty"),
        ("2013-12-22", "time"),
        ("2013-12-22T10:00:00Z", "time"),
        (T, "time"),
        (f"{T}000", "time"),
        (f"{T}000000000", "time"),
        ("0138767040", "number"),
        ("42", "number"),
        ("-3", "number"),
        ("4.5", "decimal"),
        ("1e3", "decimal"),
        ("B0009XJWBE", "text"),
        ("2013-12", "text"),
        (" 7 ", "number"),
    ],
)
def test_the_kind_of_a_value(value: str, kind: Kind) -> None:
    assert kind_of(value) == kind


def test_a_column_is_what_four_fifths_of_its_values_are() -> None:
    def kind(*values: str) -> Kind:
        return columns_of([[value] for value in values])[0].kind

    assert kind(*[T] * 4, "x") == "time"
    assert kind(*[T] * 3, "x", "y") == "text"
    assert kind("1", "2", "3.5") == "decimal"
    assert kind("1", "", "NA") == "number"
    assert kind("", "NA") == "empty"


def test_a_column_remembers_a_value_of_its_kind_and_leaves_out_what_is_missing() -> None:
    (column,) = columns_of([["x"], ["5"], [""], ["6"], ["7"], ["8"]])
    assert (column.kind, column.example, len(column.values)) == ("number", "5", 5)


def test_scales_and_coordinates() -> None:
    rating, latitude, price = columns_of([["5", "30.2359", "12.5"], ["1", "-97.795", "9.9"]])
    assert rating.is_scale()
    assert latitude.is_coordinate()
    assert not price.is_coordinate(), "a place on earth has decimals"
    assert not columns_of([["11"]])[0].is_scale()
    assert not columns_of([["200.1234"]])[0].is_coordinate()
    assert rating.all_match(re.compile(r"\d$"))
    assert not columns_of([[""]])[0].all_match(re.compile("x"))


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["user", "item"], ["1", "2"]], True),
        ([["who", "what"], ["1", "2"]], True),
        ([["1", "2"], ["3", "4"]], False),
        ([["ann", "pear"], ["bob", "fig"]], True),
        ([["a1", "5"], ["a2", "4"]], False),
        ([["user", "x"]], True),
        ([["1", "x"]], False),
    ],
)
def test_whether_the_first_line_is_a_header(rows: list[list[str]], header: bool) -> None:
    assert is_header(rows, by_position=False) is header


def test_texts_above_texts_are_no_header_where_columns_are_named_by_position() -> None:
    assert not is_header([["ann", "pear"], ["bob", "fig"]], by_position=True)


@pytest.mark.parametrize(
    ("rows", "roles"),
    [
        ([["1", "10", "5", T], ["2", "11", "4", T]], {"user": 0, "item": 1, "weight": 2, "time": 3}),
        ([["1", "10", T, "5"], ["2", "11", T, "4"]], {"user": 0, "item": 1, "weight": 3, "time": 2}),
        ([["B0009XJWBE", "u_12"], ["B0009XJWBF", "u_13"]], {"user": 1, "item": 0}),
        ([["0", T, "30.2359", "-97.795", "22847"], ["0", T, "30.2691", "-97.749", "420315"]], {"user": 0, "item": 4, "time": 1}),
    ],
)
def test_roles_follow_from_what_columns_hold(rows: list[list[str]], roles: dict[str, int]) -> None:
    assert by_place(rows, ASKED, "a.csv") == roles


def test_positions_given_are_kept_and_the_rest_is_found() -> None:
    rows = [["7", "1", T], ["8", "1", T]]
    assert by_place(rows, {**ASKED, "user": 1, "item": 0}, "a.csv") == {"user": 1, "item": 0, "time": 2}
    assert by_place(rows, {"user": 1, "item": 0, "weight": None, "time": False}, "a.csv") == {"user": 1, "item": 0}


def test_small_numbers_are_times_where_the_caller_says_what_they_count() -> None:
    rows = [["1", "10", "5", "0"], ["1", "11", "4", "1"]]
    with pytest.raises(DataError, match=r"columns 2 \(5\) and 3 \(0\) both hold numbers"):
        by_place(rows, ASKED, "a.csv")
    assert by_place(rows, ASKED, "a.csv", counts_time=True)["time"] == 3


@pytest.mark.parametrize(
    ("rows", "given", "said"),
    [
        ([["1", "2"]], {**ASKED, "user": 5, "item": 0}, "no column at position 5 for the user; its 2 columns are 0 to 1"),
        ([["1", "2"]], {**ASKED, "user": 0}, "no column that is clearly the item"),
        ([["1"]], ASKED, "a user and an item are needed"),
        ([["ann", "pear"], ["bob", "fig"]], ASKED, r"which of columns 0 \('ann'\) and 1 \('pear'\) is the user"),
        ([["1", "4.99", "10"], ["2", "3.50", "11"]], ASKED, "column 1 holds '4.99', which is no item"),
        ([["", "4"], ["", "5"]], ASKED, "column 0 holds '', which is empty"),
        ([["1", "10", T, T]], ASKED, "both look like times"),
    ],
)
def test_what_is_not_clear_is_asked_for(rows: list[list[str]], given: dict[str, int | None], said: str) -> None:
    with pytest.raises(DataError, match=said):
        by_place(rows, given, "a.csv")
