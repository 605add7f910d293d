"""The layouts that published data sets come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recodiff.data import load_dataset, read_log
from recodiff.data.readers import diffrec
from recodiff.errors import ConfigError, DataError

GENRES = "|".join("1" if genre in (3, 5) else "0" for genre in range(19))


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def release(folder: Path, **parts: list[list[int]]) -> Path:
    for name in ("train", "valid", "test"):
        np.save(folder / f"{name}_list.npy", np.array(parts.get(name, []), dtype=np.int64).reshape(-1, 2))
    return folder


def items_of(source: Any, **options: Any) -> list[tuple]:
    items = read_log(source, **options).items
    assert items is not None
    return items.rows()


def test_movielens_100k(tmp_path: Path) -> None:
    titles = f'242|"Café" (1996)|24-Jan-1997||http://x|{GENRES}\n7|Other|||y|{GENRES}\n'
    files = {"u.data": "196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "u.item": titles.encode("latin-1"), "README": "terms"}
    log = read_log(write(tmp_path, files))
    assert log.frame.rows() == [(196, 242, 3, 881250949), (186, 302, 3, 891717742)]
    assert log.terms == "see README beside the source"
    assert items_of(tmp_path)[0] == (242, '"Café" (1996)', "24-Jan-1997", "Animation|Comedy")
    assert items_of(tmp_path / "u.data") == items_of(tmp_path)
    write(tmp_path, {"u.item": "242|Title\n"})
    with pytest.raises(DataError, match=r"u.item has 2 columns, not the 24"):
        read_log(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_movielens_dat_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    movies = "0104257::Café (1995)::Animation|Drama\n".encode(encoding)
    write(tmp_path, {"ratings.dat": "1::0104257::5::978300760\n2::0104257::4::978300761\n", "movies.dat": movies})
    assert read_log(tmp_path).frame.rows() == [(1, "0104257", 5, 978300760), (2, "0104257", 4, 978300761)]
    assert items_of(tmp_path) == [("0104257", "Café (1995)", "Animation|Drama")]


def test_movielens_csv(tmp_path: Path) -> None:
    ratings = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n"
    write(tmp_path, {"ratings.csv": ratings, "movies.csv": 'movieId,title,genres\n31,"A, The ""B"" (1995)",Drama\n32,C,\n'})
    assert read_log(tmp_path).frame.rows() == [(1, 31, 2.5, 1260759144)]
    assert items_of(tmp_path)[0] == (31, 'A, The "B" (1995)', "Drama")


def test_recbole(tmp_path: Path) -> None:
    inter = 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t"242\t3\t881250949\n'
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    item = f'{header}"242\tToy Story\t1995\tComedy\n7\tA (1990)\tV\tX\n'
    write(tmp_path, {"toy.inter": inter, "toy.item": item, "toy.user": "user_id:token\n1\n"})
    assert read_log(tmp_path).frame.rows() == [(196, '"242', 3, 881250949)]
    assert items_of(tmp_path) == [('"242', "Toy Story (1995)", "1995", "Comedy"), ("7", "A (1990)", "V", "X")]


def test_lightgcn_text(tmp_path: Path) -> None:
    write(tmp_path, {"train.txt": "0 5 3\n1\n\n2 5 \n", "test.txt": "0 1\n2 0  7\n"})
    log = read_log(tmp_path)
    assert log.time_kind is None
    assert log.frame.rows() == [
        *((0, 5, "train"), (0, 3, "train"), (2, 5, "train")),
        *((0, 1, "test"), (2, 0, "test"), (2, 7, "test")),
    ]
    assert read_log(tmp_path / "train.txt").frame.rows() == [(0, 5), (0, 3), (2, 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 2\n1 x\n", "train.txt, line 2: '1 x' is not LightGCN's"),
        ("0 1 2\n\n1 -3\n", "train.txt, line 3: '1 -3' is not"),
        ("0 1 2\n1\t3\n", "say format='table' if it is a table"),
        ("", "train.txt is empty"),
        (b"0 1 \xe9", "train.txt is not UTF-8"),
    ],
)
def test_bad_lightgcn_text_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_log(write(tmp_path, {"train.txt": text}))


def test_a_table_named_like_lightgcn_text_is_read_as_one(tmp_path: Path) -> None:
    path = write(tmp_path, {"train.txt": "0\t1\t5\n"}) / "train.txt"
    assert read_log(path).frame.rows() == read_log(tmp_path).frame.rows() == [(0, 1, 5)]
    write(tmp_path, {"train.txt": "1 5 6\n2 7 9\n"})
    assert read_log(path, format="table").frame.rows() == read_log(tmp_path, format="table").frame.rows() == [(1, 5, 6), (2, 7, 9)]
    assert read_log(path, format="lightgcn").frame.rows() == [(1, 5), (1, 6), (2, 7), (2, 9)]
    with pytest.raises(DataError, match=r"looks like lightgcn, not parquet; give the file itself"):
        read_log(write(tmp_path, {"train.txt": "1 5 6 7\n2 7\n"}), format="parquet")


def test_a_release_counts_time_over_its_parts(tmp_path: Path) -> None:
    release(tmp_path, train=[[0, 4], [1, 0], [0, 2]], test=[[0, 1]], valid=[[0, 3], [1, 4]])
    write(tmp_path, {"items.csv": "item,title,verified\n4,Four,True\n"})
    train = [(0, 4, "train", 0), (0, 2, "train", 1)]
    log = read_log(tmp_path)
    assert log.time_kind == "order"
    assert log.reading is not None
    assert log.frame.filter(pl.col("user") == 0).rows() == [*train, (0, 3, "valid", 2), (0, 1, "test", 3)]
    assert log.reading.roles["time"].startswith("the order of rows, in train, then valid, then test")
    between = read_log(tmp_path, part_order="test-valid")
    assert between.frame.filter(pl.col("user") == 0).rows() == [*train, (0, 1, "test", 2), (0, 3, "valid", 3)]
    assert items_of(tmp_path) == [(4, "Four", "True")]
    with pytest.raises(ConfigError, match=r"part_order='random' is unknown; choose one of auto, valid-test, test-valid"):
        read_log(tmp_path, part_order="random")  # type: ignore[arg-type]


def test_a_known_release_has_its_test_part_before_the_validation_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release(tmp_path, train=[[0, 4], [1, 0]], test=[[0, 1]], valid=[[0, 3]])
    monkeypatch.setitem(diffrec.RELEASED, (2, 5, 4), "toy")
    assert read_log(tmp_path).frame["part"].to_list() == ["train", "train", "test", "valid"]
    assert load_dataset(tmp_path).part("valid").times.tolist() == [2]  # type: ignore[union-attr]
    assert load_dataset(tmp_path, part_order="valid-test").part("test").times.tolist() == [2]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[0, 1], [3, -1]]), r"train_list.npy, row 1: \[3, -1\] holds a negative number"),
        (np.array([[0.0, 1.0]]), r"holds float64 \[1, 2\], not whole numbers"),
        (np.array([1, 2]), r"holds int64 \[2\], not whole numbers \[n, 2\]"),
        (np.array([[0, 2**40]]), "1099511627776, too high"),
        (np.array([[0, "x"]], dtype=object), "it should hold"),
    ],
)
def test_bad_release_arrays_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(release(tmp_path, test=[[0, 0]]) / "train_list.npy", array)
    with pytest.raises(DataError, match=message):
        read_log(tmp_path)


@pytest.mark.parametrize("keep", [0, 20, -7])
def test_a_truncated_or_missing_release_file_is_named(tmp_path: Path, keep: int) -> None:
    path = release(tmp_path, train=[[0, 1]], test=[[0, 2]]) / "test_list.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"test_list.npy' cannot be read"):
        read_log(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"test_list.npy is missing; a release folder holds"):
        read_log(tmp_path)


def test_a_folder_without_anything_known_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no interactions that are known at sight \(nothing\)"):
        read_log(tmp_path)
    table = "user,item\n1,2\n"
    write(tmp_path, {"a.csv": table, "README.txt": "hello"})
    assert read_log(tmp_path).frame.rows() == [(1, 2)]
    write(tmp_path, {"b.csv": table})
    with pytest.raises(DataError, match=r"README.txt, a.csv, b.csv\); give the file itself"):
        read_log(tmp_path)
    write(tmp_path, {"dataset.json": "{}"})
    with pytest.raises(DataError, match=r"is prepared already"):
        read_log(tmp_path)


def test_titles_may_be_given_and_match_the_type_of_the_ids(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": [1, 1], "item": ["7", "08"]})
    given = pl.DataFrame({"name": ["Seven", "again", "none"], "item_id": [7, 7, None], "price": [1.5, 2.0, 3.0]})
    items = read_log(log, items=given).items
    assert items is not None
    assert items.rows() == [("7", "Seven", 1.5)]
    path = write(tmp_path, {"titles.csv": "id,title\n7,Seven\n"}) / "titles.csv"
    assert items_of(log, items=path) == [("7", "Seven")]
    for header, message in (("a", "no column that is clearly the item.*rename"), ("asin,isbn", "could each be the item; rename")):
        write(tmp_path, {"titles.csv": f"{header},title\n"})
        with pytest.raises(DataError, match=message):
            read_log(log, items=path)
    write(tmp_path, {"titles.csv": "item,title\n7,Seven\n8,Eight,8\n"})
    with pytest.raises(DataError, match=r"titles.csv, line 3"):
        read_log(log, items=path)
    assert items_of(log, items=path, on_bad_rows="drop") == [("7", "Seven")]


@pytest.mark.parametrize(
    ("folder", "rows", "time_kind", "title"),
    [
        ("ml-1m_clean", 571_531, "order", "Girl, Interrupted (1999)"),
        ("ml-1m_noisy", 618_297, "order", None),
        ("gowalla", 1_027_370, None, None),
        ("movietweetings-100k", 100_000, "clock", "Fantômas - À l'ombre de la guillotine (1913)"),
        ("online-retail", 397_884, "clock", "INFLATABLE POLITICAL GLOBE"),
        ("ml-latest-small", 100_004, "clock", "Toy Story (1995)"),
    ],
)
def test_real_folders(shared: Path, folder: str, rows: int, time_kind: str | None, title: str | None) -> None:
    log = read_log(shared / folder)
    assert (log.frame.height, log.time_kind, log.dropped) == (rows, time_kind, {})
    assert (None if log.items is None else log.items["title"][0]) == title
    assert log.reading is not None
    assert log.reading.warnings == ()
