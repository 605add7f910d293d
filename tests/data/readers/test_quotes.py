"""Quotes in delimited text: what is counted, what closes, and what is written anew."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodiff.data.readers.quotes import count_lines, first_open, has_quotes, is_even, opens_a_field, rewritten


def lines(*texts: str) -> pl.DataFrame:
    return pl.DataFrame({"line": pl.Series(texts, dtype=pl.String)})


@pytest.mark.parametrize(
    ("content", "quotes", "count"),
    [(b"a,b\n1,2\n", False, 2), (b"a,b\n1,2", False, 2), (b'a,"b"\n', True, 1), (b"\n\n", False, 2), (b"a", False, 1)],
)
def test_a_file_and_its_bytes_are_counted_alike(tmp_path: Path, content: bytes, quotes: bool, count: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert has_quotes(content) is has_quotes(path) is quotes
    assert count_lines(content) == count_lines(path) == count


def test_lines_are_counted_across_the_pieces_that_are_read() -> None:
    assert count_lines(b"x" * (1 << 18) + b"\n" + b"y" * 10) == 2
    assert count_lines((b"z" * ((1 << 18) - 1) + b"\n") * 3) == 3


def test_a_text_is_even_where_every_line_can_have_its_fields() -> None:
    assert is_even(b"a,b,c\n1,2,3\n", ",", 3)
    assert not is_even(b"a,b,c\n1,2\n", ",", 3)
    assert not is_even(b"a;b\n1;2;3\n", ";", 2)


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        (("a,b", '1,"x, y"'), None),
        (('1,"say ""hi"""', "2,b"), None),
        (("1,2", '3,"open', "4,5"), 1),
        (('1,12" mix',), 0),
        (('1,"a"b',), 0),
        (("plain", "text"), None),
    ],
)
def test_the_first_line_with_a_quote_that_is_not_a_whole_fields(texts: tuple[str, ...], place: int | None) -> None:
    assert first_open(lines(*texts), ",") == place


def test_a_separator_that_is_special_in_patterns_is_taken_as_it_is() -> None:
    assert first_open(lines('1|"a|b"'), "|") is None
    assert first_open(lines('1|"a|b'), "|") == 0
    assert opens_a_field(lines('1|"a'), "|")


def test_a_quote_opens_a_field_at_its_start_alone() -> None:
    assert opens_a_field(lines('"a",b'), ",")
    assert opens_a_field(lines("x", 'a,"b'), ",")
    assert not opens_a_field(lines('a,12" mix', 'b"'), ",")


CELLS = st.text(st.characters(codec="ascii", exclude_characters="\r\0"), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=5))
def test_what_is_rewritten_is_the_same_table(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    again = rewritten(text.getvalue(), ",")
    assert again is not None
    assert list(csv.reader(io.StringIO(again.decode(), newline=""))) == rows


def test_blank_lines_stay_and_an_open_quote_gives_none() -> None:
    assert rewritten('a,"b"\n\n1,2\n', ",") == b"a,b\n\n1,2\n"
    assert rewritten('a,"b\n1,2\n', ",") is None
    assert rewritten('a,"b"c\n', ",") is None
