"""Test figures as the LightGCN data sets are published: fitted to the whole train part, ranked from it, all of it masked.

    recodiff prepare FOLDER gowalla --split published --valid 0.1 --seed 1            to choose settings on
    recodiff prepare FOLDER gowalla-published --split published --valid 0             to report on
    python benchmarks/published.py gowalla-published COMPARED [CONFIG...] --seeds 1 2 3

takes the settings that `recodiff compare` measured on the first into the folder COMPARED, where it has, and those of CONFIGs (TOML
files), trains them on the second, networks for as many epochs as validation chose there, and writes `published.json` and
`published.md` into COMPARED. Rows already there are kept, unless their
settings are no longer those chosen. The test part is read once for a row and seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine
from recodiff import Run, build, load_dataset, read_settings
from recodiff.config import merge
from recodiff.data.dataset import Dataset
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.reports.markdown import markdown_table
from recodiff.runtime import files
from saved_rows import SavedRows

METRICS = ("recall@20", "ndcg@20")
Chosen = dict[str, tuple[str, list[dict[str, Any]]]]


def chosen(compared: Path, configs: Sequence[Path], seeds: int) -> Chosen:
    """Label -> model, and the settings of each seed with the epoch that validation chose for it."""
    found: Chosen = {}
    known = compared / "compare.json"
    for row in json.loads(known.read_text())["rows"] if known.exists() else []:
        runs = [(run["settings"], run["best_epoch"]) for run in row["runs"]]
        if not runs:  # time was over before it was compared
            continue
        found[row["label"]] = row["model"], [merge(one, {"training": {"epochs": at}} if at else {}) for one, at in runs]
    for config in configs:
        model, settings = read_settings(str(config))
        found[config.stem] = model, [settings] * seeds
    return found


def one(label: str, model_name: str, settings: dict[str, Any], seed: int, data: Dataset, threads: int | None) -> dict[str, Any]:
    """Trains and measures one model with one seed."""
    began = time.perf_counter()
    model = build(model_name, settings).fit(data.train, Run(seed=seed, threads=threads))
    seconds = time.perf_counter() - began
    found = measure_parts(model, data, ("test",), METRICS).parts["test"]
    return {
        "label": label,
        "model": model_name,
        "settings": settings,
        "seed": seed,
        "seconds": round(seconds, 1),
        "test": {metric: found.mean(metric) for metric in METRICS},
        "standard_error_over_users": {metric: found.standard_error(metric) for metric in METRICS},
        "machine": machine(),
    }


def page(rows: Sequence[dict[str, Any]], name: str) -> str:
    """The table: means over seeds, standard errors over seeds where there are several."""
    lines = []
    for label in dict.fromkeys(row["label"] for row in rows):
        mine = [row for row in rows if row["label"] == label]
        cells = []
        for metric in METRICS:
            values = np.array([row["test"][metric] for row in mine])
            spread = f" ({values.std(ddof=1) / len(values) ** 0.5:.4f})" if len(values) > 1 else ""
            cells.append(f"{values.mean():.4f}{spread}")
        epochs = ", ".join(str(row["settings"].get("training", {}).get("epochs", "–")) for row in mine)
        lines.append((label, str(len(mine)), *cells, epochs, f"{np.median([row['seconds'] for row in mine]):.0f}"))
    where = {key: ", ".join(sorted({str(row["machine"].get(key)) for row in rows})) for key in ("commit", "processor", "date")}
    heads = ("method", "seeds", "R@20", "N@20", "epochs", "training s")
    return (
        f"# {name.removesuffix('-published')} as published\n\n{markdown_table(heads, lines)}\n\n"
        "Fitted to the whole published train part, ranked from it and all of it masked; recall is hits / relevant. Settings and "
        "epochs were chosen beforehand, as the head of each file beside this page says. "
        "In brackets: standard error over seeds.\n\n" + "".join(f"* {key}: {value}\n" for key, value in where.items())
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("compared", type=Path)
    parser.add_argument("configs", type=Path, nargs="*")
    parser.add_argument("--only", nargs="+", help="labels to measure; all unless given")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args(arguments)
    data, kept = load_dataset(asked.data), SavedRows(asked.compared / "published.json")
    for label, (model, settings) in chosen(asked.compared, asked.configs, max(asked.seeds)).items():
        for seed in asked.seeds if build(model, settings[0]).traits.seeded else [1]:
            if (asked.only and label not in asked.only) or len(settings) < seed:
                continue
            told = {"label": label, "model": model, "seed": seed, "settings": json.loads(json.dumps(settings[seed - 1]))}
            if kept.has(told):
                continue
            row = one(label, model, settings[seed - 1], seed, data, asked.threads)
            print(f"{label} seed {seed}: {row['test']} in {row['seconds']:.0f} s", flush=True)
            kept.put(row, {"label": label, "seed": seed})  # of other settings than are chosen now
            files.write_text(asked.compared / "published.md", page(kept.rows(), asked.compared.name))


if __name__ == "__main__":
    main()
