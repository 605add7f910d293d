"""The two sides of peer.py, each in a process of its own that answers the same requests by lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch

from machine import peak_memory
from recodiff import Run, Validation, build, read_settings
from recodiff.data import Dataset, Interactions
from recodiff.models.diffrec.diffrec import DiffRecConfig

HERE = Path(__file__).resolve().parent

Data = dict[str, Any]
"""Which data: `users`, the first so many of ml-1m_clean; or `shape`, (users, items, interactions) at random."""


def dataset(which: Data) -> Dataset:
    """The same data in every process."""
    from datasets import ml_1m
    from scale import catalogue

    if "shape" not in which:
        data, users = ml_1m(), which["users"]
        if users is None:
            return data
        kept = {name: part.take(np.arange(users)) for name, part in data.parts().items()}
        return Dataset(kept["train"], kept["valid"], kept["test"], None, None, data.info)
    train = catalogue(*which["shape"])
    nobody = Interactions.from_arrays([], [], train.users, train.items)
    return Dataset(train, nobody, nobody, None, None, {"name": "random"})


def write_atomic(data: Dataset, folder: Path, name: str) -> None:
    """RecBole's files of a data set: `.inter` of each part, and `.item`, without which items nobody met would not count.

    RecBole refuses a part without interactions; one user's first is put in its place.
    """
    folder.mkdir(parents=True)
    some = data.train.only(np.arange(data.train.nnz) < 1)
    for part in ("train", "valid", "test"):
        held = getattr(data, part)
        held = held if held is not None and held.nnz else some
        columns = {"user_id:token": held.rows(), "item_id:token": held.matrix.indices}
        pl.DataFrame(columns).write_csv(folder / f"{name}.{part}.inter", separator="\t")
    items = np.arange(len(data.items))
    pl.DataFrame({"item_id:token": items}).write_csv(folder / f"{name}.item", separator="\t")


def recbole_settings(config: DiffRecConfig) -> dict[str, Any]:
    """The same model, loss and optimiser in RecBole's words.

    Raises:
        ValueError: RecBole has no such setting; what it has is fixed.
    """
    schedule, training = config.diffusion.schedule, config.training
    if schedule.kind != "linear_variance":
        raise ValueError(f"diffusion.schedule.kind = {schedule.kind} is not compared; take linear_variance")
    fixed = {"denoiser.dropout": (config.denoiser.dropout, 0.5), "diffusion.timesteps": (config.diffusion.timesteps, "loss_aware")}
    fixed |= {"diffusion.step_weights": (config.diffusion.step_weights, "snr"), "sampling.noise": (config.sampling.noise, False)}
    for name, (value, theirs) in fixed.items():
        if value != theirs:
            raise ValueError(f"{name} = {value} is not compared; RecBole's DiffRec is run with {theirs}")
    return {
        "noise_schedule": "linear-var",
        "noise_scale": schedule.noise_scale,
        "noise_min": schedule.noise_min,
        "noise_max": schedule.noise_max,
        "beta_fixed": schedule.first_beta == 1e-5,
        "steps": config.diffusion.steps,
        "sampling_steps": config.sampling.noise_steps,
        "dims_dnn": list(config.denoiser.hidden),
        "embedding_size": config.denoiser.embedding,
        "mlp_act_func": config.denoiser.activation,
        "norm": config.denoiser.normalise,
        "learner": "adamw",
        "learning_rate": training.lr,
        "weight_decay": training.weight_decay,
        "train_batch_size": training.batch_size,
    }


class Side:
    """A process that trains and validates on request."""

    def __init__(self, command: list[str], settings: dict[str, Any], cwd: Path | None = None) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, text=True)
        self.about = self._answer(settings)

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """The answer to one request."""
        return self._answer({"do": do, **what})

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(asked), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()} at {asked}")
        return json.loads(line)

    def end(self) -> None:
        """Closes the process."""
        self._process.kill()
        self._process.communicate()


def interpreter(peer: str) -> str:
    """That of a peer's environment, `recbole` or `rectools`, made where it is absent.

    Raises:
        RuntimeError: it could not be made.
    """
    made = subprocess.run(["bash", str(HERE / "peer_env.sh"), peer], capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"no environment for the peer: {made.stderr.strip()}")
    return str(HERE.parent / (".venv-peer" if peer == "recbole" else f".venv-peer-{peer}") / "bin" / "python")


@contextlib.contextmanager
def ours(preset: str, overrides: list[str], which: Data) -> Iterator[Side]:
    """Our DiffRec."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import peer_sides; peer_sides.serve()"
    settings = {"preset": preset, "overrides": overrides, "data": which, "threads": torch.get_num_threads()}
    side = Side([sys.executable, "-c", code], settings)
    try:
        yield side
    finally:
        side.end()


@contextlib.contextmanager
def recbole(preset: str, overrides: list[str], which: Data, limit_mb: int | None = None) -> Iterator[Side]:
    """RecBole's DiffRec on the same data in its own files, in its own environment, made where it is absent."""
    python = interpreter("recbole")
    name, settings = read_settings(preset, overrides)
    config = build(name, settings).config
    assert isinstance(config, DiffRecConfig)
    with TemporaryDirectory() as folder:
        write_atomic(dataset(which), Path(folder) / "data" / "bench", "bench")
        own = recbole_settings(config) | _protocol(Path(folder))
        asked = {"recbole": own, "threads": torch.get_num_threads(), "limit_mb": limit_mb}
        side = Side([python, str(HERE / "peer_recbole.py")], asked, Path(folder))
        try:
            yield side
        finally:
            side.end()


def _protocol(folder: Path) -> dict[str, Any]:
    return {
        "data_path": str(folder / "data"),
        "checkpoint_dir": str(folder / "saved"),
        "load_col": {"inter": ["user_id", "item_id"], "item": ["item_id"]},
        "benchmark_filename": ["train", "valid", "test"],
        "train_neg_sample_args": None,
        "eval_args": {"group_by": "user", "mode": "full"},
        "metrics": ["Recall", "NDCG"],
        "topk": [20],
        "valid_metric": "Recall@20",
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
    }


class Turns:
    """Stands between the epochs of `fit` as its validation: times what lies between two calls, and waits for the next request."""

    def __init__(self, data: Dataset, answer: Any) -> None:
        self.data, self.answer, self.began = data, answer, 0.0

    def __call__(self, model: Any) -> dict[str, float]:
        """Answers with the epoch that just ended; goes on with another one when asked for it."""
        seconds = time.perf_counter() - self.began
        self.answer({"seconds": seconds, "parameters": sum(p.numel() for p in model.module.parameters())})
        while (asked := json.loads(sys.stdin.readline() or '{"do": "end"}'))["do"] == "validate":
            began = time.perf_counter()
            model.module.eval()  # products of the weights are made anew, as after an epoch
            figures = Validation(self.data)(model)
            self.answer({"seconds": time.perf_counter() - began} | figures)
        if asked["do"] != "epoch":
            raise SystemExit
        self.began = time.perf_counter()
        return {"recall@20": 0.0}


def serve() -> None:
    """Our side: `fit` itself, held between its epochs."""
    asked = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    torch.set_num_threads(asked["threads"])
    data = dataset(asked["data"])
    often = ["training.check_every_epochs=1", "training.epochs=100000", "training.patience_epochs=100000"]
    model = build(*read_settings(asked["preset"], [*asked["overrides"], *often]))

    def answer(found: dict[str, Any]) -> None:
        print(json.dumps(found | {"MB": peak_memory()}), file=answers)

    turns = Turns(data, answer)
    sizes = {"users": len(data.users), "items": len(data.items), "train": data.train.nnz, "threads": torch.get_num_threads()}
    answer(sizes | {"valid": data.part("valid").nnz})
    if sys.stdin.readline():  # the first request is for an epoch
        turns.began = time.perf_counter()
        model.fit(data.train, Run(device="cpu", progress=False), validate=turns)
