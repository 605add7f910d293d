"""Lists of another program are read as they were meant, and what is odd about them is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recodiff.data.interactions import IdMap, Interactions
from recodiff.errors import DataError
from recodiff.evaluation import given_lists
from recodiff.evaluation.given_lists import notes_on, read_lists
from recodiff.evaluation.protocol import Task

USERS, ITEMS = IdMap([1, 2, 3]), IdMap(["a", "b", "c", "d"])


def written(folder: Path, text: str, name: str = "lists.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def pairs(*given: tuple[int, int]) -> Interactions:
    rows, columns = zip(*given, strict=True)
    return Interactions.from_arrays(np.array(rows), np.array(columns), USERS, ITEMS)


def test_ranks_give_the_order_wherever_they_begin(tmp_path: Path):
    for first in (0, 1):
        path = written(tmp_path, f"user,item,rank\n1,b,{first + 1}\n1,a,{first}\n3,d,{first}\n")
        lists = read_lists(path, USERS, ITEMS)
        assert lists.items.tolist() == [[0, 1], [-1, -1], [3, -1]]
        assert lists.notes == ()


def test_scores_give_the_order_and_ties_that_of_the_file(tmp_path: Path):
    lists = read_lists(written(tmp_path, "userId\titemId\tscore\n1\ta\t0.5\n1\tb\t2\n1\tc\t0.5\n"), USERS, ITEMS)
    assert lists.items[0].tolist() == [1, 0, 2]
    assert "1 lists hold items of one score" in lists.notes[0]


def test_a_trec_run_file_is_read_by_its_scores(tmp_path: Path):
    text = "1 Q0 a 2 0.5 mine\n1 Q0 b 1 0.5 mine\n\n1\tQ0  c 3 7e-1 mine\n3 Q0 d 1 -2 mine\n"
    lists = read_lists(written(tmp_path, text, "mine.run"), USERS, ITEMS)
    assert lists.items.tolist() == [[2, 1, 0], [-1] * 3, [3, -1, -1]]
    assert "1 lists hold items of one score" in lists.notes[0]


def test_a_parquet_file_and_rows_without_rank(tmp_path: Path):
    path = tmp_path / "lists.parquet"
    pl.DataFrame({"user": [2, 2], "item": ["d", "a"]}).write_parquet(path)
    lists = read_lists(path, USERS, ITEMS)
    assert lists.items[1].tolist() == [3, 0]
    assert "neither rank nor score" in lists.notes[0]


def test_a_repeated_item_counts_once_and_an_unknown_one_keeps_its_place(tmp_path: Path):
    path = written(tmp_path, "user,item,rank\n1,a,1\n1,a,2\n1,zzz,3\n1,b,4\n9,a,1\n")
    lists = read_lists(path, USERS, ITEMS)
    assert lists.items[0].tolist() == [0, -1, 1]
    assert lists.lengths.tolist() == [3, 0, 0]
    told = " ".join(lists.notes)
    assert "1 users of lists.csv are not in the data" in told
    assert "1 rows repeat an item" in told
    assert "1 places hold an item that the data does not know" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,thing\n1,a\n", "no column 'item'"),
        ("user,item,rank\n1,a,first\n", "no numbers"),
        ("user,item,rank\n1,,1\n", "empty field"),
        ("user,item,rank\n77,a,1\n", "holds no user"),
        ("user,item,rank\n", "has no rows"),
        ("1,a,9\n1,b,2\n", "no column 'user', its first line reads 1, a, 9; lists have a header"),
        ("1 Q0 a 1 3.5 mine\n1 Q0 b 2\n", "'1 Q0 b 2' is no line of one"),
    ],
)
def test_what_is_no_table_of_lists_is_refused(tmp_path: Path, text: str, words: str):
    with pytest.raises(DataError, match=words):
        read_lists(written(tmp_path, text), USERS, ITEMS)


def test_missing_short_and_seen_are_told(tmp_path: Path):
    task = Task(history=pairs((0, 3)), truth=pairs((0, 0), (1, 1)), mask=pairs((0, 3)))
    lists = read_lists(written(tmp_path, "user,item,rank\n1,d,1\n1,a,2\n3,a,1\n"), USERS, ITEMS)
    told = " ".join(notes_on(lists, task, 3))
    assert "1 of 2 users with something to be found have no list" in told
    assert "1 users have a list and nothing to be found" in told
    assert "1 lists hold fewer than 3 items" in told
    assert "1 places hold items that the user has interacted with before" in told


def test_brackets_in_a_name_are_part_of_it_and_no_pattern(tmp_path: Path) -> None:
    for name, user in (("l[1].parquet", "mine"), ("l1.parquet", "neighbour")):
        pl.DataFrame({"user": [user], "item": ["a"], "rank": [1]}).write_parquet(tmp_path / name)
    assert given_lists._table(tmp_path / "l[1].parquet")["user"].to_list() == ["mine"]
