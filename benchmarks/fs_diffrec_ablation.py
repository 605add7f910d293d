"""What each part of FS-DiffRec is worth on the released ML-1M files: every sum of its parts, paired by user.

    python benchmarks/fs_diffrec_ablation.py --seeds 1 2 3 4 5 --threads 1

It goes on where it stopped, and writes fs_diffrec_ablation.json and fs_diffrec_ablation.md.

The parts are those of the preset fs-diffrec-ml-1m_clean-near: rows that learn what is near, and a sequence encoder (which alone is
SASRec with the targets that the preset names), both judged by averages of their weights; and F-ridge as an item-item path, which
the preset leaves out. Each is trained once a seed, for as long as the preset says; the shares are the preset's. Test lies right
behind the histories, the validation part behind a gap, and decides nothing here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from machine import SHARED, machine
from recodiff import Run, Validation, build, load_dataset, read_settings
from recodiff.config import merge
from recodiff.data import Dataset
from recodiff.evaluation.significance import LEAST_P, TESTS, compare_pairs
from recodiff.experiments.runs.cases import REPORTED_METRICS, TESTED_METRICS
from recodiff.experiments.runs.identity import digest, naming
from recodiff.experiments.runs.measurement import PartName, measure_parts
from recodiff.experiments.runs.results import Result, load, mean, result_as_json, save_result
from recodiff.reports.cells import as_p, listed, short
from recodiff.reports.markdown import markdown_table
from recodiff.runtime import files

HERE = Path(__file__).resolve().parent
PRESET = "fs-diffrec-ml-1m_clean-near"
PATH = {"parts": {"items": {"model": "f-ridge", "share": 0.1, "settings": {"l2": 300.0}}}}
"""An item-item path beside the preset's parts."""
SUMS: dict[str, tuple[str, ...]] = {
    "F-ridge": ("items",),
    "F-DiffRec": ("rows",),
    "SASRec": ("sequence",),
    "F-DiffRec + F-ridge": ("rows", "items"),
    "SASRec + F-ridge": ("sequence", "items"),
    "FS-DiffRec": ("rows", "sequence"),
    "FS-DiffRec + F-ridge": ("rows", "sequence", "items"),
}
ASKED = (
    ("FS-DiffRec", "SASRec"),
    ("FS-DiffRec", "F-DiffRec"),
    ("FS-DiffRec", "FS-DiffRec + F-ridge"),
    ("FS-DiffRec", "SASRec + F-ridge"),
    ("FS-DiffRec", "F-DiffRec + F-ridge"),
    ("F-DiffRec", "SASRec"),
)
"""Differences that are tested: of the first to the second."""
PLACES: tuple[PartName, ...] = ("test", "valid")


def measured(data: Dataset, folder: Path, seed: int, threads: int) -> list[Result]:
    """Every sum with one seed; trained unless the folder has them all."""
    name, settings = read_settings(PRESET)
    model: Any = build(name, merge(settings, PATH))
    made_by = digest([name, naming(name, model.config.model_dump(mode="json")), data.fingerprint(), seed])
    have = [load(folder, f"{made_by}-{label}") for label in SUMS]
    if all(have):
        return [one for one in have if one is not None]
    shares = dict(zip(model.parts, model.shares.tolist(), strict=True))
    model.fit(data.train, Run(seed=seed, threads=threads, device="cpu"), validate=Validation(data, TESTED_METRICS))
    found = [_one(model, data, seed, f"{made_by}-{label}", {name: shares[name] for name in SUMS[label]}) for label in SUMS]
    for one in found:
        save_result(folder, one)
    return found


def _one(model: Any, data: Dataset, seed: int, key: str, shares: dict[str, float]) -> Result:
    model.shares = torch.tensor([shares.get(name, 0.0) for name in model.parts])
    found = measure_parts(model, data, PLACES, REPORTED_METRICS).parts
    return Result(
        key=key,
        model="fs-diffrec",
        seed=seed,
        settings={"shares": shares},
        valid={metric: found["valid"].mean(metric) for metric in REPORTED_METRICS},
        test={metric: found["test"].mean(metric) for metric in REPORTED_METRICS},
        seconds=sum(model.summary[name].get("seconds", 0.0) for name in shares),  # a closed form counts none
        best_epoch=None,
        parameters=sum(model.parts[name].parameters for name in shares),
        provenance=machine(),
        per_user={f"{place} {metric}": found[place].values[metric] for place in PLACES for metric in TESTED_METRICS},
    )


def figures(rows: dict[str, list[Result]]) -> str:
    """The table of all sums."""

    def row(label: str, found: list[Result]) -> list[str]:
        on = [[getattr(one, place)[metric] for one in found] for place in PLACES for metric in TESTED_METRICS]
        took = median(one.seconds for one in found)
        return [label, *(str(mean(values)) for values in on), f"{found[0].parameters:,}", f"{took:,.0f}"]

    heads = [f"{place} {short(metric)}" for place in PLACES for metric in TESTED_METRICS]
    return markdown_table(["sum of", *heads, "parameters", "training s (median)"], [row(*of) for of in rows.items()])


def differences(rows: dict[str, list[Result]], place: PartName) -> str:
    """The table of what was asked, user by user."""
    values = {
        label: [np.mean([one.per_user[f"{place} {metric}"] for one in found], 0) for metric in TESTED_METRICS]
        for label, found in rows.items()
    }
    pairs = [(first, second, k) for first, second in ASKED for k in range(len(TESTED_METRICS))]
    tested = compare_pairs(np.stack([values[first][k] - values[second][k] for first, second, k in pairs], 1))
    lines: dict[tuple[str, str], list[str]] = {}
    for i, (first, second, _) in enumerate(pairs):
        cells = (
            f"{tested.mean[i]:+.4f}",
            f"{tested.low[i]:+.4f} to {tested.high[i]:+.4f}",
            as_p(tested.adjusted[i], bound=bool(tested.p[i] < LEAST_P)),
        )
        lines.setdefault((first, second), []).extend(cells)
    heads = [f"{short(metric)} {what}" for metric in TESTED_METRICS for what in ("difference", "95 % interval", "adjusted p")]
    return markdown_table(["of", "less", *heads], [[*pair, *cells] for pair, cells in lines.items()])


def page(rows: dict[str, list[Result]]) -> str:
    """What was found, in Markdown."""
    runs = [one.provenance for found in rows.values() for one in found]
    return "\n\n".join(
        (
            "# What each part of FS-DiffRec is worth, ml-1m_clean",
            f"Preset {PRESET}, the networks judged by averages of their weights (training.ema), "
            f"seeds {listed(one.seed for one in rows['SASRec'])}; mean (standard error over seeds).",
            figures(rows),
            "## Differences on test, paired by user",
            differences(rows, "test"),
            "## Differences on the validation part",
            differences(rows, "valid"),
            f"Values of each user averaged over seeds; {TESTS['bootstrap']}; Holm's correction over the "
            f"{len(ASKED) * len(TESTED_METRICS)} differences of a table, ≤ where no resample was as far off; "
            "intervals uncorrected.",
            f"Commit {listed(run['commit'] for run in runs)}; {listed(run['processor'] for run in runs)}, "
            f"{listed(run['threads'] for run in runs)} thread; {listed(run['date'][:10] for run in runs)}.",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "ml-1m_clean")
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "parts", help="where what each user got is kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    data, rows = load_dataset(asked.data), {label: [] for label in SUMS}
    for seed in asked.seeds:
        for label, one in zip(SUMS, measured(data, asked.runs, seed, asked.threads), strict=True):
            rows[label].append(one)
            print(label, seed, {metric: round(figure, 4) for metric, figure in one.test.items()}, flush=True)
        files.write_text(HERE / "fs_diffrec_ablation.md", page(rows) + "\n")
        files.write_json(
            HERE / "fs_diffrec_ablation.json", {label: list(map(result_as_json, found)) for label, found in rows.items()}
        )


if __name__ == "__main__":
    main()
