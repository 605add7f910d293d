"""A training step in bfloat16 beside the same one in float32, in the same process, at presets of ML-1M."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from machine import SHARED, matrix_rate, times
from recodiff.configs import read_settings
from recodiff.data import Interactions, load_dataset
from recodiff.models.network import TorchRecommender
from recodiff.models.registry import build
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import keep_freed_memory
from recodiff.tensors.random import keyed_generator
from recodiff.training.adamw import AdamW
from recodiff.training.trainable import Progress

PRESETS = ("diffrec-ml-1m_clean", "f-diffrec-ml-1m_clean", "sasrec-ml-1m_clean")
PAIRS, WARM_UP = 30, 5


def low_precision() -> dict[str, Any]:
    """Steps in turn, float32 and bfloat16: medians and their ratio; and the matrix rates of either."""
    folder = SHARED / "ml-1m_clean"
    if not folder.is_dir():
        return {"case": "training step in bfloat16 against float32: needs ml-1m_clean, which is not here"}
    keep_freed_memory()
    row: dict[str, Any] = {"case": "training step in bfloat16 against float32, ml-1m_clean, presets"}
    data = load_dataset(folder).train
    for preset in PRESETS:
        model = build(*read_settings(preset))
        assert isinstance(model, TorchRecommender)
        step = step_of(model, data)
        found: dict[bool, list[float]] = {False: [], True: []}
        for k in range(WARM_UP + PAIRS):
            for low, seconds in found.items():
                began = time.perf_counter()
                step(low, k)
                seconds.append(time.perf_counter() - began)
        slow, fast = (statistics.median(found[low][WARM_UP:]) for low in (False, True))
        name = preset.removesuffix("-ml-1m_clean")
        row |= {f"{name} float32, ms": slow * 1e3, f"{name} bfloat16, ms": fast * 1e3, f"{name} ratio": slow / fast}
    rates = {kind: matrix_rate(dtype=kind) / 1e9 for kind in (torch.float32, torch.bfloat16)}
    return row | {f"matrix rate {str(kind).removeprefix('torch.')}, GFLOP/s": rate for kind, rate in rates.items()}


SHAPES = {
    "2048 x 2048 x 2048": (2048, 2048, 2048),
    "a batch through the first layer, 400 x 2810 x 600": (400, 2810, 600),
    "scores, 353 x 1000 x 94949": (353, 1000, 94_949),
    "V'V, 200 x 94949 x 200": (200, 94_949, 200),
}
"""Rows, inner numbers, columns of some float32 products that the library lives on."""


def products() -> dict[str, Any]:
    """Float32 products as PyTorch makes them and as `recodiff.runtime.float32` has them made, in turns; and their rounding."""
    row: dict[str, Any] = {"case": "float32 products: PyTorch's own, and those of recodiff.float32"}
    for name, (m, k, n) in SHAPES.items():
        a, b = torch.randn(m, k), torch.randn(n, k).T
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for fast, found in [*seconds.items()] * 7:
            with fast_products() if fast else nullcontext():
                found += times(lambda a=a, b=b: a @ b, 1, warm_up=0)
        own, better = (2 * m * k * n / statistics.median(found[2:]) / 1e9 for found in seconds.values())
        row |= {f"{name}, PyTorch's own GFLOP/s": own, f"{name}, ours": better, f"{name}, ratio": better / own}
    a, b = torch.randn(512, 2048), torch.randn(2048, 512)
    truth = a.double() @ b.double()
    for name, fast in (("PyTorch's own", False), ("ours", True)):
        with fast_products() if fast else nullcontext():
            row[f"error of 512 x 2048 x 512, relative, {name}"] = float((a @ b - truth).norm() / truth.norm())
    return row


def step_of(model: TorchRecommender, data: Interactions) -> Callable[[bool, int], None]:
    """A training step on the first users: step(whether in bfloat16, number)."""
    cpu = torch.device("cpu")
    net = model.build(data.n_items, keyed_generator(0, "init")).train()
    optimizer = AdamW(model.parameter_groups(net), fused=True)
    draw, users = model.pairs().bind(data, model.config.weighting, cpu), torch.arange(model.training.batch_size)

    def step(low: bool, k: int) -> None:
        generator = keyed_generator(0, "step", k)
        pair = draw(users, generator)
        with fast_products():
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = net(pair, Progress(0, k), generator).float().mean()
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
