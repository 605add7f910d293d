"""Microsoft's recommenders: python_chrono_split, by user and by item."""

from __future__ import annotations

import pandas as pd
from logs import Pairs, Row, Split, answer
from recommenders.datasets.python_splitters import python_chrono_split


def of(by: str) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=["userID", "itemID", "timestamp", "rating"])
        test = python_chrono_split(frame, ratio=0.75, filter_by=by)[1]
        return set(test[["userID", "itemID"]].itertuples(index=False, name=None))

    return split


answer({"python_chrono_split(.75)": of("user"), "python_chrono_split(.75, filter_by=item)": of("item")}, "recommenders")
