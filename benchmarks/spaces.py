"""Training in the hidden space and in the dense one on gowalla, each to its best epoch: accuracy over seeds.

    python benchmarks/spaces.py --seeds 1 2 3 --threads 1     rows already in spaces.json are kept
    python benchmarks/spaces.py --seeds 1 --still             without noise: the spaces differ in dropout's draws alone
    python benchmarks/spaces.py --seeds 1 2 --dropout 0       with it, and no dropout: they differ in the noise's draws alone

The validation part is a tenth of the published train part, drawn at random. It is checked every epoch and ends a run; test is not
read.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import Any

from machine import SHARED, machine
from recodiff import Run, Validation, build, prepare
from recodiff.config import merge
from recodiff.data import Dataset
from recodiff.data.split import AsPublished
from saved_rows import SavedRows

FOUND = SavedRows(Path(__file__).resolve().parent / "spaces.json")
SETTINGS: dict[str, Any] = {
    "denoiser": {"hidden": [200]},
    "training": {"epochs": 40, "check_every_epochs": 1, "patience_epochs": 4},
}


@cache
def gowalla() -> Dataset:
    return prepare(SHARED / "gowalla", split=AsPublished(valid=0.1, seed=1))


def one(space: str, noise: bool, dropout: float, seed: int, threads: int | None) -> dict[str, Any]:
    """Trains once; batch 400, a rate of 1e-3 and the noise are the defaults."""
    data = gowalla()
    schedule = {} if noise else {"schedule": {"kind": "none"}}
    own = {"diffusion": {"steps": 5, "space": space, **schedule}, "denoiser": {"dropout": dropout}}
    model = build("diffrec", merge(SETTINGS, own))
    model.fit(data.train, Run(seed=seed, threads=threads, device="cpu"), validate=Validation(data))
    log = model.summary["log"]
    best = max(log, key=lambda entry: entry["recall@20"])
    return {
        "data": "gowalla",
        "space": space,
        "noise": noise,
        "dropout": dropout,
        "seed": seed,
        "best_epoch": best["epoch"],
        "valid": {metric: best[metric] for metric in ("recall@20", "ndcg@20") if metric in best},
        "recall@20 by epoch": [round(entry["recall@20"], 4) for entry in log],
        "seconds": round(model.summary["seconds"], 1),
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--still", action="store_true", help="without Gaussian noise")
    parser.add_argument("--dropout", type=float, default=0.5, help="share of a row's entries; .5 is the default of the model")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    for seed in asked.seeds:
        for space in ("hidden", "dense"):
            told = {"space": space, "noise": not asked.still, "dropout": asked.dropout, "seed": seed}
            if FOUND.has(told):
                continue
            row = one(**told, threads=asked.threads)
            print(space, seed, row["best_epoch"], row["valid"], f"{row['seconds']:.0f} s", flush=True)
            FOUND.put(row, told)


if __name__ == "__main__":
    main()
