"""Does iterating help? The forward processes of examples/iterating.py against their own T = 1, on the released ML-1M files.

    python benchmarks/iterating.py --seeds 2 --minutes 4      goes on where it stopped; writes benchmarks/reproduce/iterating.md
    python benchmarks/iterating.py --seeds 5 --cases 'bridge*'      trains these alone; the page has what there is of the others
    python benchmarks/iterating.py --seeds 1 --near           chosen by the end of train alone; writes iterating-near.json

Everything but the forward process is F-DiffRec's preset, trained in bfloat16. Each network is chosen on the validation part
through its own chain; the test part is read for all rows, none of which is chosen by it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from machine import SHARED, machine
from recodiff import Run, Validation, load_dataset
from recodiff.config import merge
from recodiff.configs import read_settings
from recodiff.experiments.reproduce import output
from recodiff.experiments.reproduce.experiment import Experiment
from recodiff.experiments.reproduce.result import Outcome
from recodiff.experiments.runs.cases import REPORTED_METRICS, Case, ResolvedCase
from recodiff.experiments.runs.measurement import measure_parts
from recodiff.experiments.runs.options import Deadline, RunOptions
from recodiff.experiments.runs.runner import CaseProgress, load_complete, run_cases
from recodiff.models.registry import build
from saved_rows import SavedRows

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
PRESET = "f-diffrec-ml-1m_clean"
FAST = {"training": {"precision": "bfloat16"}}
RANKING = ("start", "stages")
"""Settings that change the lists alone: cases that differ in them share their training."""


def case(model: str, panel: str, label: str, steps: int = 1, **changes: Any) -> Case:
    settings = merge(changes, FAST | ({"diffusion": {"steps": steps}} if steps > 1 else {}))
    return Case(f"{panel}: {label}", f"{panel}: {label}", model, settings, panel=panel, needs_order=True)


def bridge(label: str, steps: int, **changes: Any) -> Case:
    return case("iterating:Bridge", "bridge", label, steps, **changes)


def erasing(label: str, steps: int = 1, **changes: Any) -> Case:
    return case("iterating:Erasing", "erasing", label, steps, **changes)


TOLD: dict[str, Any] = {"condition": True}
OWN: dict[str, Any] = {"condition": True, "own": True}


def in_one_stage(steps: int, *starts: int) -> tuple[Case, ...]:
    return tuple(erasing(f"T = {steps}, one stage from t = {start}", steps, start=start, stages=1) for start in starts)


CASES = (
    case("f-diffrec", "bridge", "T = 1, F-DiffRec"),
    erasing("T = 1, one stage"),
    *(erasing(f"T = 1, {stages} stages", stages=stages) for stages in (2, 3, 5)),
    *(erasing(f"T = 1, one stage, {share:g} erased in place of .4", erased=share) for share in (0.2, 1.0)),
    erasing("T = 3, 3 stages", 3),
    *in_one_stage(3, 1, 2, 3),
    bridge("T = 3, the history told at every step", 3, **TOLD),
    bridge("T = 3, learned from its own estimates", 3, **OWN),
    bridge("T = 3", 3),
    *(case("iterating:Noising", "bridge", f"T = {T}, Gaussian noise on the future, the history told", T) for T in (1, 5)),
    erasing("T = 3, 3 stages, t drawn by its loss", 3, diffusion={"timesteps": "loss_aware"}),
    erasing("T = 5, 5 stages", 5),
    *in_one_stage(5, 1, 3, 5),
    erasing("T = 2, 2 stages", 2),
    *in_one_stage(2, 1, 2),
)
PLAN = Experiment(
    "iterating",
    "whether steps from the history to the future help F-DiffRec",
    CASES,
    published="",
    notes=(
        "Bridge: x_t = (t/T) x + (1 - t/T) y, from the future y to the history x. `told`: x is given at every step too. `own "
        "estimates`: in training y is what the network itself finds at t = T, as it is when lists are made.",
        "Erasing: the newest part of what there is at t = 0 is taken away at every step; f(x_t, t) finds all that is missing; a "
        "stage back appends a part of it as expected, and lists are ordered by what all stages appended. `one stage from t` "
        "ranks the same trained models by f(x, t) alone.",
        "Gaussian noise on the future: x_t = sqrt(1 - t/T) y + sqrt(t/T) .05 eps, x told at every step; lists begin at x_T = 0.",
        f"Everything else is the preset {PRESET}, trained in bfloat16. All: examples/iterating.py.",
    ),
    paired=True,
)


def settled(one: Case) -> ResolvedCase:
    whole = build(one.model, merge(read_settings(PRESET)[1], one.settings)).config.model_dump(mode="json")
    plain = {name: value for name, value in one.settings.items() if name not in RANKING}
    train = build(one.model, merge(read_settings(PRESET)[1], plain)).config.model_dump(mode="json")
    return ResolvedCase(one, f"preset {PRESET}", train, None if whole == train else whole, as_preset=False)


def near(cases: Sequence[Case], folder: Path, out: Path, seeds: int, threads: int) -> None:
    """What the end of each training history says: chosen by it, and ranked from what comes before; one row a case and seed."""
    data, kept = load_dataset(folder).inner(), SavedRows(out / "iterating-near.json")
    for seed in range(1, seeds + 1):
        trained: tuple[Any, Any] = None, None
        for one in cases:
            told = {"case": one.key, "seed": seed}
            if kept.has(told):
                continue
            how, run = settled(one), Run(device="cpu", seed=seed, threads=threads, progress=False)
            if trained[0] != (one.model, how.train):
                model = build(one.model, how.train).fit(data.train, run, validate=Validation(data))
                trained = (one.model, how.train), model
            model = build(one.model, how.rank or how.train).restore(trained[1].state(), trained[1].items, "cpu")
            found = measure_parts(model, data, ("valid",), REPORTED_METRICS).parts["valid"]
            row = told | {"near": {metric: found.mean(metric) for metric in REPORTED_METRICS}}
            kept.put(row | {"best_epoch": trained[1].summary["best_epoch"], "machine": machine()}, told)
            print(one.key, seed, f"{found.mean('recall@20'):.4f} / {found.mean('ndcg@20'):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "ml-1m_clean")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "reproduce")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", metavar="CASE", default=["*"], help="to train; all unless given")
    parser.add_argument("--near", action="store_true", help="by the end of train alone")
    asked = parser.parse_args()
    chosen = [one for one in CASES if any(fnmatch(one.key, name) for name in asked.cases)]
    if asked.near:
        near(chosen, asked.data, asked.out, asked.seeds, asked.threads)
        return
    data, how = load_complete(asked.data), RunOptions(asked.seeds, threads=asked.threads, deadline=Deadline(asked.minutes))

    def run(cases: Sequence[Case], how: RunOptions) -> Any:
        found = [CaseProgress(one, settled(one)) for one in cases]
        return run_cases(found, data, asked.data, asked.out, how, lambda said: print(said, flush=True), memory=False)

    run(chosen, how)
    rows = run(CASES, replace(how, deadline=Deadline(0)))
    output.write_outcome(Outcome(PLAN, data, rows, how.all_seeds, None), asked.out, print)
    for row in rows:
        print(f"{row.case.label:45} {row.test('recall@20')}  {row.test('ndcg@20')}  valid {row.valid('recall@20')}  {row.note}")


if __name__ == "__main__":
    main()
