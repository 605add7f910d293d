"""What a log means: siblings of the situations in `test_handed`, by kind.

The names in capitals are the kinds; a situation that is new is written here before it is mended.
"""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from situations import UIP, UIT, UIWT, Case, T, array, lines, parquet

AMAZON = {"reviewerID": "A2", "asin": "B001", "overall": 5.0, "unixReviewTime": T, "reviewText": "fine"}
COLUMNS_WITHOUT_A_HEADER = [
    Case(
        "checkins",
        {"a.txt": "0\t2010-10-19T23:55:27Z\t30.2359\t-97.7951\t22847\n0\t2010-10-18T22:17:43Z\t30.2691\t-97.7493\t420315\n"},
        [(0, 22847, 1287532527), (0, 420315, 1287440263)],
        {},
        UIT,
    ),
    Case("price as item", {"a.csv": "1,4.99,10\n2,3.50,11\n"}, "column 1 .*4.99.*no item"),
    Case("time as user", {"a.csv": f"{T},1,55\n{T + 1},2,56\n"}, "column 0 .*time"),
    Case("two texts", {"a.csv": "pear,ann\nfig,bob\n"}, "which of columns 0 .*1 .*is the user", {"header": False}),
    Case(
        "asin first",
        {"a.csv": "0001713353,A1C6M8LCIX4M6M,5.0,1123804800\n0001713353,A26PYNKF1EZHI7,4.0,1123804801\n"},
        [("A1C6M8LCIX4M6M", "0001713353", 5, 1123804800), ("A26PYNKF1EZHI7", "0001713353", 4, 1123804801)],
        {},
        UIWT,
    ),
    Case(
        "asin second",
        {"a.csv": f"A1YJEY40YUW4SE,7806397051,3.0,{T}\nA60XNB876KYML,B0009XJWBE,3.0,{T}\n"},
        [("A1YJEY40YUW4SE", "7806397051"), ("A60XNB876KYML", "B0009XJWBE")],
    ),
    Case("milliseconds", {"a.csv": f"1,10,5,{T}000\n1,11,4,{T}000\n"}, [(1, 10, 5, T), (1, 11, 4, T)], {}, UIWT),
    Case("time before rating", {"a.csv": f"1,10,{T},5\n1,11,{T},4\n"}, [(1, 10, 5, T), (1, 11, 4, T)], {}, UIWT),
    Case("date before rating", {"a.csv": "1,10,2013-12-22,5\n1,11,2013-12-22,4\n"}, [(1, 10, 5, T), (1, 11, 4, T)], {}, UIWT),
    Case("long ids and ratings", {"a.csv": "1,1234567890,5\n1,1234567891,4\n"}, "column 1 .*looks like a time and is no item"),
    Case("two times", {"a.csv": f"1,10,{T},{T}\n1,11,{T},{T}\n"}, "columns 2 .*3 .*time"),
    Case("five numbers", {"a.csv": "1,2,3,4,5\n6,7,8,9,9\n"}, "which is which"),
    Case("rank said", {"a.csv": "1,10,5,0\n1,11,4,1\n"}, [(1, 10, 5, 0), (1, 11, 4, 1)], {"time_unit": "order"}, UIWT),
]
POSITIONS = [
    Case("time is kept", {"a.csv": f"7,1,{T}\n8,1,{T}\n"}, [(1, 7, T), (1, 8, T)], {"user": 1, "item": 0}, UIT),
    Case("time between", {"a.csv": f"1,{T},55\n2,{T},56\n"}, [(1, 55, T), (2, 56, T)], {"user": 0, "item": 2}, UIT),
    Case("below names", {"a.csv": f"a,b,rating,timestamp\n7,1,5,{T}\n"}, [(1, 7, 5, T)], {"user": 1, "item": 0}, UIWT),
    Case("text over numbers", {"a.csv": "who,what\n1,10\n2,11\n"}, [(1, 10), (2, 11)], {"user": 0, "item": 1}),
    Case("all text", {"a.csv": "ann,pear\nbob,fig\n"}, [("ann", "pear"), ("bob", "fig")], {"user": 0, "item": 1}),
    Case(
        "dates below a date",
        {"a.csv": "ann,2013-12-22,pear\nbob,2013-12-22,fig\n"},
        [("ann", "pear", T), ("bob", "fig", T)],
        {"user": 0, "item": 2, "time": 1},
        UIT,
    ),
    Case("no weight wanted", {"a.csv": f"7,1,5,{T}\n"}, [(1, 7, T)], {"user": 1, "item": 0, "weight": False}, UIT),
]
QUOTES = [
    Case("inch in a csv", {"a.csv": 'user,item,title,rating\n1,10,maxi 12" mix,3\n2,11,low,4\n'}, [(1, 10), (2, 11)]),
    Case("break in quotes", {"a.csv": 'user,note,item\n1,"a\nb",10\n2,c,11\n'}, [(1, 10), (2, 11)]),
    Case("open at the end", {"a.csv": 'user,item,title\n1,10,a\n2,11,"b\n'}, "line 3: .*quote"),
    Case(
        "open in a tsv",
        {"a.tsv": 'user\titem\ttitle\trating\n1\t10\t"a\t3\n2\t11\tb\t4\n3\t12\t"c\t5\n'},
        [(1, 10), (2, 11), (3, 12)],
    ),
    Case("doubled", {"a.csv": 'user,item,title\n1,10,"say ""hi"", you"\n2,11,b\n'}, [(1, 10), (2, 11)]),
    Case("said", {"a.csv": 'user,item,title\n1,10,"a\n2,"11,b\n'}, [(1, "10"), (2, '"11')], {"quotes": False}),
    Case("comma too many", {"a.csv": "title,user,item,note\nLow,1,10,x\nMatrix, The,2,11,x\n"}, "line 3: .*more than the 4 fields"),
    Case(
        "comma too many behind",
        {"a.csv": "user,item,title,note\n1,10,Low,x\n2,11,Matrix, The,x\n"},
        "line 3: .*more than the 4 fields",
    ),
]
NAMES_OF_FILES = [
    Case("tabs in train.txt", {"train.txt": "1\t10\t5\n2\t11\t4\n"}, [(1, 10, 5), (2, 11, 4)], {}, "user item weight"),
    Case("lists elsewhere", {"beauty.txt": "1 5 6 7\n2 5\n3 8 9\n"}, [(1, 5), (1, 6), (1, 7), (2, 5), (3, 8), (3, 9)]),
    Case("lists or ratings", {"train.txt": "1 5 6\n2 7 9\n"}, "format=.lightgcn.*format=.table"),
    Case("packed lists", {"train.txt.gz": gzip.compress(b"1 5 6 7\n2 5\n")}, [(1, 5), (1, 6), (1, 7), (2, 5)]),
    Case(
        "parts of RecBole",
        {f"toy.{p}.inter": f"user_id:token\titem_id:token\n1\t{n}\n" for p, n in (("train", 7), ("valid", 8), ("test", 9))},
        [(1, 7, "train"), (1, 8, "valid"), (1, 9, "test")],
        {},
        UIP,
    ),
    Case(
        "parts in csv",
        {f"{p}.csv": f"user,item\n1,{n}\n" for p, n in (("train", 7), ("val", 8), ("test", 9))},
        [(1, 7, "train"), (1, 8, "valid"), (1, 9, "test")],
        {},
        UIP,
    ),
    Case(
        "parts in Parquet",
        {f"{p}-00000-of-00001.parquet": parquet(user=[1], item=[n]) for p, n in (("train", 7), ("validation", 8), ("test", 9))},
        [(1, 7, "train"), (1, 8, "valid"), (1, 9, "test")],
        {},
        UIP,
    ),
    Case(
        "parts without a header",
        {f"{p}.txt": f"1 {n} 5\n1 {n + 1} 4\n" for p, n in (("train", 70), ("test", 90))},
        [(1, 70, 5, "train"), (1, 71, 4, "train"), (1, 90, 5, "test"), (1, 91, 4, "test")],
        {},
        "user item weight part",
    ),
    Case(
        "ids of a part are text",
        {"train.csv": "user,item\n1,7\n", "test.csv": "user,item\n1,x\n"},
        [(1, "7", "train"), (1, "x", "test")],
        {},
        UIP,
    ),
    Case(
        "a part without items",
        {"train.csv": "user,item\n1,7\n", "test.csv": "user,age\n1,8\n"},
        "test.csv has no column .*the item",
    ),
    Case(
        "lists beside their ids",
        {"train.txt": "0 1 2 3\n1 4\n", "test.txt": "0 5\n", "item_list.txt": "org_id remap_id\na 0\n"},
        [(0, 1, "train"), (0, 2, "train"), (0, 3, "train"), (1, 4, "train"), (0, 5, "test")],
        {},
        UIP,
    ),
    Case(
        "a column of parts",
        {"a.csv": "user,item,split\n1,7,train\n1,8,validation\n1,9,test\n"},
        [(1, 7, "train"), (1, 8, "valid"), (1, 9, "test")],
        {"part": "split"},
        UIP,
    ),
    Case(
        "a column of other parts",
        {"a.csv": "user,item,split\n1,7,train\n1,8,later\n"},
        "line 3: split is 'later', not",
        {"part": "split"},
    ),
    Case(
        "an order that is said",
        {"train_list.npy": array((0, 1)), "valid_list.npy": array((0, 3)), "test_list.npy": array((0, 4))},
        [(1, "train", 0), (4, "test", 1), (3, "valid", 2)],
        {"part_order": "test-valid"},
        "item part time",
    ),
]
MISSING = [
    *(
        Case(f"{mark} as id", {"a.csv": f"user,item,rating\n{mark},10,5\n2,11,4\n3,12,4\n"}, "line 2: user is missing")
        for mark in ("NULL", "None", r"\N", "<NA>", "nan", "N/A")
    ),
    Case("null as item", {"a.csv": "user,item\n1,null\n2,11\n3,12\n"}, [(2, 11), (3, 12)], {"on_bad_rows": "drop"}),
    Case("NA as rating", {"a.csv": "user,item,rating\n1,10,NA\n2,11,4\n3,12,4\n"}, "line 2: rating is missing"),
    Case("NULL as time", {"a.csv": f"user,item,ts\n1,10,NULL\n2,11,{T}\n3,12,{T}\n"}, [(2, 11), (3, 12)], {"on_bad_rows": "drop"}),
    Case(
        "None in JSON",
        {"a.jsonl": lines({"user": None, "item": 2}, {"user": 1, "item": 3}, {"user": 2, "item": 3})},
        "line 1: user is missing",
    ),
]
TIMES_NOT_NAMED = [
    Case(
        "when", {"a.csv": "user,item,when\n1,10,2020-01-01\n2,11,2020-01-02\n"}, [(1, 10), (2, 11)], told="'when' looks like a time"
    ),
    Case("seconds", {"a.csv": f"user,item,seen\n1,10,{T}\n2,11,{T}\n"}, [(1, 10), (2, 11)], told="'seen' looks like a time"),
    Case(
        "a date of Parquet",
        {"a.parquet": parquet(user=[1], item=[2], day=[date(2020, 1, 1)])},
        [(1, 2)],
        told="'day' looks like a time",
    ),
    Case("of JSON", {"a.jsonl": lines({"user": 1, "item": 2, "at": "2020-01-01"})}, [(1, 2)], told="'at' looks like a time"),
    Case("no time wanted", {"a.csv": f"user,item,time\n1,10,{T}\n"}, [(1, 10)], {"time": False}),
]
UNITS = [
    Case("17 digits", {"a.csv": "user,item,time\n1,5,20190401123000123\n1,6,20190402123000456\n"}, "look like dates"),
    Case("12 digits", {"a.csv": "user,item,time\n1,5,201904011230\n1,6,201904021230\n"}, "look like dates"),
    Case("one in nanoseconds", {"a.csv": f"user,item,time\n1,5,{T}\n1,6,{T}000000000\n1,7,{T}\n"}, "line 3.*two units"),
    Case(
        "a zero in milliseconds",
        {"a.csv": f"user,item,time\n1,5,{T}000\n1,6,0\n1,7,{T}000\n"},
        [(T,), (0,), (T,)],
        {},
        "time",
        "line 3.*1970-01-01",
    ),
    Case(
        "the year 2286",
        {"a.csv": f"user,item,time\n1,5,{T}\n1,6,{T}\n1,7,9999999999\n"},
        [(T,), (T,), (9999999999,)],
        {},
        "time",
        "line 4.*2286",
    ),
    Case(
        "one date among seconds", {"a.csv": f"user,item,time\n1,5,2020-01-01\n1,6,{T}\n1,7,{T}\n"}, "line 2: time is '2020-01-01'"
    ),
    Case("ranks", {"a.csv": "user,item,time\n1,5,2\n1,6,1\n"}, [(2,), (1,)], {"time_unit": "order"}, "time"),
]
ORDER_OF_ROWS = [
    Case("lists", {"a.txt": "1 7 5 6\n2 5\n"}, [(1, 7, 0), (1, 5, 1), (1, 6, 2), (2, 5, 0)], {"time_unit": "order"}, UIT),
    Case("with names", {"a.csv": "user,item\n2,7\n1,7\n2,5\n"}, [(2, 7, 0), (1, 7, 0), (2, 5, 1)], {"time_unit": "order"}, UIT),
    Case(
        "without its time",
        {"a.csv": f"user,item,time\n1,7,{T}\n1,5,{T}\n"},
        [(1, 7, 0), (1, 5, 1)],
        {"time_unit": "order", "time": False},
        UIT,
    ),
]
JSON = [
    Case(
        "Amazon",
        {"a.json.gz": gzip.compress(lines(AMAZON, AMAZON | {"asin": "B2"}).encode())},
        [("A2", "B001", 5, T), ("A2", "B2", 5, T)],
        {},
        UIWT,
    ),
    Case(
        "nested",
        {"a.jsonl": lines({"user": {"id": 1, "age": 3}, "item": {"id": 2}}, {"user": {"id": 2}, "item": {"id": 2}})},
        [(1, 2), (2, 2)],
    ),
    Case("an array", {"a.json": json.dumps([{"user": 1, "item": 2}, {"user": 2, "item": 2}])}, [(1, 2), (2, 2)]),
    Case("Python's own", {"a.json": "{'user': 1, 'item': 2}\n"}, "line 1.*JSON"),
    Case("cut", {"a.jsonl": '{"user": 1, "item": 2}\n{"user": 1, "it'}, "line 2.*JSON"),
    Case("no rows", {"a.json": '{"users": {"1": [2, 3]}}'}, "no column that is clearly the user"),
]
ADVICE = [
    Case("ratings in words", {"a.csv": "user,item,rating\n1,5,good\n2,6,bad\n3,7,good\n"}, "3 of 3 .*--weight-column"),
    Case("dates of another form", {"a.csv": "user,item,date\n1,5,31/12/2019\n2,6,30/12/2019\n"}, "2 of 2 .*--time-column"),
]
KINDS = {
    "columns": COLUMNS_WITHOUT_A_HEADER,
    "positions": POSITIONS,
    "quotes": QUOTES,
    "names of files": NAMES_OF_FILES,
    "missing": MISSING,
    "times": TIMES_NOT_NAMED,
    "units": UNITS,
    "order of rows": ORDER_OF_ROWS,
    "JSON": JSON,
    "advice": ADVICE,
}
CASES = [pytest.param(case, id=f"{kind}: {case.name}") for kind, cases in KINDS.items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_a_log_is_read_rightly_or_refused(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
