"""Values of every type, and logs of two rows, that frames and files of the matrix share."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from recodiff.data import read_log

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2**100)
NOON = datetime(2020, 9, 13, 12, 26, 40)
T = 1_600_000_000
ROWS = [(1, 10, T), (2, 11, T + 1)]
LOG = {"user": [1, 2], "item": [10, 11], "time": [T, T + 1]}
CSV = f"user,item,time\n1,10,{T}\n2,11,{T + 1}\n"


def users_of(source: Any, **options: Any) -> list:
    return read_log(source, **options).frame["user"].to_list()


def times_of(source: Any, **options: Any) -> list:
    return read_log(source, **options).frame["time"].to_list()


def read_rows(path: Any, **options: Any) -> list[tuple]:
    return read_log(path, **options).frame.select("user", "item", "time").rows()
