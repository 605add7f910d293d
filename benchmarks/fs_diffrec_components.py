"""FS-DiffRec, and its rows and its sequence alone, of one training a seed, kept where `recodiff compare` finds them.

    python benchmarks/fs_diffrec_components.py DATA OUT --settings benchmarks/compare/ml-100k-whole --seeds 1 2

The folder of settings holds `f-diffrec.toml`, `sasrec.toml` and `fs-diffrec.toml`, whose parts `rows` and `sequence` are the former
two. A part is fitted by its own loop from the run's seed, so it is the model that its own settings give. Afterwards
`recodiff compare SETTINGS... --data DATA --out OUT --protocol chronological` trains none of them again. `--check` trains the parts
alone as well and compares their scores.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from recodiff import Run
from recodiff.config import Settings
from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.evaluation.evaluate import measure
from recodiff.evaluation.protocol import Stages
from recodiff.experiments.compare.contenders import Contender, read_contenders
from recodiff.experiments.runs import results
from recodiff.experiments.runs.cases import REPORTED_METRICS, ResolvedCase
from recodiff.experiments.runs.details import add_details
from recodiff.experiments.runs.identity import naming
from recodiff.experiments.runs.job import Job, data_of
from recodiff.experiments.runs.provenance import machine, provenance
from recodiff.experiments.runs.results import Result
from recodiff.experiments.runs.train import train_run
from recodiff.models.base import Recommender

PARTS = {"f-diffrec": "rows", "sasrec": "sequence", "fs-diffrec": None}
"""Method -> the part of FS-DiffRec that it is; None is the sum."""


@dataclass(frozen=True)
class Method:
    """One of PARTS: its part, its case, and the name of its result."""

    part: str | None
    case: ResolvedCase
    key: str


def methods(contenders: Sequence[Contender], data: Dataset, seed: int, run: Run) -> list[Method]:
    """What one training gives.

    Raises:
        SystemExit: a part of the sum has other settings than the method that it is.
    """
    found = []
    for one in contenders:
        case = one.progress(data, "chronological").resolved
        assert case is not None, one.label
        keys = Job((case,), seed, memory=False, detailed=True).keys(data, run.torch_device)
        found.append(Method(PARTS[case.case.model], case, keys[case.case.key]))
    whole = next(one for one in found if one.part is None)
    for one in found:
        if one.part and _inner(whole, one.part) != naming(one.case.case.model, one.case.train):
            raise SystemExit(f"part '{one.part}' of {whole.case.source} differs from {one.case.source}; write the same settings")
    return found


def _inner(whole: Method, part: str) -> Settings:
    given = whole.case.train["parts"][part]
    return naming(given["model"], given["settings"])


def measured(one: Method, model: Any, data: Dataset, folder: Path, run: Run, where: Mapping[str, Any]) -> Result:
    """The result of a method, its model within the sum."""
    inner: Recommender = model.parts[one.part] if one.part else model
    assert run.out is not None
    mine = replace(run, out=run.out / "parts" / one.part) if one.part else run
    tasks = Stages(data, "chronological").tasks("valid", "test")
    found = measure(inner, tasks, REPORTED_METRICS, show_progress=False)
    parts = [part.summary.get("seconds", 0.0) for part in model.parts.values()]
    result = Result(
        key=one.key,
        model=one.case.case.model,
        seed=run.seed,
        settings=naming(one.case.case.model, one.case.train),
        valid={metric: found["valid"].mean(metric) for metric in REPORTED_METRICS},
        test={metric: found["test"].mean(metric) for metric in REPORTED_METRICS},
        seconds=inner.summary["seconds"] if one.part else sum(parts),
        best_epoch=inner.summary.get("best_epoch") if one.part else None,
        parameters=inner.parameters,
        shares={} if one.part else model.summary["shares"],
        provenance=where,
    )
    return add_details(result, inner, data, folder, found["test"], mine)


def train_seed(contenders: Sequence[Contender], folder: Path, out: Path, seed: int, threads: int, *, check: bool) -> None:
    """Trains the sum with a seed and keeps what it and its parts reach."""
    data = load_dataset(folder)
    run = Run(seed=seed, threads=threads, device="cpu", progress=False, out=out / f"training-whole-{seed}")
    some = methods(contenders, data, seed, run)
    if all(results.load(out, one.key) for one in some):
        return
    whole = next(one for one in some if one.part is None)
    ordered = data_of(whole.case.case, data, seed)
    assert run.out is not None
    shutil.rmtree(run.out, ignore_errors=True)
    run.out.mkdir(parents=True)
    began = time.perf_counter()
    model: Any = train_run("fs-diffrec", whole.case.train, ordered, run)
    where = provenance(ordered, run) | machine(run.torch_device)
    for one in some:
        result = measured(one, model, ordered, folder, run, where)
        results.save_result(out, result)
        print(
            f"{data.name} seed {seed} {one.case.case.label}: valid {result.valid['recall@20']:.4f} test "
            f"{result.test['recall@20']:.4f} / {result.test['ndcg@20']:.4f} in {result.seconds:.0f} s, {dict(result.shares)}",
            flush=True,
        )
    if check:
        compare_alone(some, model, ordered, run)
    shutil.rmtree(run.out)
    print(f"{time.perf_counter() - began:.0f} s in all", flush=True)


def compare_alone(some: Sequence[Method], model: Any, data: Dataset, run: Run) -> None:
    """Trains each part alone, and says whether its weights are those of the part."""
    for one in some:
        if one.part:
            alone = train_run(one.case.case.model, one.case.train, data, replace(run, out=None)).state()
            inside = model.parts[one.part].state()
            same = alone.keys() == inside.keys() and all(torch.equal(alone[name], inside[name]) for name in alone)
            print(f"{one.part} alone has {'the same' if same else 'OTHER'} weights", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, help="of `recodiff compare`, which keeps results in its folder `runs`")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    contenders = read_contenders([asked.settings / f"{name}.toml" for name in PARTS])
    for seed in asked.seeds:
        train_seed(contenders, asked.data, asked.out / "runs", seed, asked.threads, check=asked.check)


if __name__ == "__main__":
    main()
