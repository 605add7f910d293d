"""Lists from a model that is there: one new user, all users, and the model folder itself, at 94,949 items."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from machine import forget_peak, median, note_rate, peak_memory, rates, resident_memory, times
from recodiff import load_model, save_model
from recodiff.data import IdMap
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.registry import build
from recodiff.ranking.recommend import history_of, recommend
from recodiff.runtime.float32 import fast_products
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from scale import INTERACTIONS, ITEMS, USERS, catalogue

WIDTH, STEPS = 1000, 5
RATES_ALONG = 8
"""Times that the matrix rate is taken while all users get their lists: a guest's moves within the minutes."""
Row = dict[str, Any]


def untrained(items: int = ITEMS, width: int = WIDTH, seed: int = 0) -> DiffRec:
    """DiffRec with the weights it begins with."""
    model = build("diffrec", {"denoiser": {"hidden": [width]}, "diffusion": {"steps": STEPS}})
    assert isinstance(model, DiffRec)
    net = model.build(items, keyed_generator(seed, "init"))
    model.restore(dict(net.named_parameters()), IdMap.range(items))
    return model


def chain_flops(items: int, hidden: list[int], steps: int) -> float:
    """Operations of one user's hidden-space chain and decoding; those of the sparse first layer are nothing beside them."""
    body = sum(2 * a * b for a, b in pairwise(hidden))
    return (steps - 1) * 2 * hidden[0] * hidden[-1] + steps * body + 2 * items * hidden[-1]


def new_user(items: int = ITEMS, requests: int = 200, together: int = 1024) -> Row:
    """One core: a new user's history to a top-20 list; and many new users at once."""
    model, g = untrained(items), np.random.default_rng(0)
    with one_core():
        given = [history_of(model, g.choice(items, 29, replace=False).tolist()) for _ in range(requests + 10)]
        found = [times(lambda one=one: recommend(model, one, 20), 1, warm_up=0)[0] for one in given][10:]
        matrix = model.module.diffusion.denoiser.last.weight.detach()
        vector = torch.ones(WIDTH)
        read = min(median(lambda: matrix.sum(), 15), median(lambda: matrix @ vector, 15))
        many = history_of(model, *(g.choice(items, 29, replace=False).tolist() for _ in range(together)))
        forget_peak()
        before = resident_memory()
        batches = times(lambda: recommend(model, many, 20), 7)
        batch = statistics.median(batches)
        shared = rates(chain_flops(items, [WIDTH], STEPS) * together / batch)
    middle, late = statistics.median(found), float(np.quantile(found, 0.99))
    return {
        "case": f"one new user, {items:,} items, [{WIDTH}], one core",
        "median ms": middle * 1e3,
        "p99 ms": late * 1e3,
        "p99 by median": late / middle,
        "reading the item matrix once, ms": read * 1e3,
        "median by that": middle / read,
        f"{together:,} new users at once, ms a user": batch / together * 1e3,
        "the slowest of 7 such batches by the median": max(batches) / batch,
        "MB beyond the model at the peak": peak_memory() - before,
        **shared,
    }


def recommend_all(shape: tuple[int, int, int] = (USERS, ITEMS, INTERACTIONS), plain_users: int = 800) -> Row:
    """Top-20 lists of all users, seen items left out; the plain chain's time from some of them."""
    data = catalogue(*shape)
    model, rows = untrained(shape[1]), Rows.from_csr(data.matrix)
    before = resident_memory()
    recommend(model, data.take(np.arange(min(2000, shape[0]))), 20)
    seconds = 0.0
    for part in np.array_split(np.arange(shape[0]), RATES_ALONG):
        users = data.take(part)
        note_rate()
        seconds += times(lambda users=users: recommend(model, users, 20), 1, warm_up=0)[0]
    memory = peak_memory() - before
    diffusion, some = model.module.diffusion, torch.arange(plain_users)

    def plain() -> None:
        for users in some.split(400):
            with torch.inference_mode(), fast_products():
                diffusion.denoise(rows.take(users)).topk(20)

    slow = median(plain, 1) / plain_users * shape[0]
    return {
        "case": f"recommend for {shape[0]:,} users, {shape[1]:,} items, [{WIDTH}], T={STEPS}",
        "s": seconds,
        "users a second": shape[0] / seconds,
        f"plain chain, from {plain_users} users, s": slow,
        "ratio": slow / seconds,
        **rates(chain_flops(shape[1], [WIDTH], STEPS) * shape[0] / seconds, along=True),
        "matrix rates, of which that is the median": RATES_ALONG + 2,
        "MB beyond model and data": memory,
    }


def recommend_wide(items: int = 1_000_000, width: int = 200, users: int = 2048) -> Row:
    """Top-20 lists over a million items: beside the products, the scores themselves are read and written."""
    model, g = untrained(items, width), np.random.default_rng(0)
    many = history_of(model, *(np.unique(g.integers(0, items, 36)).tolist() for _ in range(users)))
    forget_peak()
    before = resident_memory()
    seconds = median(lambda: recommend(model, many, 20), 3)
    return {
        "case": f"recommend for {users:,} users, {items:,} items, [{width}], T={STEPS}",
        "s": seconds,
        "ms a user": seconds / users * 1e3,
        **rates(chain_flops(items, [width], STEPS) * users / seconds),
        "MB beyond model and data at the peak": peak_memory() - before,
    }


def model_load(items: int = ITEMS) -> Row:
    """A model folder saved, and loaded in a process of its own; beside reading its file."""
    with TemporaryDirectory() as folder:
        path, model = Path(folder) / "model", untrained(items)
        save = times(lambda: save_model(model, path), 1, warm_up=0)[0]
        size = sum(file.stat().st_size for file in path.iterdir()) / 2**20
        read = median(lambda: [file.read_bytes() for file in path.iterdir()], 3)
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import serving; print(*serving.loaded({str(path)!r}))"
        )
        found = [_numbers(code) for _ in range(3)]
    return {
        "case": f"a model folder of {items:,} items, [{WIDTH}], {size:,.0f} MB",
        "save s": save,
        "load s": statistics.median(one[0] for one in found),
        "first list after it, s": statistics.median(one[1] for one in found),
        "MB beyond the imports": statistics.median(one[2] for one in found),
        "reading the files, s": read,
    }


def loaded(path: str) -> tuple[float, float, float]:
    """Seconds of loading and of the first list, and MB that they took; for a fresh process."""
    before, began = resident_memory(), time.perf_counter()
    model = load_model(path)
    seconds, began = time.perf_counter() - began, time.perf_counter()
    recommend(model, history_of(model, [1, 2, 3]), 20)
    return seconds, time.perf_counter() - began, peak_memory() - before


def _numbers(code: str) -> list[float]:
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return [float(number) for number in out.split()]


@contextmanager
def one_core() -> Iterator[None]:
    """This process on one core, with one thread."""
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(threads)
