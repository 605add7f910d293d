"""What a log means, through `recodiff prepare`: siblings of the reported situations, by kind, with right answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Cli
from siblings import READ, Sibling, csv, rows
from situations import T, parquet

ASKED = "no column that is clearly the time"
BY_PLACE = ("user = column 0", "item = column 1")
SIBLINGS = [
    csv("columns: a price first", "{p},{u},{i}", "", r"which is which.*column 0 "),
    csv(
        "columns: five with a category",
        "{u},{i},{t},{r},Drama",
        told=(*BY_PLACE, "weight = column 3", "time = column 2", "unread = column 4"),
    ),
    csv("columns: mails and goods", "u{u}@x.org,sku-{i},{t}", "", "which of columns 0 .*is the user"),
    csv("columns: an index", "{n},{u},{i},{r},{t}", "", r"column 0 counts the rows \(0, 1, ...\), so it may be an index"),
    csv("columns: an index without a rating", "{n},{u},{i},{t}", "", "column 0 counts the rows"),
    csv(
        "columns: an index of pandas",
        "{n},{u},{i},{t}",
        ",user,item,time",
        told=("user = column 1 'user'", r"unread = \(no name\)"),
    ),
    csv("columns: booleans", "{u},{i},True,{t}", told=("time = column 3", "unread = column 2")),
    csv("columns: a comment on top", "{u},{i},{t}", "# export of 2020\nuser,item,time", "first line .*comment"),
    csv("columns: ids that were floats", "{u}.0,{i}.0,{t}", told=("user = column 0, first 7.0, 3 .. 12",)),
    csv("columns: ids that were floats, with names", "{u}.0,{i}.0,{t}", "user,item,time", told=("3 .. 12",)),
    csv("positions: a time alone", "{u},{i},{r},{t}", "", READ, ("--time-column", "3"), (*BY_PLACE, "weight = column 2")),
    csv("positions: beyond the end", "{u},{i},{t}", "", "no column at position 9", ("--user-column", "9", "--item-column", "1")),
    csv("positions: one twice", "{u},{i},{t}", "", "named for two", ("--user-column", "0", "--item-column", "0")),
    csv("positions: a name without names", "{u},{i},{t}", "", "no header.*'who'", ("--user-column", "who", "--item-column", "1")),
    Sibling(
        "positions: a matrix", {"a.csv": "user,i20,i21,i22\n7,5,,4\n3,,2,1\n12,1,,\n"}, "no column that is clearly the item.*'i20'"
    ),
    csv("names: two columns of one name", "{u},{i},{i},{t}", "user,item,item,time", "two columns called 'item'; give the position"),
    csv(
        "names: two, and a position",
        "{u},{i},{r},{t}",
        "user,item,item,time",
        READ,
        ("--user-column", "0", "--item-column", "1"),
        ("item = column 1",),
    ),
    Sibling(
        "quotes: a tsv of quotes", {"a.tsv": rows('"{u}"\t"{i}"\t"{t}"', '"user"\t"item"\t"time"')}, told=("first 7, 3 .. 12",)
    ),
    csv("quotes: semicolons inside", '{u};{i};"a; b";{t}', "user;item;note;time"),
    csv("quotes: a backslash before them", '{u},{i},"say \\"hi\\", you",{t}', "user,item,note,time"),
    csv(
        "quotes: an open one, said",
        '{u},{i},"low,{t}',
        "user,item,note,time",
        READ,
        ("--no-quotes",),
    ),
    csv("quotes: of print", "{u},{i},“low”,{t}", "user,item,note,time"),
    csv("quotes: single ones", "'{u}','{i}','{t}'", "'user','item','time'", told=("without its single quotes, 3 .. 12",)),
    Sibling(
        "files: a submission beside parts",
        {
            "train.csv": rows("{u},{i}", "user,item"),
            "test.csv": "user,item\n7,99\n",
            "sample_submission.csv": "user,prediction\n7,1\n",
        },
        {"users": 6, "parts": {"train": 54, "valid": 6, "test": 1}},
        told=("unread = sample_submission.csv",),
    ),
    Sibling(
        "files: val.tsv",
        {"train.tsv": rows("{u}\t{i}", "user\titem"), "val.tsv": "user\titem\n7\t98\n", "test.tsv": "user\titem\n3\t99\n"},
        {"parts": {"train": 60, "valid": 1, "test": 1}},
    ),
    Sibling(
        "files: a table called test.txt",
        {"test.txt": rows("{u} {i} {r}")},
        {"interactions": 60},
        told=("weight = column 2", "read as table"),
    ),
    Sibling(
        "files: users and items beside",
        {
            "interactions.csv": rows("{u},{i},{t}", "user_id,item_id,timestamp"),
            "users.csv": "user_id,age\n7,30\n",
            "items.csv": "item_id,title\n20,Low\n",
        },
        READ | {"titles": True},
        told=("unread = users.csv",),
    ),
    Sibling(
        "files: ratings.csv of a shop",
        {"ratings.csv": rows("c{u},p{i},{iso}", "customer,product,date")},
        told=("read as table",),
    ),
    Sibling("files: floats of RecBole", {"x.inter": rows("{u}\t{i}\t{t}.0", "user_id:token\titem_id:token\ttimestamp:float")}),
    Sibling(
        "missing: a user",
        {"a.csv": rows("{u},{i},{t}", "user,item,time") + f",25,{T}\n"},
        READ,
        ("--drop-bad-rows",),
        ("62 lines became 60 rows .*1 malformed row dropped",),
    ),
    *(
        Sibling(
            f"missing: {mark}", {"a.csv": rows("{u},{i},{t}", "user,item,time") + f"{mark},25,{T}\n"}, "line 62: user is missing"
        )
        for mark in ("#N/A", "#VALUE!", "(null)")
    ),
    Sibling(
        "missing: NA among blanks",
        {"a.csv": rows("{u}, {i} ,{t}", "user,item,time") + f"7, NA ,{T}\n"},
        "line 62: item is missing",
    ),
    Sibling("missing: in Parquet", {"a.parquet": parquet(user=[1, 2, None], item=[4, 5, 6])}, "row 2 .*user is missing"),
    csv("times: Event Date Local", "{u},{i},{iso}", "user,item,Event Date Local", f"{ASKED}.*'Event Date Local'"),
    csv("times: German dates", "{u},{i},{de}", "user,item,gekauft", f"{ASKED}.*'gekauft'"),
    csv("times: of tweets", "{u},{i},{tweet}", "user,item,said", f"{ASKED}.*'said'"),
    csv("times: two of them", "{u},{i},{iso},{t}", "user,item,begun,ended", f"{ASKED}.*'begun' or 'ended'"),
    csv("times: without names", "{u},{i},{iso},{t}", "", "columns 2 .*3 .*both look like times"),
    csv(
        "times: of birth, and at random",
        "{u},{i},1980-01-01",
        "user,item,birth",
        {"interactions": 60},
        ("--split", "random"),
        ("'birth' looks like a time",),
    ),
    csv("units: fractions of seconds", "{u},{i},{t}.25", "user,item,time"),
    csv("units: zones", "{u},{i},{iso}+02:00", "user,item,time", READ | {"first": "2013-12-21T22"}),
    csv(
        "units: dates with slashes",
        "{u},{i},2013/12/22 10:00",
        "user,item,time",
        "'valid' empty",
        told=("ISO text, 2013-12-22",),
    ),
    csv("units: American dates", "{u},{i},{us}", "user,item,time", r"60 of 60 rows.*--time-column"),
    Sibling(
        "units: minus one",
        {"a.csv": rows("{u},{i},{t}", "user,item,time") + "7,99,-1\n"},
        {"interactions": 61},
        told=("line 62: time is the time 1969-12-31",),
    ),
    csv("units: months", "{u},{i},{month}", "user,item,time", "numbers like 201312, which look like dates"),
    csv("units: years", "{u},{i},{year}", "user,item,time", "numbers like 2013, which look like dates"),
    csv("units: days", "{u},{i},{day}", "user,item,time", "look like days since 1970; say time_unit='days'"),
    csv("units: days, said", "{u},{i},{day}", "user,item,time", READ, ("--time-unit", "days"), ("time = .*days since 1970",)),
    csv("units: days of Excel", "{u},{i},{excel}", "user,item,time", "look like days as Excel counts them; say time_unit='excel'"),
    csv(
        "units: days of Excel, said",
        "{u},{i},{excel}",
        "user,item,time",
        READ | {"first": "2013-12-22T00:01:01"},
        ("--time-unit", "excel"),
    ),
    csv("units: an exponent of Excel", "{u},{i},{ms}", "user,item,time"),
    csv(
        "units: places in a queue",
        "{u},{i},{n}",
        "user,item,time",
        {"interactions": 60},
        told=("as seconds lie before 1980; if only their sequence counts",),
    ),
    csv("order: of dates", "{u},{i},{iso}", "user,item,time", {"interactions": 60}, ("--time-unit", "order")),
    Sibling(
        "JSON: baskets",
        {"a.jsonl": rows('{{"user": {u}, "items": [{i}, 90, 91], "time": {t}}}')},
        {"users": 6},
        told=("item = column 1 'items', first 38, 20 .. 91", "60 lines became 180 rows"),
    ),
    Sibling(
        "JSON: under a key",
        {"a.json": json.dumps({"data": [{"user": 7, "item": 5}]}, indent=1)},
        "a.json.*one object a line",
    ),
    Sibling(
        "JSON: events inside users",
        {"a.jsonl": '{"user": 7, "events": [{"item": 5}]}\n'},
        r"clearly the item: it has 'user', 'events'; name it with item= \(--item-column\)$",
    ),
    Sibling("JSON: a byte order mark", {"a.jsonl": "\ufeff" + rows('{{"user": {u}, "item": {i}, "time": {t}}}')}),
    Sibling("advice: a workbook", {"a.xlsx": b"PK\x03\x04" + bytes(range(256)) * 4}, "a.xlsx .*workbook as CSV"),
    Sibling("advice: an array of NumPy", {"a.csv": b"\x93NUMPY" + bytes(range(32)) * 4}, "a.csv is no text"),
    csv("lists: of one each", "{u},[{i}],{t}", "user,items,time", r"'\[38\]', which looks like several items"),
    csv(
        "columns: row names of R", '"{n}" {u} {i} {t}', '"user" "item" "time"', "first line has 3 fields, and most others have more"
    ),
    csv("missing: digits of ids", "1.23457E+1{u},{i},{t}", "user,item,time", "such as 1.23457E.17, of which a spreadsheet kept"),
    csv(
        "lists: in brackets",
        '{u},"[{i}, 90]",{t}',
        "user,items,time",
        r"'\[38, 90\]', which looks like several items.*--item-lists",
    ),
    csv("lists: in blanks", "{u},{i} 90,{t}", "user,items,time", "'38 90', which looks like several items"),
    csv("lists: of words", "{u},p{i}|p90,{t}", "user,items,time", "'p38.p90', which looks like several items"),
    csv(
        "lists: said",
        "{u},\"['p{i}', 'p90']\",{t}",
        "user,items,time",
        {"users": 6},
        ("--item-lists",),
        ("61 lines became 120 rows", "p20 .. p90"),
    ),
    csv("lists: said to be none", "{u},{i} 90,{t}", "user,items,time", READ, ("--no-item-lists",), ("first 38 90",)),
    csv(
        "advice: another separator", "{u},{i},{t}", "user,item,time", "one column .*';' does not stand in it", ("--separator", ";")
    ),
    csv("advice: no separator at all", "{u}", "user", r"one column \('user'\).*--separator"),
    Sibling(
        "advice: UTF-16", {"a.csv": rows("{u}\t{i}\t{t}", "user\titem\ttime").encode("utf-16")}, "a.csv .*(UTF-16|UTF-8).*encoding"
    ),
    Sibling("advice: gz by name alone", {"a.csv.gz": rows("{u},{i},{t}", "user,item,time")}),
]


@pytest.mark.parametrize("case", SIBLINGS, ids=lambda case: case.name)
def test_a_log_is_prepared_rightly_or_refused_in_a_sentence(cli: Cli, tmp_path: Path, case: Sibling) -> None:
    case.check(cli, tmp_path)
