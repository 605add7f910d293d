"""Accuracy on the released ML-1M files over seeds: trains presets as a user would, and keeps one row per preset and seed.

    python benchmarks/quality.py                              every preset of ROWS, seeds 1-5; rows already there are kept
    python benchmarks/quality.py diffrec-ml-1m_clean --seeds 1 2 --fresh

Selection sees the validation part only; the test part is read once, after training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from machine import SHARED, machine
from page import METRICS, QUALITY, ROWS, write_page
from recodiff import Run, Validation, build, load_dataset, read_settings
from recodiff.config import merge
from recodiff.experiments.runs.measurement import measure_parts
from saved_rows import SavedRows

HALF_LIFE = {"kind": "half_life", "half_life": 5.0, "floor": 0.1, "on": "history"}
LOW: dict[str, Any] = {"training": {"precision": "bfloat16"}}
VARIED: dict[str, tuple[str, dict[str, Any]]] = {
    "diffrec-bfloat16-ml-1m_clean": ("diffrec-ml-1m_clean", LOW),
    "f-diffrec-bfloat16-ml-1m_clean": ("f-diffrec-ml-1m_clean", LOW),
    "diffrec-batch-2048-ml-1m_clean": ("diffrec-ml-1m_clean-tuned", {"training": {"batch_size": 2048}}),
    "l-diffrec-gaussian-ml-1m_clean": ("l-diffrec-ml-1m_clean-tuned", {"codec": {"likelihood": "gaussian", "kl_weight": 1e-3}}),
    "ease-linear-history-ml-1m_clean": ("ease-ml-1m_clean", {"weighting": {"kind": "linear", "w_min": 0.1, "on": "history"}}),
    "ease-half-life-history-ml-1m_clean": ("ease-ml-1m_clean", {"weighting": HALF_LIFE}),
    "rlae-half-life-history-ml-1m_clean": ("rlae-ml-1m_clean", {"l2": 1000.0, "xi": 0.3, "weighting": HALF_LIFE}),
}
"""Rows that are a preset with something changed."""


def settings_of(preset: str) -> tuple[str, dict[str, Any]]:
    """A row's model and settings."""
    source, changed = VARIED.get(preset, (preset, {}))
    name, settings = read_settings(source)
    return name, merge(settings, changed)


def one(preset: str, seed: int, folder: Path, threads: int | None) -> dict[str, Any]:
    """Trains and measures one preset with one seed. The released latent rows have the released item embeddings."""
    data = load_dataset(folder)
    name, settings = settings_of(preset)
    if "clusters" in settings.get("codec", {}) and not preset.endswith("-tuned"):
        settings = merge(settings, {"codec": {"embeddings": {"kind": "file", "path": str(folder / "item_emb.npy")}}})
    began = time.perf_counter()
    model = build(name, settings).fit(data.train, Run(seed=seed, threads=threads), validate=Validation(data))
    seconds = time.perf_counter() - began
    measured = measure_parts(model, data, ("valid", "test"), METRICS).parts
    return {
        "preset": preset,
        "seed": seed,
        "best_epoch": model.summary.get("best_epoch"),
        "seconds": round(seconds, 1),
        "parameters": model.parameters,
        "valid": {metric: measured["valid"].mean(metric) for metric in METRICS},
        "test": {metric: measured["test"].mean(metric) for metric in METRICS},
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", help="all of ROWS unless given")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--data", type=Path, default=SHARED / "ml-1m_clean")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fresh", action="store_true", help="measure again what is already there")
    asked = parser.parse_args()
    kept = SavedRows(QUALITY)
    for preset in asked.presets or ROWS:
        for seed in asked.seeds if build(*settings_of(preset)).traits.seeded else [1]:
            told = {"preset": preset, "seed": seed}
            if kept.has(told) and not asked.fresh:
                continue
            row = one(preset, seed, asked.data, asked.threads)
            print(f"{preset} seed {seed}: test R@20 {row['test']['recall@20']:.4f} in {row['seconds']:.0f} s", flush=True)
            kept.put(row, told, order=("preset", "seed"))
            write_page()


if __name__ == "__main__":
    main()
