"""The softmax over sampled items against the full one: accuracy over seeds, time and memory, each run in a process of its own.

    python benchmarks/sampled.py ml-1m_clean --samples all 500 --seeds 1 2 3     rows already in sampled.json are kept
    python benchmarks/sampled.py ml-1m_clean --samples all 500 --steps           time of a step, in turns, and memory
    python benchmarks/sampled.py gowalla --samples all 8000 --seeds 1 --epochs 30      in place of the case's own number
    python benchmarks/sampled.py gowalla --samples all 8000 --epochs 30 --ema 0.995    judged by the average of the weights
    python benchmarks/sampled.py gowalla --samples 8000 --by uniform --lr 1.5e-3       drawn all alike, with another learning rate

`all` is the full softmax. Epochs, and the samples of benchmarks/notebook/sampled-softmax.md, are chosen on validation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from machine import SHARED, machine, peak_memory
from precision import step_of
from recodiff import Run, Validation, build, load_dataset, prepare, read_settings
from recodiff.config import merge
from recodiff.data import Dataset, Interactions
from recodiff.data.split import AsPublished
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.models.network import TorchRecommender
from recodiff.runtime.memory import keep_freed_memory
from saved_rows import SavedRows

FOUND, STEPS = (SavedRows(Path(__file__).resolve().parent / f"{name}.json") for name in ("sampled", "sampled-steps"))
METRICS = ("recall@20", "ndcg@20")
WIDE: dict[str, Any] = {
    "diffusion": {"steps": 1, "schedule": {"kind": "none"}, "loss": "multinomial", "timesteps": "uniform"},
    "denoiser": {"hidden": [200], "activation": "silu", "dropout": 0.5},
    "training": {
        "lr": 1e-3,
        "batch_size": 250,
        "epochs": 12,
        "check_every_epochs": 2,
        "patience_epochs": 12,
        "precision": "bfloat16",
    },
}
"""Of gowalla, 40,981 items: one hidden layer that gives a row back, for so many epochs."""
BY = {"ml-1m_clean": "uniform", "gowalla": "popularity"}
"""diffusion.sampled_by, the better on validation: R@20 of ml-1m_clean, N@20 of gowalla, whose R@20 does not tell them apart."""
DRAWN = {"uniform": "all alike", "popularity": "by the root of popularity"}


@dataclass(frozen=True)
class How:
    """What a run changes of its case; None leaves what the case has."""

    by: str
    epochs: int | None = None
    ema: float | None = None
    lr: float | None = None

    @classmethod
    def of(cls, asked: argparse.Namespace) -> How:
        return cls(asked.by or BY[asked.data], asked.epochs, asked.ema, asked.lr)

    def training(self) -> dict[str, Any]:
        told = {"epochs": self.epochs, "ema": self.ema, "lr": self.lr}
        return {key: value for key, value in told.items() if value is not None}

    def told(self, given: str) -> dict[str, Any]:
        """As a row has it: how many items, by what they are drawn, and what was asked for."""
        number = _number(given)
        drawn = None if number is None else DRAWN[self.by]
        return {"sampled_items": number, "drawn": drawn, "epochs asked": self.epochs, "ema": self.ema, "lr asked": self.lr}

    def options(self) -> list[str]:
        """The same on a command line."""
        return ["--by", self.by, *(part for key, value in self.training().items() for part in (f"--{key}", str(value)))]


@cache
def case(name: str) -> tuple[Dataset, str, dict[str, Any]]:
    """Data, model and settings with the full softmax. Gowalla's valid part is a tenth of its train part, at random."""
    if name == "gowalla":
        return prepare(SHARED / name, split=AsPublished(valid=0.1, seed=0)), "diffrec", WIDE
    return load_dataset(SHARED / name), *read_settings(f"f-diffrec-{name}")


def _model(name: str, given: str, how: How) -> TorchRecommender:
    _, kind, settings = case(name)
    settings = merge(settings, {"training": how.training()})
    sampled = {} if given == "all" else {"sampled_items": _number(given), "sampled_by": how.by}
    model = build(kind, merge(settings, {"diffusion": {"space": "hidden", **sampled}}))
    assert isinstance(model, TorchRecommender)
    return model


def _number(given: str) -> int | None:
    return None if given == "all" else int(given)


def one(name: str, given: str, seed: int, how: How) -> dict[str, Any]:
    """A run of this very process; seconds of an epoch are of those without validation."""
    data, model = case(name)[0], _model(name, given, how)
    model.fit(data.train, Run(seed=seed, progress=False), validate=Validation(data))
    most = peak_memory()
    measured = measure_parts(model, data, ("valid", "test"), METRICS).parts
    return {
        "data": name,
        **how.told(given),
        "seed": seed,
        "epochs": model.summary["epochs"],
        "best_epoch": model.summary["best_epoch"],
        "seconds": model.summary["seconds"],
        "seconds an epoch": statistics.median(entry["seconds"] for entry in model.summary["log"] if "recall@20" not in entry),
        "MB": round(most),
        **{part: {metric: found.mean(metric) for metric in METRICS} for part, found in measured.items()},
        "machine": machine(),
    }


def steps(name: str, samples: list[str], how: How, count: int = 15, warm_up: int = 3) -> dict[str, Any]:
    """A training step with each number of samples: median ms of steps in turns, and the peak of a process that takes some alone."""
    keep_freed_memory()
    data = _shuffled(name)
    step = {given: step_of(_model(name, given, how), data) for given in samples}
    took: dict[tuple[str, bool], list[float]] = {(given, low): [] for given in samples for low in (False, True)}
    for k in range(warm_up + count):
        for (given, low), seconds in took.items():
            began = time.perf_counter()
            step[given](low, k)
            seconds.append(time.perf_counter() - began)
    batch = case(name)[2]["training"]["batch_size"]
    row: dict[str, Any] = {"data": name, "users": data.n_users, "items": data.n_items, "batch": batch}
    for (given, low), seconds in took.items():
        row[f"{given}, {'bfloat16' if low else 'float32'}, ms"] = 1e3 * statistics.median(seconds[warm_up:])
    return row | {f"{given}, MB": _apart(name, given, "--peak", *how.options())["MB"] for given in samples} | {"machine": machine()}


def _shuffled(name: str) -> Interactions:
    """The training part, its users at random: a step takes the first, and gowalla's are the ones with the most items."""
    train = case(name)[0].train
    return train.take(np.random.default_rng(0).permutation(train.n_users))


def peak(name: str, given: str, how: How) -> dict[str, Any]:
    """Of this very process after five steps, and what it was before the model was made."""
    keep_freed_memory()
    data = _shuffled(name)
    before = peak_memory()
    step = step_of(_model(name, given, how), data)
    for k in range(5):
        step(False, k)
    return {"MB": round(peak_memory()), "before": round(before)}


def _apart(name: str, given: str, *how: str) -> dict[str, Any]:
    command = [sys.executable, __file__, name, "--samples", given, *how]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("ml-1m_clean", "gowalla"))
    parser.add_argument("--samples", nargs="+", required=True, help="numbers, or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, help="at most, in place of those of the case")
    parser.add_argument("--ema", type=float, help="decay of the average of the weights that is judged")
    parser.add_argument("--lr", type=float, help="learning rate, in place of that of the case")
    parser.add_argument("--by", choices=tuple(DRAWN), help="diffusion.sampled_by, in place of that of the case")
    parser.add_argument("--steps", action="store_true", help="time a step and see its memory, in place of training")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # in this very process
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    how = How.of(asked)
    if asked.one or asked.peak:
        given = asked.samples[0]
        print(json.dumps(peak(asked.data, given, how) if asked.peak else one(asked.data, given, asked.seeds[0], how)))
    elif asked.steps:
        row = steps(asked.data, asked.samples, how)
        print(row)
        STEPS.put(row, {"data": asked.data})
    else:
        _train(asked.data, asked.samples, asked.seeds, how)


def _train(data: str, samples: list[str], seeds: list[int], how: How) -> None:
    for given in samples:
        for seed in seeds:
            told = {"data": data, **how.told(given), "seed": seed}
            if FOUND.has(told):
                continue
            row = _apart(data, given, "--seeds", str(seed), "--one", *how.options())
            shown = {key: row[key] for key in ("best_epoch", "seconds an epoch", "MB")}
            print(data, given, seed, f"valid R@20 {row['valid']['recall@20']:.4f}", shown, flush=True)
            FOUND.put(row, told)


if __name__ == "__main__":
    main()
