"""Speed and memory, case by case. Each case returns one flat row; ratios are of things timed in the same process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cold_start import cold_start
from datasets import ml_1m
from exact_lists import exact_lists
from machine import median, rates
from memory import family_memory
from million import million
from peer import peer_book, peer_epoch, peer_validation
from precision import low_precision, products
from preparing import preparing
from processes import shared_items, two_processes
from ranking_speed import chain_flops, model_load, new_user, recommend_all, recommend_wide
from recodiff.configs import read_settings
from recodiff.data import Dataset
from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.hidden import HiddenChain
from recodiff.diffusion.process import GaussianProcess
from recodiff.diffusion.schedules import LinearVariance
from recodiff.diffusion.timesteps import UniformTimesteps
from recodiff.evaluation.evaluate import measure
from recodiff.evaluation.protocol import stages
from recodiff.models.diffrec.diffrec import DiffRec
from recodiff.models.registry import build
from recodiff.ranking.topk import rank
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.memory import keep_freed_memory
from recodiff.tensors.random import keyed_generator
from recodiff.tensors.rows import Rows
from recodiff.training.adamw import AdamW
from recodiff.training.trainable import Progress
from scale import amazon_book_epoch, gowalla, hidden_step
from service import service_large, service_lasting, service_peer, service_small, service_workers

Row = dict[str, Any]
MFLOP_PER_USER = 18.3e6
"""Of a training step at the released ML-1M network, forward and backward."""


def _rows(batch: int, items: int, per_user: int) -> Rows:
    g = torch.Generator().manual_seed(0)
    columns = torch.rand(batch, items, generator=g).topk(per_user, 1).indices.sort(1).values
    offsets = torch.arange(batch + 1) * per_user
    return Rows(offsets, columns.reshape(-1), torch.ones(batch * per_user), items)


def chain(name: str, items: int, hidden: list[int], steps: int, per_user: int, batch: int = 400) -> Row:
    """The hidden-space chain against the plain one, same weights and histories."""
    keep_freed_memory()
    process = GaussianProcess(LinearVariance(noise_scale=0.005, noise_min=0.005, noise_max=0.01, first_beta=1e-5).betas(steps))
    net = MLPDenoiser(items, hidden, generator=keyed_generator(0, "bench"))
    diffusion = Diffusion(process, net, UniformTimesteps(steps)).eval()
    rows = _rows(batch, items, per_user)
    with torch.inference_mode(), fast_products():
        fast = HiddenChain(diffusion)
        slow_seconds = median(lambda: diffusion.denoise(rows), 3 if items > 10_000 else 5)
        fast_seconds = median(lambda: fast.denoise(rows), 9)
        once = median(lambda: HiddenChain(diffusion), 3)
        a, b = diffusion.denoise(rows), fast.denoise(rows)
    same, ties, wrong = _compare_lists(a, b)
    return {
        "case": name,
        "plain ms": slow_seconds * 1e3,
        "hidden ms": fast_seconds * 1e3,
        "ratio": slow_seconds / fast_seconds,
        "products made once, ms": once * 1e3,
        **rates(chain_flops(items, hidden, steps) * batch / fast_seconds),
        "identical top-20 lists": f"{same} of {batch}",
        "lists that differ in ties only": ties,
        "lists that differ otherwise": wrong,
        "largest difference": float((a - b).abs().max() / a.abs().max()),
    }


def _compare_lists(a: torch.Tensor, b: torch.Tensor) -> tuple[int, int, int]:
    va, ia = a.topk(20)
    ib = b.topk(20).indices
    moved = ia != ib
    tied = (a.gather(1, ib) - va).abs() <= 1e-5 * va.abs().amax(1, keepdim=True)
    differing = moved.any(1)
    wrong = (moved & ~tied).any(1)
    return int((~differing).sum()), int((differing & ~wrong).sum()), int(wrong.sum())


def chain_wide() -> Row:
    """T = 5, one hidden layer of 1000, 94,949 items."""
    return chain("chain: T=5, [1000], 94,949 items", 94_949, [1000], 5, 29)


def chain_long() -> Row:
    """T = 40, one hidden layer of 200, 2,810 items."""
    return chain("chain: T=40, [200], 2,810 items", 2_810, [200], 40, 68)


def chain_released() -> Row:
    """The released ML-1M network."""
    return chain("chain: T=40, [600, 200, 600], 2,810 items", 2_810, [600, 200, 600], 40, 68)


class _Trainer:
    """The very step of `training.train`, at the released settings."""

    def __init__(self, data: Dataset) -> None:
        keep_freed_memory()
        name, settings = read_settings("diffrec-ml-1m_clean")
        model = build(name, settings)
        assert isinstance(model, DiffRec)
        self.model, self.data = model, data
        model.module = self.module = model.build(len(data.items), keyed_generator(0, "init"))
        model.restore(dict(self.module.named_parameters()), data.items)
        self.module = model.module
        self.optimizer = AdamW(model.parameter_groups(self.module), fused=True)
        self.draw = model.pairs().bind(data.train, model.config.weighting, torch.device("cpu"))
        self.order = torch.randperm(len(data.users), generator=keyed_generator(0, "shuffle"))

    def step(self, users: torch.Tensor, number: int = 0) -> None:
        generator = keyed_generator(0, "step", number)
        with fast_products():
            self.module(self.draw(users, generator), Progress(0, number), generator).mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def epoch(self) -> None:
        self.module.train()
        for number, users in enumerate(self.order.split(400)):
            self.step(users, number)


def train_step() -> Row:
    """One training step at the released ML-1M settings: densify, noise, dropout, forward, backward, AdamW."""
    data = ml_1m()
    trainer = _Trainer(data)
    trainer.module.train()
    seconds = median(lambda: trainer.step(trainer.order[:400]), 40, warm_up=10)
    return {
        "case": f"training step, batch 400, {data.name}",
        "step ms": seconds * 1e3,
        **rates(400 * MFLOP_PER_USER / seconds),
    }


def scoring() -> Row:
    """Scoring all users once for validation and test together, against training epochs in the same process."""
    data = ml_1m()
    trainer = _Trainer(data)
    epoch = median(trainer.epoch, 5, warm_up=1)
    trainer.module.eval()
    tasks = stages(data).tasks("valid", "test")
    masks = {name: task.mask for name, task in tasks.items()}
    whole = median(lambda: (trainer.module.eval(), measure(trainer.model, tasks)), 5)
    ranking = median(lambda: (trainer.module.eval(), list(rank(trainer.model, data.train, 20, masks))), 5)
    return {
        "case": f"scoring, ranking and metrics of all users, valid and test, {data.name}",
        "epoch s": epoch,
        "evaluation s": whole,
        "epochs": whole / epoch,
        "metrics share": 1 - ranking / whole,
    }


def train_memory() -> Row:
    """Peak resident memory of training at the released settings, validation included, in a process of its own."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import datasets, speed, machine\n"
        "from recodiff import Run, Validation, build, read_settings\n"
        "data = datasets.ml_1m(); name, settings = read_settings('diffrec-ml-1m_clean', ['training.epochs=5'])\n"
        "build(name, settings).fit(data.train, Run(), validate=Validation(data)); print(machine.peak_memory())"
    )
    found = _python(code)
    return {"case": "peak memory of training, validation included", "MB": float(found.splitlines()[-1]), "epochs": 5}


def f_diffrec() -> Row:
    """The preset f-diffrec-ml-1m_clean trained to its end, validation included, in a process of its own."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import datasets, speed, machine\n"
        "from recodiff import Run, Validation, build, read_settings\n"
        "data = datasets.ml_1m(); name, settings = read_settings('f-diffrec-ml-1m_clean')\n"
        "fitted = build(name, settings).fit(data.train, Run(progress=False), validate=Validation(data)).summary\n"
        "print(fitted['seconds'], fitted['epochs'], fitted['best_epoch'], machine.peak_memory())"
    )
    seconds, epochs, best, memory = _python(code).split()[-4:]
    row = {"case": "F-DiffRec's preset on ml-1m_clean, trained to its end, validation included", "s": float(seconds)}
    return row | {"epochs": int(epochs), "best epoch": int(best), "MB": float(memory)}


def import_time() -> Row:
    """CPU seconds of `import recodiff` and of `recodiff --help`."""
    code = "import time; a = time.process_time(); import recodiff; print(time.process_time() - a)"
    whole = "import time; a = time.process_time(); import recodiff; recodiff.Recommender; print(time.process_time() - a)"
    return {
        "case": "import recodiff",
        "CPU s": float(np.median([float(_python(code)) for _ in range(5)])),
        "with torch and a model class, CPU s": float(np.median([float(_python(whole)) for _ in range(3)])),
    }


def prepare_csv(rows: int = 10_000_000) -> Row:
    """A CSV of ten million rows: read, deduplicated, split by time within each user, written; in a process of its own."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "log.csv"
        _write_log(source, rows)
        code = (
            f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r}); import machine\n"
            "from recodiff import prepare\nfrom recodiff.data.split import Temporal\na = time.perf_counter()\n"
            f"d = prepare({str(source)!r}, {str(Path(folder) / 'out')!r}, split=Temporal())\n"
            "print(time.perf_counter() - a, machine.peak_memory(), d.info['interactions'])"
        )
        seconds, memory, kept = _python(code).split()[-3:]
        size = os.path.getsize(source) / 2**20
    return {"case": f"prepare, CSV of {rows:,} rows ({size:.0f} MB)", "s": float(seconds), "MB": float(memory), "kept": int(kept)}


def _write_log(path: Path, rows: int) -> None:
    import polars as pl

    g = np.random.default_rng(0)
    user = g.integers(0, rows // 50, rows)
    item = (g.random(rows) ** 2 * 50_000).astype(np.int64)
    columns = {
        "user": user,
        "item": item,
        "rating": g.integers(1, 6, rows),
        "timestamp": g.integers(1_500_000_000, 1_700_000_000, rows),
    }
    pl.DataFrame(columns).write_csv(path)


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


CASES: dict[str, Callable[..., Row]] = {
    case.__name__: case
    for case in (
        chain_wide,
        chain_long,
        chain_released,
        train_step,
        products,
        low_precision,
        scoring,
        train_memory,
        family_memory,
        f_diffrec,
        new_user,
        recommend_all,
        recommend_wide,
        exact_lists,
        model_load,
        service_small,
        service_large,
        service_peer,
        service_workers,
        service_lasting,
        import_time,
        cold_start,
        preparing,
        prepare_csv,
        hidden_step,
        amazon_book_epoch,
        gowalla,
        two_processes,
        shared_items,
        peer_epoch,
        peer_validation,
        peer_book,
        million,
    )
}
