"""Our SASRec beside that of RecTools: one data set, width, depth, window, loss and protocol, each at its best epoch by validation.

    python benchmarks/peer_sasrec.py FOLDER --seeds 1 2 3            rows already in peer_sasrec.json are kept
    python benchmarks/peer_sasrec.py FOLDER --sides rectools --lr 1e-3 --batch 128

Both learn the next item by the softmax over all items. The peer's lists are ranked and measured by our evaluation, from its
vectors. RecTools learns from the newest 51 items of each user, ours from any 51 that follow each other; so there are two sides
more: `ours-newest`, which is shown the newest alone, and `rectools-all`, which is shown each history in pieces of 51.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from machine import machine
from peer_sides import HERE, Side, interpreter
from recodiff import Batch, Recommender, Run, Traits, Validation, build, load_dataset
from recodiff.data import Dataset, Interactions
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.models.base import Validate
from saved_rows import SavedRows

ROWS = HERE / "peer_sasrec.json"
SIDES = ("ours", "rectools", "ours-newest", "rectools-all")
METRICS = ("recall@20", "ndcg@20")
LENGTH, WIDTH, LAYERS, DROPOUT = 50, 64, 2, 0.3
EVERY, PATIENCE = 3, 15
"""Epochs between validations, and without a better one before the end."""
NEVER = -1e9
"""What an item scores that the peer never saw."""

Row = dict[str, Any]


class Vectors(Recommender):
    """Scores that are inner products of vectors which another program learned; whose a vector is, is known by place."""

    def _traits(self) -> Traits:
        return replace(super()._traits(), remembers_users=True)

    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        raise NotImplementedError

    def score(self, batch: Batch) -> Tensor:
        """[B, I]."""
        return self.its_users[batch.places()] @ self.its_items.T + self.bias

    def state(self) -> dict[str, Tensor]:
        """The vectors, and a bias that holds items without one back."""
        return {"users": self.its_users, "items": self.its_items, "bias": self.bias}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self.its_users, self.its_items, self.bias = state["users"], state["items"], state["bias"]


def read_vectors(folder: Path, data: Dataset) -> Vectors:
    """What the peer wrote; whoever it has no vector of has zeros."""
    placed = {}
    for name, count in (("users", len(data.users)), ("items", len(data.items))):
        found, ids = np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_ids.npy")
        whole, bias = np.zeros((count, found.shape[1]), np.float32), np.full(count, NEVER, np.float32)
        whole[ids], bias[ids] = found, 0.0
        placed |= {name: torch.from_numpy(whole), "bias": torch.from_numpy(bias)}  # the items' bias is the last
    return Vectors().restore(placed, data.items, users=data.users)


def newest(train: Interactions, count: int) -> Interactions:
    """The newest interactions of each user, at most so many."""
    return train.only(train.lengths()[train.rows()] - train.positions() <= count)


def pieces(train: Interactions, count: int) -> np.ndarray:
    """Who of a piece interacted with what, oldest first, int64 [n, 2]: histories in pieces of so many, the newest one whole."""
    piece = (train.lengths()[train.rows()] - 1 - train.positions()) // count
    user = train.rows() * (int(piece.max()) + 1) + piece
    return np.stack([user, train.matrix.indices], 1).astype(np.int64)


def ours(side: str, data: Dataset, seed: int, lr: float, batch: int) -> Row:
    """Our SASRec in its published form."""
    training = {"lr": lr, "batch_size": batch, "epochs": 300, "check_every_epochs": EVERY, "patience_epochs": PATIENCE}
    settings = {"length": LENGTH, "width": WIDTH, "layers": LAYERS, "dropout": DROPOUT, "training": training}
    shown = newest(data.train, LENGTH + 1) if side == "ours-newest" else data.train
    model = build("sasrec", settings).fit(shown, Run(seed=seed, progress=False), validate=Validation(data))
    seconds = statistics.median(entry["seconds"] for entry in model.summary["log"] if "recall@20" not in entry)
    found = {"epochs": model.summary["epochs"], "best_epoch": model.summary["best_epoch"], "seconds an epoch": seconds}
    return found | {"parameters": model.parameters} | _figures(model, data, ("valid", "test"))


def rectools(side: str, data: Dataset, seed: int, lr: float, batch: int) -> Row:
    """RecTools' SASRec, stopped as ours is."""
    network = {"session_max_len": LENGTH, "n_factors": WIDTH, "n_blocks": LAYERS, "n_heads": 1, "dropout_rate": DROPOUT}
    with TemporaryDirectory() as name:
        folder = Path(name)
        history = pieces(data.train, data.train.n_items)  # in one piece each
        np.save(folder / "history.npy", history)
        np.save(folder / "fit.npy", pieces(data.train, LENGTH + 1) if side == "rectools-all" else history)
        asked = {"folder": name, "seed": seed, "threads": torch.get_num_threads()}
        asked["model"] = network | {"loss": "softmax", "lr": lr, "batch_size": batch}
        peer = Side([interpreter("rectools"), str(HERE / "peer_rectools.py")], asked, folder)
        try:
            return _trained(peer, folder, data) | {"versions": peer.about["versions"]}
        finally:
            peer.end()


def _trained(peer: Side, folder: Path, data: Dataset) -> Row:
    epochs, best, seconds = 0, {"valid": {"recall@20": -1.0}, "best_epoch": 0}, []
    while epochs - best["best_epoch"] < PATIENCE:
        answer = peer.ask("epochs", count=EVERY)
        epochs, seconds = epochs + EVERY, [*seconds, answer["seconds"] / EVERY]
        peer.ask("vectors")
        model = read_vectors(folder, data)
        found = _figures(model, data, ("valid",))
        if found["valid"]["recall@20"] > best["valid"]["recall@20"]:
            best = found | {"best_epoch": epochs, "parameters": answer["parameters"], "model": model}
    model = best.pop("model")
    return best | {"epochs": epochs, "seconds an epoch": statistics.median(seconds)} | _figures(model, data, ("test",))


def _figures(model: Recommender, data: Dataset, parts: tuple[Any, ...]) -> Row:
    measured = measure_parts(model, data, parts, METRICS).parts
    return {part: {metric: found.mean(metric) for metric in METRICS} for part, found in measured.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a data folder")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES[:2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=50)
    asked = parser.parse_args()
    kept, data = SavedRows(ROWS), load_dataset(asked.data)
    for seed in asked.seeds:
        for side in asked.sides:
            what = {"data": asked.data.name, "side": side, "lr": asked.lr, "batch": asked.batch, "seed": seed}
            if kept.has(what):
                continue
            run = ours if side.startswith("ours") else rectools
            row = what | run(side, data, seed, asked.lr, asked.batch) | {"machine": machine()}
            found = f"valid R@20 {row['valid']['recall@20']:.4f} in epoch {row['best_epoch']}"
            print(*what.values(), found, f"{row['seconds an epoch']:.1f} s an epoch", flush=True)
            kept.put(row, what)


if __name__ == "__main__":
    main()
