"""What every script of this folder shares: it reads the log, splits it in several row orders, and says how equal times fall."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Row = tuple[int, int, int, int]
"""User, item, unix seconds, rating."""
Pairs = set[tuple[int, int]]
Split = Callable[[list[Row]], Pairs]
"""From a log to the (user, item) pairs of its test part."""


def answer(splits: Mapping[str, Split], *packages: str) -> None:
    """Prints {"versions", "splits"}: by splitter, what `describe` says."""
    with Path(sys.argv[1]).open() as file:
        log = [tuple(map(int, row)) for row in list(csv.reader(file))[1:]]
    found = {}
    for name, split in splits.items():
        try:
            found[name] = describe(log, split)
        except Exception as error:
            found[name] = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"}
    print(json.dumps({"versions": {name: importlib.metadata.version(name) for name in packages}, "splits": found}))


def orders(log: list[Row]) -> dict[str, list[Row]]:
    """The log as it stands, and two others that differ only in the order of rows of one user and time."""
    events = _events(log)
    backwards = [row for event in events.values() for row in reversed(event)]
    by_item = [row for event in events.values() for row in sorted(event, key=lambda row: row[1])]
    return {"as it stands": log, "events backwards": backwards, "events by item": by_item}


def describe(log: list[Row], split: Split) -> dict[str, Any]:
    """How a splitter treats events.

    Returns:
        `test`: rows in the test part; `users`: users with one; `cut`: users with rows of one time on both sides; `same`: whether
        the test part is the same in all orders of the log; `goes`: which rows of a cut event go to test.
    """
    tests = {name: split(rows) for name, rows in orders(log).items()}
    rules: dict[str, list[bool]] = defaultdict(list)
    for name, rows in orders(log).items():
        for event in _cut(rows, tests[name]):
            inside = {row[1] for row in event if row[:2] in tests[name]}
            n, items = len(inside), [row[1] for row in event]
            rules["the last rows of the log"].append(inside == set(items[-n:]))
            rules["the first rows of the log"].append(inside == set(items[:n]))
            rules["the highest item ids"].append(inside == set(sorted(items)[-n:]))
            rules["the lowest item ids"].append(inside == set(sorted(items)[:n]))
    test = tests["as it stands"]
    cut = {event[0][0] for event in _cut(log, test)}
    rule = max(rules, key=lambda rule: sum(rules[rule]), default="")
    held = rules.get(rule, [])
    goes = "whole events" if not rule else rule if all(held) else f"{rule}, in {sum(held)} of {len(held)} cuts"
    return {
        "test": len(test),
        "users": len({user for user, _ in test}),
        "cut": len(cut),
        "same": len(set(map(frozenset, tests.values()))) == 1,
        "goes": goes,
    }


def _events(log: list[Row]) -> dict[tuple[int, int], list[Row]]:
    events: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in log:
        events[row[0], row[2]].append(row)
    return events


def _cut(log: list[Row], test: Pairs) -> list[list[Row]]:
    return [event for event in _events(log).values() if 0 < sum(row[:2] in test for row in event) < len(event)]
