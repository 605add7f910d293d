"""The peer's side of peer.py: RecBole's own data, model and trainer, run by the interpreter of .venv-peer."""
# pyright: reportMissingImports=false

from __future__ import annotations

import functools
import itertools
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import DiffRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

from peer_answers import answer_requests


class Peer:
    """RecBole's DiffRec as its quick start sets it up."""

    def __init__(self, settings: dict[str, Any]) -> None:
        torch.set_num_threads(settings["threads"])
        torch.load = functools.partial(torch.load, weights_only=False)  # its checkpoints hold its own classes
        if settings["limit_mb"]:
            resource.setrlimit(resource.RLIMIT_DATA, (settings["limit_mb"] << 20,) * 2)
        self.settings = settings["recbole"]
        self.config, self.train, self.valid = self._prepared({})
        init_seed(self.config["seed"], self.config["reproducibility"])
        self.model = DiffRec(self.config, self.train._dataset).to(self.config["device"])
        self.trainer = Trainer(self.config, self.model)
        self.epochs = 0

    def _prepared(self, changes: dict[str, Any]) -> tuple[Any, Any, Any]:
        config = Config(model="DiffRec", dataset="bench", config_dict=self.settings | changes)
        train, valid, _ = data_preparation(config, create_dataset(config))
        return config, train, valid

    def about(self) -> dict[str, Any]:
        """Sizes without the padding user and item that RecBole counts."""
        data = self.train._dataset
        return {
            "users": int(data.user_num) - 1,
            "items": int(data.item_num) - 1,
            "train": int(data.inter_num),
            "valid": int(self.valid._dataset.inter_num),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "threads": torch.get_num_threads(),
        }

    def epoch(self) -> dict[str, Any]:
        """One epoch of its trainer."""
        began = time.perf_counter()
        self.trainer._train_epoch(self.train, self.epochs)
        self.epochs += 1
        return {"seconds": time.perf_counter() - began}

    def steps(self, count: int, warm_up: int) -> dict[str, Any]:
        """Median seconds of a step of its trainer, over the first `count` batches of an epoch after `warm_up`."""
        began: list[float] = []
        self.trainer._train_epoch(_timed(itertools.islice(self.train, warm_up + count), began), self.epochs)
        found = [b - a for a, b in itertools.pairwise(began[warm_up:])]
        return {"seconds": statistics.median(found), "steps": len(found)}

    def validate(self, users: int | None) -> dict[str, Any]:
        """One validation by its trainer, `users` at a time; as many as its default of 4,096 scores gives where none are named."""
        valid = self.valid
        if users is not None:
            valid = self._prepared({"eval_batch_size": users * self.train._dataset.item_num})[2]
        began = time.perf_counter()
        figures = self.trainer.evaluate(valid, load_best_model=False)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "recall@20": float(figures["recall@20"]), "users at a time": valid.step}


def _timed(batches: Iterator[Any], began: list[float]) -> Iterator[Any]:
    """The batches, with the time at which each is asked for, and at which the last one was done with."""
    began.append(time.perf_counter())
    for batch in batches:
        yield batch
        began.append(time.perf_counter())


if __name__ == "__main__":
    answer_requests(Peer)
