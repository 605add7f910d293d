"""Our DiffRec beside that of a packaged library, RecBole 1.2.1, as its own trainer drives it: same data, network, batch, threads.

RecBole lives in .venv-peer (`peer_env.sh`); both sides are processes of their own that take turns (`peer_sides.py`).
"""

from __future__ import annotations

import statistics
from typing import Any

import torch

from machine import matrix_rate, rates
from peer_sides import Side, ours, recbole
from scale import INTERACTIONS, ITEMS, USERS

Row = dict[str, Any]
RELEASED = "diffrec-ml-1m_clean"
BOOK = "diffrec-amazon-book_clean"
LIMIT_MB = 12_000
"""What the peer may take at the size of Amazon-book."""


def peer_epoch(epochs: int = 5, users: int | None = None) -> Row:
    """An epoch at the released ML-1M settings, in turns, after one of each that does not count; and what it came to."""
    which = {"users": users}
    low = ["training.precision=bfloat16"]
    with recbole(RELEASED, [], which) as theirs, ours(RELEASED, [], which) as own, ours(RELEASED, low, which) as lower:
        sizes = _begun(theirs, own)
        lower.ask("epoch")
        seconds = [[side.ask("epoch") for side in (theirs, own, lower)] for _ in range(epochs)]
        memory = [answers["MB"] for answers in seconds[-1]]
        slow, fast, faster = (statistics.median(row[side]["seconds"] for row in seconds) for side in range(3))
        found = theirs.ask("validate", users=400), own.ask("validate")
    return {
        "case": f"training epoch, [600, 200, 600], batch 400, {_cut(users)}: against RecBole 1.2.1's DiffRec",
        "RecBole s": slow,
        "ours s": fast,
        "ratio": slow / fast,
        "ours in bfloat16, s": faster,
        "ratio in bfloat16": slow / faster,
        **rates(),
        "matrix rate bfloat16, GFLOP/s": matrix_rate(dtype=torch.bfloat16) / 1e9,
        "RecBole MB": memory[0],
        "ours MB": memory[1],
        **sizes,
        "epochs": epochs + 1,
        "valid R@20 after them, RecBole": found[0]["recall@20"],
        "valid R@20 after them, ours": found[1]["recall@20"],
    }


def peer_validation(at_a_time: tuple[int, ...] = (100, 400, 1600), users: int | None = None, repeats: int = 3) -> Row:
    """One validation of all users, T = 40: RecBole at its default `eval_batch_size`, and at the best of some, against ours."""
    which = {"users": users}
    with recbole(RELEASED, [], which) as theirs, ours(RELEASED, [], which) as own:
        sizes = _begun(theirs, own)
        default = theirs.ask("validate", users=None)
        tried = {n: theirs.ask("validate", users=n) for n in at_a_time}
        best = min(tried, key=lambda n: tried[n]["seconds"])
        pairs = [(theirs.ask("validate", users=best), own.ask("validate")) for _ in range(repeats)]
    slow, fast = (statistics.median(pair[side]["seconds"] for pair in pairs) for side in (0, 1))
    return {
        "case": f"one validation, T=40, [600, 200, 600], {_cut(users)}: against RecBole 1.2.1's DiffRec",
        f"RecBole s, default ({default['users at a time']} user at a time)": default["seconds"],
        f"RecBole s, best ({best} users at a time)": slow,
        "ours s": fast,
        "ratio, default": default["seconds"] / fast,
        "ratio, best": slow / fast,
        "RecBole MB, default": default["MB"],
        "RecBole MB, best": tried[best]["MB"],
        "ours MB": pairs[-1][1]["MB"],
        **sizes,
        "valid R@20 after one epoch, RecBole": pairs[-1][0]["recall@20"],
        "valid R@20 after one epoch, ours": pairs[-1][1]["recall@20"],
    }


def peer_book(
    shape: tuple[int, int, int] = (USERS, ITEMS, INTERACTIONS),
    batches: tuple[int, ...] = (200, 400, 1024),
    own_batches: tuple[int, int] = (400, 2048),
    timed_users: int = 8192,
) -> Row:
    """An epoch at the size of Amazon-book, [200]: ours whole, RecBole's scaled up from its median step; a process a batch."""
    sizes = f"{shape[0]:,} users x {shape[1]:,} items, {shape[2]:,} interactions"
    row: Row = {"case": f"epoch, [200], {sizes}: against RecBole 1.2.1's DiffRec"}
    theirs, own, about = {}, {}, {}
    for batch in batches:
        about, found = _steps(batch, shape, max(8, timed_users // batch))
        if "does not fit" in found:
            row[f"RecBole, batch {batch}"] = f"does not fit in {LIMIT_MB:,} MB"
            continue
        theirs[batch] = found["seconds"] * shape[0] / batch
        row |= {f"RecBole s, batch {batch}": theirs[batch], f"RecBole MB, batch {batch}": found["MB"]}
        row |= {f"steps of RecBole timed, batch {batch}": found["steps"]}
    for batch in own_batches:
        with ours(BOOK, _wide(batch), {"shape": shape}) as side:
            found = [side.ask("epoch") for _ in range(2)][-1]
            row |= _same(about, side.about | found, ("users", "items", "train", "threads"), 200 + 200 + 1)
        own[batch] = found["seconds"]
        row |= {f"ours s, batch {batch}": own[batch], f"ours MB, batch {batch}": found["MB"]}
    for batch in sorted({own_batches[0], min(theirs, key=lambda n: theirs[n])} if theirs else ()):
        row |= {f"ratio, RecBole at {batch}, ours at {n}": theirs[batch] / own[n] for n in own_batches if batch in theirs}
    return row | rates()


def _steps(batch: int, shape: tuple[int, int, int], count: int) -> tuple[Row, Row]:
    """RecBole's sizes, and its step at one batch size, or that it does not fit."""
    with recbole(BOOK, _wide(batch), {"shape": shape}, LIMIT_MB) as side:
        if "does not fit" in side.about:
            raise RuntimeError(f"RecBole's model and data alone do not fit in {LIMIT_MB:,} MB: {side.about['does not fit']}")
        return side.about, side.ask("steps", count=count, warm_up=2)


def _wide(batch: int) -> list[str]:
    return ["denoiser.hidden=[200]", f"training.batch_size={batch}"]


def _begun(theirs: Side, own: Side) -> Row:
    """An epoch of each, which does not count; the sizes of both, known to be the same."""
    theirs.ask("epoch")
    first = own.ask("epoch")
    padding = 600 + 600 + 1
    return _same(theirs.about, own.about | first, ("users", "items", "train", "valid", "threads"), padding)


def _same(theirs: Row, own: Row, sizes: tuple[str, ...], padding: int) -> Row:
    """Both sides' sizes, once known to be equal; `padding` parameters are RecBole's padding item's: a column, a row and a bias.

    Raises:
        RuntimeError: the two would not do the same work.
    """
    for size in sizes:
        if theirs[size] != own[size]:
            raise RuntimeError(f"RecBole has {theirs[size]} {size}, ours {own[size]}: the two would not do the same work")
    if theirs["parameters"] != own["parameters"] + padding:
        counts = f"{theirs['parameters']} parameters, ours {own['parameters']} and a padding item's {padding}"
        raise RuntimeError(f"RecBole's network has {counts}: the two are not the same")
    return {
        "of both": ", ".join(f"{own[size]:,} {size}" for size in sizes),
        "parameters of both": f"{own['parameters']:,}, and {padding:,} of RecBole's padding item",
    }


def _cut(users: int | None) -> str:
    return "ml-1m_clean" if users is None else f"the first {users:,} users of ml-1m_clean"
