"""Accuracy on the released ML-1M files over seeds: trains presets as a user would, and keeps one row per preset and seed.

    python benchmarks/quality.py                              every preset of ROWS, seeds 1-5; rows already there are kept
    python benchmarks/quality.py diffrec-ml-1m_clean --seeds 1 2 --fresh

Selection sees the validation part only; the test part is read once, after training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from machine import SHARED, machine
from recodiff import Run, Validation, build, load_dataset, read_settings
from recodiff.experiments.runs import measure
from run import QUALITY, write_page

ROWS = {
    "ease-ml-1m_clean": "EASE, lambda 1000",
    "ease-linear-history-ml-1m_clean": "EASE, the paper's linear weights on the history",
    "ease-half-life-history-ml-1m_clean": "EASE, half-life 5 on the history",
    "diffrec-ml-1m_clean": "DiffRec, released settings and stopping rule",
    "t-diffrec-ml-1m_clean": "T-DiffRec, the same, w_min .1",
    "diffrec-ml-1m_clean-tuned": "DiffRec, settings chosen on validation",
    "t-diffrec-ml-1m_clean-tuned": "T-DiffRec, weighting and settings chosen on validation",
}
ANCHORS = {
    "diffrec-ml-1m_clean": (0.1702, 0.1098),
    "t-diffrec-ml-1m_clean": (0.1985, 0.1312),
    "ease-ml-1m_clean": (0.1816, 0.1165),
    "diffrec-ml-1m_clean-tuned": (0.1787, 0.1148),
    "ease-linear-history-ml-1m_clean": (0.2150, 0.1434),
    "ease-half-life-history-ml-1m_clean": (0.2455, 0.1734),
}
"""R@20 and N@20 to lay beside: the authors' program retrained, the paper's checkpoint, closed forms."""
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
WEIGHTED_HISTORY = {
    "ease-linear-history-ml-1m_clean": {"kind": "linear", "w_min": 0.1, "on": "history"},
    "ease-half-life-history-ml-1m_clean": {"kind": "half_life", "half_life": 5.0, "floor": 0.1, "on": "history"},
}


def settings_of(preset: str) -> tuple[str, dict[str, Any]]:
    """A preset's model and settings; the weighted EASE rows are the EASE preset with a weighting."""
    if preset not in WEIGHTED_HISTORY:
        return read_settings(preset)
    name, settings = read_settings("ease-ml-1m_clean")
    return name, settings | {"weighting": WEIGHTED_HISTORY[preset]}


def one(preset: str, seed: int, folder: Path) -> dict[str, Any]:
    """Trains and measures one preset with one seed."""
    data = load_dataset(folder)
    name, settings = settings_of(preset)
    began = time.perf_counter()
    model = build(name, settings).fit(data.train, Run(seed=seed), validate=Validation(data))
    seconds = time.perf_counter() - began
    measured = measure(model, data, ("valid", "test"), METRICS).parts
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


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a Markdown table: mean and standard error over seeds."""
    by_preset: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_preset[row["preset"]].append(row)
    lines = [
        "ml-1m_clean as released; input train, train and valid masked, recall = hits / relevant; mean (standard error over seeds).",
        "",
        "| model | seeds | valid R@20 | R@10 | R@20 | N@10 | N@20 | to lay beside, R@20 / N@20 | best epochs | seconds | commit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for preset in [name for name in ROWS if name in by_preset]:
        found = by_preset[preset]
        figures = [_mean_se([row["valid"]["recall@20"] for row in found])]
        figures += [_mean_se([row["test"][metric] for row in found]) for metric in METRICS]
        beside = "{:.4f} / {:.4f}".format(*ANCHORS[preset]) if preset in ANCHORS else ""
        epochs = ", ".join(str(row["best_epoch"]) for row in found if row["best_epoch"])
        seconds = statistics.median(row["seconds"] for row in found)
        commits = ", ".join(sorted({str(row["machine"]["commit"]) for row in found}))
        lines.append(f"| {ROWS[preset]} | {len(found)} | {' | '.join(figures)} | {beside} | {epochs} | {seconds:.0f} | {commits} |")
    return lines


def _mean_se(values: list[float]) -> str:
    error = f" ({statistics.stdev(values) / len(values) ** 0.5:.4f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", help="all of ROWS unless given")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--data", type=Path, default=SHARED / "ml-1m_clean")
    parser.add_argument("--fresh", action="store_true", help="measure again what is already there")
    asked = parser.parse_args()
    rows = json.loads(QUALITY.read_text()) if QUALITY.exists() else []
    for preset in asked.presets or ROWS:
        for seed in asked.seeds if "diffrec" in preset else [1]:
            old = [row for row in rows if (row["preset"], row["seed"]) == (preset, seed)]
            if old and not asked.fresh:
                continue
            row = one(preset, seed, asked.data)
            rows = [row for row in rows if row not in old] + [row]
            print(f"{preset} seed {seed}: test R@20 {row['test']['recall@20']:.4f} in {row['seconds']:.0f} s", flush=True)
            QUALITY.write_text(json.dumps(sorted(rows, key=lambda row: (row["preset"], row["seed"])), indent=1) + "\n")
            write_page()


if __name__ == "__main__":
    main()
