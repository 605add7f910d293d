"""Rows of equal time in another order, or sorted by item, change no list of a closed form where events are whole."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recodiff import build, evaluate, prepare, recommend
from recodiff.data import Dataset, LeaveLast
from recodiff.data.interactions import Events
from recodiff.runtime.run import Run

CLOSED = ["popularity", "itemknn", "userknn", "rp3beta", "ease", "edlae", "rlae", "f-ridge", "gf-cf", "puresvd"]
HALF_LIFE = {"weighting": {"kind": "half_life", "half_life": 1.0}}


def baskets(last: int = 2) -> pl.DataFrame:
    """Users who buy two or three times, each time six items of their kind; sorted by user, time and item."""
    rng = np.random.default_rng(4)
    rows = []
    for user in range(30):
        liked = rng.permutation(np.arange(user % 3, 60, 3))[: 6 * (last + user % 2)]
        rows += [(user, int(item), 1_600_000_000 + 500_000 * (n // 6)) for n, item in enumerate(liked)]
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").sort("user", "time", "item")


def orders(events: Events, log: pl.DataFrame) -> list[Dataset]:
    """The log as it stands and with rows of equal time in two other orders."""
    given = [log, log.sample(fraction=1, shuffle=True, seed=1), log.sort("item", descending=True)]
    return [prepare(rows, split=LeaveLast(valid=0), events=events) for rows in given]


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("settings", [{}, HALF_LIFE], ids=["uniform", "half-life"])
def test_lists_do_not_depend_on_the_order_of_rows_of_equal_time(name: str, settings: dict[str, object]) -> None:
    found = []
    for data in orders("whole", baskets(3)):
        model = build(name, settings).fit(data.train, Run(progress=False))
        lists = recommend(model, data.train, 5)
        assert data.test is not None
        found.append((lists.items.tolist(), evaluate(model, data.train, data.test, ("recall@5",)).mean("recall@5")))
    assert all(items == found[0][0] and recall == pytest.approx(found[0][1], abs=1e-6) for items, recall in found)


def test_where_events_are_split_the_sorted_log_is_another_task() -> None:
    """The fault that whole events mend: test is the highest item of the last basket, or any of it, as the rows stand."""
    recalls = []
    for data in orders("split", baskets()):
        assert data.test is not None
        model = build("ease").fit(data.train, Run(progress=False))
        recalls.append(evaluate(model, data.train, data.test, ("recall@5",)).mean("recall@5"))
    assert max(recalls) - min(recalls) > 0.01
