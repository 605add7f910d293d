"""RecTools: LastNSplitter and TimeRangeSplitter."""

from __future__ import annotations

import pandas as pd
from logs import Pairs, Row, Split, answer
from rectools.dataset import Interactions
from rectools.model_selection import LastNSplitter, TimeRangeSplitter


def of(splitter: LastNSplitter | TimeRangeSplitter) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=["user_id", "item_id", "datetime", "weight"])
        frame["datetime"] = pd.to_datetime(frame["datetime"], unit="s")
        _, test, _ = next(iter(splitter.split(Interactions(frame))))
        return set(frame.iloc[test][["user_id", "item_id"]].itertuples(index=False, name=None))

    return split


keep = {"filter_cold_users": False, "filter_cold_items": False, "filter_already_seen": False}
answer(
    {"LastNSplitter(n=2)": of(LastNSplitter(2, **keep)), "TimeRangeSplitter('10D')": of(TimeRangeSplitter("10D", **keep))},
    "rectools",
)
