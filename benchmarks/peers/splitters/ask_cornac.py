"""Cornac: StratifiedSplit with chrono, and TimestampSplit."""

from __future__ import annotations

from cornac.eval_methods import StratifiedSplit, TimestampSplit
from logs import Pairs, Row, Split, answer


def of(make: object) -> Split:
    def split(log: list[Row]) -> Pairs:
        method = make([(str(user), str(item), float(rating), time) for user, item, time, rating in log])
        test = method.test_set
        users, items = {v: k for k, v in test.uid_map.items()}, {v: k for k, v in test.iid_map.items()}
        rows, columns, _ = test.uir_tuple
        return {(int(users[user]), int(items[item])) for user, item in zip(rows, columns, strict=True)}

    return split


answer(
    {
        "StratifiedSplit(chrono=True, test_size=.2)": of(
            lambda data: StratifiedSplit(data, chrono=True, test_size=0.2, exclude_unknowns=False, seed=1)
        ),
        "TimestampSplit(test_size=.2)": of(lambda data: TimestampSplit(data, test_size=0.2, exclude_unknowns=False)),
    },
    "cornac",
)
