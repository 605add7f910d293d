"""What a log means: situations of public bug reports, reduced, each with its right answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from situations import UIP, UIT, UIWT, Case, T, array, lines

HANDED = [
    Case(
        "01 iso", {"a.dat": "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T13:56:37.614Z,214662742,0\n"}, "column 1 .*time"
    ),
    Case("01 epoch", {"a.csv": "1,1387670400,55\n1,1387670500,56\n"}, [(1, 55, T), (1, 56, T + 100)], {}, UIT),
    Case("01 place", {"a.csv": "0,4,40.71,-74.00\n0,5,40.72,-73.99\n"}, "which is which.*columns 2 .*and 3 .*no time"),
    Case("03 rest", {"a.csv": f"7,1,5.0,{T}\n8,1,4.0,{T}\n"}, [(1, 7, 5, T), (1, 8, 4, T)], {"user": 1, "item": 0}, UIWT),
    Case("03 one", {"a.csv": f"7,1,5.0,{T}\n8,1,4.0,{T}\n"}, "no column that is clearly the item", {"user": 1}),
    Case("03 other", {"a.csv": f"7,1,5.0,{T}\n8,1,4.0,{T}\n"}, "no column that is clearly the user", {"item": 1}),
    Case("04 inch", {"a.tsv": 'u1\tm1\tmaxi 12" mix\t3\nu2\tm2\tlow\t4\n'}, [("u1", "m1"), ("u2", "m2")]),
    Case("04 weird", {"a.tsv": 'u1\tm1\t"weird al" yankovic\t3\nu2\tm2\tlow\t4\n'}, [("u1", "m1"), ("u2", "m2")]),
    Case(
        "04 open",
        {"a.csv": 'user_id,item_id,title,timestamp\n1,10,"Heroes,1387670400\n1,11,Low,1387670401\n2,12,"Ashes,1387670403\n'},
        "line 2: .*quote.*--no-quotes",
    ),
    Case(
        "05",
        {"train.txt": "71 2251 4\n193 3454 5\n66 346 4\n"},
        [(71, 2251, 4), (193, 3454, 5), (66, 346, 4)],
        {},
        "user item weight",
    ),
    Case(
        "07",
        {"a.csv": "sessionId;userId;itemId\n1;NA;81766\n1;NA;31331\n2;7;5\n"},
        "line 2: userId is missing .*such as NA.* 2 of 3 rows",
    ),
    Case("07 drop", {"a.csv": "userId;itemId\nNA;81766\n7;5\n8;6\n"}, [(7, 5), (8, 6)], {"on_bad_rows": "drop"}),
    Case(
        "08",
        {"a.tsv": "user_1\t2009-05-04T23:08:57Z\tm1\nuser_1\t2009-05-04T13:54:10Z\tm2\n"},
        [("user_1", "m1"), ("user_1", "m2")],
        {"user": 0, "item": 2},
    ),
    Case(
        "09",
        {"a.csv": "t_dat,customer_id,article_id\n2018-09-20,a,0663713001\n2018-09-21,a,0541518023\n"},
        [("a", "0663713001"), ("a", "0541518023")],
        told="'t_dat' looks like a time.*--time-column t_dat",
    ),
    Case("10 compact", {"a.csv": "user,item,timestamp\n1,5,20190401123000\n1,6,20190402123000\n"}, "look like dates"),
    Case("10 mixed", {"a.csv": "user,item,timestamp\n1,5,1577836800\n1,6,1577923200000\n2,6,1577923200\n"}, "line 3.*two units"),
    Case(
        "10 sentinel",
        {"a.csv": "user,item,timestamp\n1,5,1577836800\n1,6,1577923200\n2,6,253402300799\n"},
        [(1577836800,), (1577923200,), (253402300799,)],
        {},
        "time",
        "line 4.*9999",
    ),
    Case("10 zero", {"a.csv": "user,item,timestamp\n1,5,20190401\n1,6,20190402\n2,6,0\n"}, "look like dates"),
    Case(
        "11",
        {"train.txt": "0 1 2 3\n1 2 4 5\n", "valid.txt": "0 6\n1 7\n", "test.txt": "0 8\n1 9\n"},
        [(0, i, "train") for i in (1, 2, 3)]
        + [(1, i, "train") for i in (2, 4, 5)]
        + [(0, 6, "valid"), (1, 7, "valid"), (0, 8, "test"), (1, 9, "test")],
        {},
        UIP,
    ),
    Case("13", {"a.txt": "1 63\n1 14\n2 63\n"}, [(1, 63, 0), (1, 14, 1), (2, 63, 0)], {"time_unit": "order"}, UIT),
    Case("14", {"a.jsonl": lines({"user_id": 1, "item_id": 2}, {"user_id": 2, "item_id": 3})}, [(1, 2), (2, 3)]),
    Case(
        "16",
        {"train_list.npy": array((0, 1), (0, 2)), "valid_list.npy": array((0, 3)), "test_list.npy": array((0, 4))},
        [(1, "train", 0), (2, "train", 1), (3, "valid", 2), (4, "test", 3)],
        {},
        "item part time",
    ),
    Case(
        "19 none",
        {"a.csv": "user,item,time\n1,5,None\n1,6,2020-01-01 10:00:00\n2,6,2020-01-02\n"},
        [(1, 6), (2, 6)],
        {"on_bad_rows": "drop"},
    ),
    Case(
        "19 zero",
        {"a.csv": "user,item,time\n1,5,0\n1,6,2020-01-01 10:00:00\n2,6,2020-01-02\n"},
        [(1, 6), (2, 6)],
        {"on_bad_rows": "drop"},
    ),
]


@pytest.mark.parametrize("case", HANDED, ids=lambda case: case.name)
def test_a_reported_log_is_read_rightly_or_refused(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
