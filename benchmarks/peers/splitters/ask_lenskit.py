"""LensKit: the last interactions of users, and a share or a time of the whole log.

LensKit 2026 imports torch at once although its splits use none of it: where it is not installed, an empty module stands in.
"""

from __future__ import annotations

import importlib.util
import sys
from unittest.mock import MagicMock

if importlib.util.find_spec("torch") is None:
    from importlib.machinery import ModuleSpec

    for name in ("torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.sparse", "torch.multiprocessing"):
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None), __version__="0", Tensor=type("Tensor", (), {}))

import datetime
import logging

import pandas as pd
from lenskit.data import from_interactions_df
from lenskit.splitting import LastFrac, LastN, sample_users, split_global_time, split_temporal_fraction
from logs import Pairs, Row, Split, answer

logging.disable(logging.CRITICAL)


def of(cut: object) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=["user_id", "item_id", "timestamp", "rating"])
        made = cut(from_interactions_df(frame))
        return {(int(key.user_id), int(item)) for key, items in made.test for item in items.ids()}

    return split


USERS, CUT = 30, 1_700_000_000 + 50 * 86_400
DAY = datetime.datetime.fromtimestamp(CUT, datetime.UTC)
answer(
    {
        "LastN(2)": of(lambda data: sample_users(data, USERS, LastN(2), rng=1)),
        "LastFrac(.2)": of(lambda data: sample_users(data, USERS, LastFrac(0.2), rng=1)),
        "split_temporal_fraction(.2)": of(lambda data: split_temporal_fraction(data, 0.2)),
        "split_global_time, a number": of(lambda data: split_global_time(data, CUT)),
        "split_global_time, a datetime": of(lambda data: split_global_time(data, DAY)),
    },
    "lenskit",
)
