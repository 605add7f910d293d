"""Makes tests/evaluation/peers/lists.json: the lists and the truth that every package is asked about.

Run it by hand: `python benchmarks/peers/lists.py`. It fetches MovieLens-100K. Users and items are numbered anew, at random, so
the file holds positions only. A case is {"k", "items", "users": [[list, {item: rating}], ...]}; the score of the item at rank r of
a list of n is n - r + 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import recodiff as rd
from recodiff.data import Interactions, Temporal

PAGE = Path(__file__).resolve().parents[2] / "tests" / "evaluation" / "peers" / "lists.json"
SEED = 20261130
LENGTH = 20
USERS = 120
SMALL = 60

Case = dict[str, Any]


def handed() -> dict[str, Case]:
    """Five users by hand, items a to e, x, y, z as 1 to 8: the last two users have no truth and no list."""
    ranked = [1, 2, 3, 4, 5]
    some = [
        [ranked, {"1": 5, "3": 3, "6": 4}],
        [ranked, {"5": 4}],
        [ranked, {"1": 2, "2": 5, "3": 1, "4": 4, "5": 3, "7": 5, "8": 1}],
    ]
    ragged = [some[0], some[1], [ranked, {}], some[2], [[], {"1": 4}]]
    return {"handed": _case(5, 8, some), "handed-ragged": _case(5, 8, ragged)}


def movies() -> dict[str, Case]:
    """Lists of EASE on MovieLens-100K: full ones; ones that end early, or lack a list or a truth; whole rankings of 60 films."""
    draw = np.random.default_rng(SEED)
    data = rd.prepare(
        rd.fetch("ml-100k"), user_core=5, item_core=5, split=Temporal(valid=0.1, test=0.2), keep_weights=True, events="split"
    )
    train, test = data.history("train+valid"), data.part("test")
    model = rd.build("ease", {"l2": 100.0})
    model.fit(train)
    lists = rd.recommend(model, train, LENGTH).items
    users = np.sort(draw.choice(np.flatnonzero(test.lengths() > 0), USERS, replace=False))
    number = draw.permutation(len(data.items)) + 1
    full = [[[int(number[item]) for item in lists[user]], _truth(test, user, number)] for user in users]
    ragged = json.loads(json.dumps(full[: USERS // 2]))
    for place in range(0, 60, 10):
        ragged[place][1] = {}
        ragged[place + 1][0] = []
        ragged[place + 2][0] = ragged[place + 2][0][: 1 + place // 10]
        ragged[place + 3][0] = ragged[place + 3][0][:12]
    return {
        "ml-100k": _case(10, len(data.items), full),
        "ml-100k-ragged": _case(10, len(data.items), ragged),
        "ml-100k-whole": _whole(model, train, test, draw),
    }


def _whole(model: rd.Recommender, train: Interactions, test: Interactions, draw: np.random.Generator) -> Case:
    """Every unseen one of the 60 films that most often stand in the truth, ranked: what AUC and an uncut MAP need."""
    popular = np.argsort(-np.bincount(test.matrix.indices, minlength=test.n_items), kind="stable")[:SMALL]
    number = np.zeros(test.n_items, dtype=np.int64)
    number[popular] = draw.permutation(SMALL) + 1
    found = rd.recommend(model, train, SMALL, candidates=popular).items
    users = []
    for user in range(test.n_users):
        truth = {item: grade for item, grade in _truth(test, user, number).items() if item != "0"}
        ranked = [int(number[item]) for item in found[user] if item >= 0]
        if truth and len(truth) < len(ranked):
            users.append([ranked, truth])
    chosen = np.sort(draw.choice(len(users), SMALL, replace=False))
    return _case(10, SMALL, [users[place] for place in chosen])


def _truth(test: Interactions, user: int, number: np.ndarray) -> dict[str, int]:
    start, end = test.matrix.indptr[user : user + 2]
    return {
        str(number[item]): int(grade)
        for item, grade in zip(test.matrix.indices[start:end], test.matrix.data[start:end], strict=True)
    }


def _case(k: int, items: int, users: list[Any]) -> Case:
    return {"k": k, "items": items, "users": users}


if __name__ == "__main__":
    cases = handed() | movies()
    lines = [f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in cases.items()]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{PAGE.name}: {PAGE.stat().st_size / 1024:.0f} KiB", {name: len(case["users"]) for name, case in cases.items()})
