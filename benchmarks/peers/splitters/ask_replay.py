"""RePlay: splitters by number, share and time, on pandas and on Polars."""

from __future__ import annotations

import pandas as pd
import polars as pl
from logs import Pairs, Row, Split, answer
from replay.splitters import LastNSplitter, RatioSplitter, TimeSplitter

COLUMNS = ["query_id", "item_id", "timestamp", "rating"]


def of(splitter: object, *, polars: bool = False) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=COLUMNS)
        _, test = splitter.split(pl.from_pandas(frame) if polars else frame)
        rows = test.select(COLUMNS[:2]).rows() if polars else test[COLUMNS[:2]].itertuples(index=False, name=None)
        return {(int(user), int(item)) for user, item in rows}

    return split


splits = {}
for name, splitter in {
    "LastNSplitter(2)": LastNSplitter(2),
    "RatioSplitter(.2)": RatioSplitter(0.2),
    "RatioSplitter(.2, split_by_fractions=False)": RatioSplitter(0.2, split_by_fractions=False),
    "TimeSplitter(.2)": TimeSplitter(0.2),
}.items():
    splits |= {f"{name}, pandas": of(splitter), f"{name}, Polars": of(splitter, polars=True)}
answer(splits, "replay-rec")
