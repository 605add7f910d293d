"""What each part of FS-DiffRec is worth on the released ML-1M files: every sum of its parts, paired by user.

    python benchmarks/parts.py --seeds 1 2 3 4 5 --threads 1      goes on where it stopped; writes parts.json and parts.md

The parts are those of the presets fs-diffrec-ml-1m_clean and -near: rows that learn as far ahead as histories go, rows that learn
what is near, a sequence encoder (which alone is the preset sasrec-ml-1m_clean), and F-ridge as the item-item path. Each is trained
once a seed, and stopped by the validation part; shares are those of the presets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from machine import SHARED, machine
from recodiff import Run, Validation, build, files, load_dataset, read_settings
from recodiff.data import Dataset
from recodiff.experiments.cases import TESTED
from recodiff.experiments.pages import as_p, listed, table
from recodiff.experiments.paired import compare_pairs
from recodiff.experiments.results import Result, load, mean, save
from recodiff.experiments.runs import measure
from recodiff.models.mixture import Mixture
from recodiff.report import short

HERE = Path(__file__).resolve().parent
FAR, NEAR = "fs-diffrec-ml-1m_clean", "fs-diffrec-ml-1m_clean-near"
SHARES = {"far": 1.0, "near": 1.0, "sequence": 1.0, "items": 0.1}
SUMS: dict[str, tuple[str, ...]] = {
    "F-ridge": ("items",),
    "F-DiffRec": ("far",),
    "F-DiffRec, near": ("near",),
    "SASRec": ("sequence",),
    "F-DiffRec + SASRec": ("far", "sequence"),
    "F-DiffRec, near, + SASRec": ("near", "sequence"),
    "F-DiffRec + F-ridge": ("far", "items"),
    "FS-DiffRec": ("far", "sequence", "items"),
    "FS-DiffRec, near": ("near", "sequence", "items"),
    "both F-DiffRec + SASRec": ("far", "near", "sequence"),
}
ASKED = (
    ("FS-DiffRec", "SASRec"),
    ("FS-DiffRec, near", "SASRec"),
    ("F-DiffRec, near", "SASRec"),
    ("FS-DiffRec, near", "FS-DiffRec"),
    ("FS-DiffRec", "F-DiffRec + SASRec"),
    ("FS-DiffRec, near", "F-DiffRec, near, + SASRec"),
    ("both F-DiffRec + SASRec", "F-DiffRec, near, + SASRec"),
)
"""Differences that are tested: of the first to the second."""


def settings() -> dict[str, Any]:
    """Of a mixture of the four parts."""
    far, near = (read_settings(preset)[1]["parts"] for preset in (FAR, NEAR))
    parts = {"far": far["rows"], "near": near["rows"], "sequence": near["sequence"], "items": near["items"]}
    models = {"far": "f-diffrec", "near": "f-diffrec", "sequence": "sasrec", "items": "f-ridge"}
    return {
        "search": (),
        "parts": {name: part | {"model": models[name], "share": SHARES[name]} for name, part in parts.items()}
        | {"rows": {"model": "f-diffrec", "share": 0.0}},
    }


def measured(data: Dataset, folder: Path, seed: int, threads: int) -> list[Result]:
    """Every sum with one seed; trained unless the folder has them all."""
    have = [load(folder, f"{label}, seed {seed}") for label in SUMS]
    if all(have):
        return [one for one in have if one is not None]
    model = build("fs-diffrec", settings())
    assert isinstance(model, Mixture)
    model.fit(data.train, Run(seed=seed, threads=threads, device="cpu"), validate=Validation(data, TESTED))
    return [_one(model, data, folder, label, seed) for label in SUMS]


def _one(model: Mixture, data: Dataset, folder: Path, label: str, seed: int) -> Result:
    names = list(model.parts)
    model.shares = torch.tensor([SHARES[name] if name in SUMS[label] else 0.0 for name in names])
    found = measure(model, data, ("valid", "test"), TESTED).parts
    result = Result(
        key=f"{label}, seed {seed}",
        model=label,
        seed=seed,
        settings={"shares": {name: SHARES[name] for name in SUMS[label]}},
        valid={metric: found["valid"].mean(metric) for metric in TESTED},
        test={metric: found["test"].mean(metric) for metric in TESTED},
        seconds=sum(model.summary[name]["seconds"] for name in SUMS[label]),
        best_epoch=None,
        parameters=sum(model.parts[name].parameters for name in SUMS[label]),
        provenance=machine(),
        per_user={metric: found["test"].values[metric] for metric in TESTED},
    )
    save(folder, result)
    return result


def page(rows: dict[str, list[Result]], seeds: list[int]) -> tuple[str, dict[str, Any]]:
    """The page, and what it says as JSON."""
    figures = [
        [
            label,
            *(str(mean([one.test[metric] for one in found])) for metric in TESTED),
            str(mean([one.valid["recall@20"] for one in found])),
            f"{found[0].parameters:,}",
        ]
        for label, found in rows.items()
    ]
    per_user = {label: [np.mean([one.per_user[metric] for one in found], 0) for metric in TESTED] for label, found in rows.items()}
    pairs = [(first, second, k) for first, second in ASKED for k in range(len(TESTED))]
    tested = compare_pairs(np.stack([per_user[first][k] - per_user[second][k] for first, second, k in pairs], 1))
    lines: dict[tuple[str, str], list[str]] = {}
    for i, (first, second, _) in enumerate(pairs):
        cells = f"{tested.mean[i]:+.4f}", f"{tested.low[i]:+.4f} to {tested.high[i]:+.4f}", as_p(tested.adjusted[i])
        lines.setdefault((first, second), []).extend(cells)
    heads = [f"{short(metric)} {what}" for metric in TESTED for what in ("difference", "95 % interval", "adjusted p")]
    runs = [one.provenance for found in rows.values() for one in found]
    text = "\n\n".join(
        (
            "# What each part of FS-DiffRec is worth, ml-1m_clean",
            f"{len(seeds)} seeds; mean (standard error over seeds) on test; `near`: rows whose target reaches .2 of the history.",
            table(["sum of", *map(short, TESTED), "valid R@20", "parameters"], figures),
            "## Differences, paired by user",
            table(["of", "less", *heads], [[*pair, *cells] for pair, cells in lines.items()]),
            f"Values of each user averaged over seeds; paired bootstrap, 10,000 resamples; Holm's correction over the {len(pairs)} "
            "differences here; intervals uncorrected.",
            f"Commit {listed(run['commit'] for run in runs)}; {listed(run['processor'] for run in runs)}, "
            f"{listed(run['threads'] for run in runs)} thread; {listed(run['date'][:10] for run in runs)}. "
            "`python benchmarks/parts.py`.",
        )
    )
    described = {
        label: [{"seed": one.seed, "valid": one.valid, "test": one.test} for one in found] for label, found in rows.items()
    }
    return text + "\n", {"rows": described, "machine": runs[-1]}


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
        text, described = page(rows, asked.seeds[: len(rows["SASRec"])])
        files.write_text(HERE / "parts.md", text)
        files.write_json(HERE / "parts.json", described)


if __name__ == "__main__":
    main()
