"""Old weights as a start of a training on newer data, beside a start from nothing: figures and epochs, seed by seed.

`python benchmarks/warm_start.py f-diffrec LOG`, where LOG is a log with ratings, such as MovieLens'. The old model learns from the
oldest 85 %. The figures stand in the notebook, `refreshing.md`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn

import recodiff

OLDEST = 0.85


def with_start(model: Any, old: dict[str, torch.Tensor], theirs: recodiff.IdMap, items: recodiff.IdMap) -> Any:
    """Has a network begin with the weights of another: those of items where the items match, all others as they are."""
    places = items.positions(theirs.ids, unknown="mark")
    kept = np.flatnonzero(places >= 0)
    really = model.build

    def build(n_items: int, generator: torch.Generator) -> nn.Module:
        module = really(n_items, generator)
        with torch.no_grad():
            for name, weights in module.named_parameters():
                start = old[name]
                if len(theirs) not in start.shape:
                    weights.copy_(start)
                    continue
                along = list(start.shape).index(len(theirs))
                weights.index_copy_(along, torch.from_numpy(places[kept]), start.index_select(along, torch.from_numpy(kept)))
        return module

    model.build = build
    return model


def fitted(model: Any, data: recodiff.Dataset, seed: int) -> tuple[Any, str]:
    began = time.perf_counter()
    model.fit(data.train, recodiff.Run("cpu", seed, 1, progress=False), validate=recodiff.Validation(data))
    seconds = time.perf_counter() - began
    staged = recodiff.stages(data, protocol="chronological")
    valid, test = (recodiff.evaluate(model, task, metrics=["recall@20", "ndcg@20"]) for task in (staged.valid, staged.test))
    figures = f"{valid.mean('recall@20'):.4f} | {test.mean('recall@20'):.4f} | {test.mean('ndcg@20'):.4f}"
    return model, f"{model.summary['best_epoch']} | {seconds:.0f} | {figures}"


def main(name: str, path: str) -> None:
    log = recodiff.read_log(path).frame
    log = log.filter(log["weight"] >= 4).sort("time")
    older = recodiff.prepare(log.head(int(log.height * OLDEST)), user_core=5, item_core=5)
    newer = recodiff.prepare(log, user_core=5, item_core=5)
    print("| seed | start | best epoch | s | valid R@20 | test R@20 | test N@20 |\n|---|---|---|---|---|---|---|")
    for seed in range(3):
        old, _ = fitted(recodiff.build(name), older, seed)
        weights = {key: tensor.detach().clone() for key, tensor in old.module.named_parameters()}
        for start, model in (
            ("nothing", recodiff.build(name)),
            ("old weights", with_start(recodiff.build(name), weights, older.items, newer.items)),
        ):
            print(f"| {seed} | {start} | {fitted(model, newer, seed)[1]} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
