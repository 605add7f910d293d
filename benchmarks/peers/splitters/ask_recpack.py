"""RecPack: scenarios that split by time; their matrices number users and items anew, so the numbering is kept here."""

from __future__ import annotations

import pandas as pd
from logs import Pairs, Row, Split, answer
from recpack.matrix import InteractionMatrix
from recpack.scenarios import LastItemPrediction, StrongGeneralizationTimedMostRecent, Timed

CUT = 1_700_000_000 + 50 * 86_400


def of(make: object) -> Split:
    def split(log: list[Row]) -> Pairs:
        frame = pd.DataFrame(log, columns=["user", "item", "time", "rating"]).drop(columns="rating")
        shape = (int(frame["user"].max()) + 1, int(frame["item"].max()) + 1)
        matrix = InteractionMatrix(frame, "item", "user", "time", shape=shape)
        scenario = make()
        scenario.split(matrix)
        out = scenario.test_data_out
        rows, columns = out.values.nonzero()
        return {(int(user), int(item)) for user, item in zip(rows, columns, strict=True)}

    return split


answer(
    {
        "Timed(t)": of(lambda: Timed(CUT)),
        "LastItemPrediction()": of(lambda: LastItemPrediction()),
        "StrongGeneralizationTimedMostRecent(t)": of(lambda: StrongGeneralizationTimedMostRecent(CUT, seed=1)),
    },
    "recpack",
)
