"""WarpRec: its temporal splits. As its package imports Ray at once, the folders on the way to them are given as empty packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from types import ModuleType

import narwhals
import pandas as pd
from logs import Pairs, Row, Split, answer

ROOT = importlib.metadata.distribution("warprec").locate_file("warprec")
for name in ("warprec", "warprec.utils", "warprec.data", "warprec.data.splitting"):
    module = ModuleType(name)
    module.__path__ = [str(ROOT.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = module
STRATEGIES = importlib.import_module("warprec.data.splitting.strategies")


def of(name: str, **settings: object) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=["user_id", "item_id", "timestamp", "rating"])
        [(_, test)] = getattr(STRATEGIES, name)()(narwhals.from_native(frame), **settings)
        return set(narwhals.to_native(test)[["user_id", "item_id"]].itertuples(index=False, name=None))

    return split


answer(
    {
        "TemporalHoldoutSplit(ratio=.2)": of("TemporalHoldoutSplit", ratio=0.2),
        "TemporalLeaveKOutSplit(k=2)": of("TemporalLeaveKOutSplit", k=2),
        "TimestampSlicingSplit": of("TimestampSlicingSplit", timestamp=1_700_000_000 + 50 * 86_400),
    },
    "warprec",
)
