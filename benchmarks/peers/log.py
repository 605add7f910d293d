"""Makes tests/evaluation/peers/log.csv: a small log of baskets, whose rows of one user and time have no order that means anything.

Columns user, item, time (unix seconds), rating. Within an event the items stand in a random order, neither by id nor against it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "tests" / "evaluation" / "peers" / "log.csv"
SEED, USERS, ITEMS, DAY = 17, 30, 200, 86_400
START = 1_700_000_000

draw = np.random.default_rng(SEED)
rows = []
for user in range(1, USERS + 1):
    events = int(draw.integers(3, 7))
    days = np.sort(draw.choice(60, events, replace=False))
    sizes = draw.integers(2, 6, events)
    items = draw.choice(ITEMS, sizes.sum(), replace=False) + 1
    for day, part in zip(days, np.split(items, sizes.cumsum()[:-1]), strict=True):
        rows += [(user, int(item), START + int(day) * DAY, int(draw.integers(1, 6))) for item in part]
with PAGE.open("w", newline="") as file:
    csv.writer(file, lineterminator="\n").writerows([("user", "item", "time", "rating"), *rows])
print(f"{PAGE.name}: {len(rows)} rows")
