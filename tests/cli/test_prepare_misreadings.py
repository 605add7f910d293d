"""Logs that were once misread without a word, through `recodiff prepare`: now read rightly, refused, or told."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Cli
from siblings import READ, USERS, Sibling, csv, rows
from situations import T, parquet

LOG, HEAD = "{u},{i},{t}", "user,item,time"
JSON = '{{"user": {u}, "item": {i}, "time": {t}}}'
SEEN = '{{"user": {u}, "item": {i}, "seen": {t}}}'
ASKED = "no column that is clearly the time"
UNREAD = ("time = column 4", "unread = column 2, column 3")
DAYS = [20240101 + day for day in range(28)] + [20240201 + day for day in range(28)] + [20240301 + day for day in range(4)]
COLUMNS = {"user": [USERS[n % 6] for n in range(60)], "item": [20 + n % 31 for n in range(60)]}


def pieces(*halves: str, ending: str = "csv") -> dict[str, str]:
    """Two files of one log."""
    return {f"log-{number}.{ending}": half for number, half in enumerate(halves, 1)}


SIBLINGS = [
    Sibling(
        "pieces: the second without names",
        pieces(rows("{i},{u},{t}", "item,user,time", 0, 30), rows("{i},{u},{t}", "", 30)),
        READ,
        told=("user = column 1 'user', first 7, 3 .. 12", "61 lines became 60 rows"),
    ),
    Sibling(
        "pieces: the first without names",
        pieces(rows("{i},{u},{t}", "", 0, 30), rows("{i},{u},{t}", "item,user,time", 30)),
        READ,
        told=("user = column 1 'user', first 7, 3 .. 12",),
    ),
    Sibling(
        "pieces: text alone in the second",
        pieces(rows("p{i},c{u}", "item,user", 0, 30), rows("p{i},c{u}", "", 30)),
        {"users": 6, "interactions": 60},
        told=("61 lines became 60 rows",),
    ),
    Sibling(
        "pieces: other columns without names",
        pieces(rows(LOG, HEAD, 0, 30), rows("{u},{i},{r},{t}", "", 30)),
        r"log-2.csv has no header, and its columns are not like those of log-1.csv \(number, number, number, time, not ",
    ),
    Sibling(
        "pieces: other kinds without names",
        pieces(rows("{u},p{i},{t}", HEAD, 0, 30), rows("p{i},{u},{t}", "", 30)),
        "log-2.csv has no header, and its columns are not like those of log-1.csv",
    ),
    Sibling(
        "pieces: no names anywhere, and other places",
        pieces(rows(LOG, "", 0, 30), rows("{u},{t},{i}", "", 30)),
        "log-2.csv has no header, and its columns are not like those of log-1.csv",
    ),
    Sibling(
        "pieces: as many as need two digits",
        {f"log-{n}.csv": rows("{u},{i}", "user,item", 6 * n, 6 * n + 6) for n in range(10)} | {"log-10.csv": "user,item\n7,99\n"},
        {"users": 6, "interactions": 61, "parts": {"train": 49, "valid": 6, "test": 6}},
        ("--time-unit", "order", "--split", "leave-last"),
        ("time = the order of rows in log-0.csv, log-1.csv, log-2.csv .. log-10.csv, 0 .. 10",),
    ),
    *(
        csv(f"times: {name} without names", f"{{u}},{{i}},{{{form}}}", "", r"time \(column 2\).*look like dates")
        for name, form in (("dates in digits", "d8"), ("dates of 14 digits", "d14"))
    ),
    *(
        csv(f"times: {name}, unread", f"{{u}},{{i}},{{{form}}}", "user,item,seen", f"{ASKED}.*'seen'")
        for name, form in (("dates in digits", "d8"), ("dates of 14 digits", "d14"))
    ),
    *(
        Sibling(f"times: {name}, unread in Parquet", {"a.parquet": parquet(**COLUMNS, seen=seen)}, f"{ASKED}.*'seen'")
        for name, seen in (("fractions", [T + 86_400 * n + 0.5 for n in range(60)]), ("dates in digits", DAYS))
    ),
    csv("columns: as Taobao publishes", "{u},{i},25203{r},pv,{t}", told=UNREAD),
    csv(
        "columns: as Taobao publishes, few categories",
        "{u},{i},{r},pv,{t}",
        told=("time = column 4", "unread = column 2, column 3"),
    ),
    csv("columns: codes", "{u},{i},25203{r},Drama,{t}", told=("time = column 4", "unread = column 2, column 3")),
    csv("columns: what happened", "{u},view,{i},{t}", "", "column 1 holds few words .'view' for one"),
    csv("columns: what happened, and users that say so", "u{u},view,{i},{t}", "", "column 1 holds few words"),
    csv("columns: what happened, first", "view,{u},{i},{t}", "", "column 0 holds few words"),
    csv("names: 0, 1, 2 of pandas", LOG, "0,1,2", told=("61 lines became 60 rows",)),
    csv("names: 0, 1 of pandas", "{u},{i}", "0,1", {"interactions": 61}, told=(r"its first line \('0,1'\) .*--header",)),
    csv("names: 0, 1 of pandas, said", "{u},{i}", "0,1", {"users": 6, "interactions": 60}, ("--header",)),
    csv(
        "names: of another language, by place",
        "c{u},p{i}",
        "kunde,artikel",
        {"interactions": 61},
        ("--user-column", "0", "--item-column", "1"),
        (r"its first line \('kunde,artikel'\) .* may name the columns",),
    ),
    *(
        Sibling(f"missing: {mark} among numbers", {"a.csv": rows(LOG, HEAD) + f"{mark},20,{T}\n"}, "line 62: user is missing")
        for mark in ("undefined", "NONE", "#NA", "-nan", "nil", "?", "-", "Missing")
    ),
    Sibling(
        "missing: dropped and counted",
        {"a.csv": rows(LOG, HEAD) + f"?,20,{T}\n"},
        READ,
        ("--drop-bad-rows",),
        ("user = column 0 'user', first 7, 3 .. 12", "1 malformed row dropped"),
    ),
    Sibling(
        "missing: a mark among texts", {"a.csv": rows("u{u},{i},{t}", HEAD) + f"undefined,20,{T}\n"}, "line 62: user is missing"
    ),
    Sibling(
        "missing: an id among texts",
        {"a.csv": rows("u{u},{i},{t}", HEAD) + f"nil,20,{T}\n"},
        {"users": 7},
        ("--split", "random"),
        ("nil .. u9",),
    ),
    Sibling(
        "missing: an id that makes text of numbers",
        {"a.csv": rows(LOG, HEAD) + f"guest,20,{T}\n"},
        {"users": 7},
        ("--split", "random"),
        ("1 of 61 rows have no plain number for the user .'guest' for one.*read as text",),
    ),
    csv("missing: floats beyond 2^53", "900719925474099{u}.0,{i},{t}", HEAD, "which were floats, and from 2.53 on"),
    Sibling(
        "parts: in a column",
        {"a.csv": rows("{u},{i},{t},train", HEAD + ",fold", 0, 50) + rows("{u},{i},{t},test", "", 50)},
        READ,
        told=("column 'fold' says which part each row belongs to.*--part-column fold",),
    ),
    *(
        Sibling(
            f"parts: {word}.csv",
            {"train.csv": rows("{u},{i}", "user,item"), f"{word}.csv": "user,item\n7,98\n", "test.csv": "user,item\n7,99\n"},
            {"parts": {"train": 60, "valid": 1, "test": 1}},
        )
        for word in ("validate", "eval", "development")
    ),
    Sibling(
        "parts: holdout.csv",
        {"train.csv": rows("{u},{i}", "user,item"), "dev.csv": "user,item\n7,98\n", "holdout.csv": "user,item\n7,99\n"},
        {"parts": {"train": 60, "valid": 1, "test": 1}},
    ),
    Sibling(
        "parts: two words for one",
        {"train.csv": rows("{u},{i}", "user,item"), "dev.csv": "user,item\n7,98\n", "eval.csv": "user,item\n7,99\n"},
        "dev.csv and eval.csv .*both.*valid",
    ),
    Sibling(
        "parts: a word that is not known",
        {"train.csv": rows("{u},{i}", "user,item")} | dict.fromkeys(("test.csv", "probe.csv"), "user,item\n7,99\n"),
        {"parts": {"train": 54, "valid": 6, "test": 1}},
        told=("probe.csv .*columns of train.csv.*not read",),
    ),
    *(
        Sibling(
            f"titles: of {name}",
            {"log.csv": rows(LOG, HEAD), "t.csv": f"item,title\n{first},x\n901,y\n"},
            READ,
            ("--items", "LOG/t.csv"),
            (words,),
            "log.csv",
        )
        for name, first, words in (
            ("no item", 900, "t.csv: 0 of 27 items of the log are in it"),
            ("hardly any", 20, "t.csv: 1 of 27 items of the log are in it"),
        )
    ),
    Sibling(
        "JSON: a list late",
        {"a.jsonl": rows(JSON, "", 0, 300) + '{"user": 7, "item": [91, 92], "time": 1487670400}\n'},
        r"line 301: item is \[91, 92\], and one value in the first lines",
    ),
    Sibling(
        "JSON: a value after lists",
        {"a.jsonl": rows('{{"user": {u}, "item": [{i}], "time": {t}}}', "", 0, 300) + rows(JSON, "", 0, 1)},
        "line 301: item is 38, and a list in the first lines",
    ),
    Sibling(
        "JSON: a time late",
        {"a.jsonl": rows('{{"user": {u}, "item": {i}}}', "", 0, 250) + rows(JSON, "", 250, 310)},
        "line 1: time is missing .*250 of 310 rows",
    ),
    Sibling(
        "JSON: a time late, of another name",
        {"a.jsonl": rows('{{"user": {u}, "item": {i}}}', "", 0, 250) + rows(SEEN, "", 250, 310)},
        f"{ASKED}.*'seen'",
    ),
    *(
        Sibling(
            f"JSON: {name}", {"a.jsonl": rows(JSON) + f'{{"user": {value}, "item": 20, "time": {T}}}\n'}, f"line 61: user {words}"
        )
        for name, value, words in (
            ("a boolean", "true", "is true, neither a number nor text"),
            ("an object", '{"id": 7}', 'is {"id": 7}, an object'),
            ("a float beyond 2^53", "9007199254740993.0", r"is 9007199254740992.0, a float from 2\^53 on"),
        )
    ),
]


@pytest.mark.parametrize("case", SIBLINGS, ids=lambda case: case.name)
def test_a_log_is_read_rightly_told_or_refused(cli: Cli, tmp_path: Path, case: Sibling) -> None:
    case.check(cli, tmp_path)
