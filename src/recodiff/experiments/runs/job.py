"""One training, and the results of every case that shares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.evaluation.evaluate import measure
from recodiff.evaluation.protocol import Stages, in_order
from recodiff.experiments.runs.cases import REPORTED_METRICS, Case, ResolvedCase
from recodiff.experiments.runs.details import add_details
from recodiff.experiments.runs.identity import naming, result_key, training_name
from recodiff.experiments.runs.peak_memory import call_in_process, memory_kind
from recodiff.experiments.runs.provenance import machine, provenance
from recodiff.experiments.runs.results import Result
from recodiff.experiments.runs.run_folder import forget_run
from recodiff.experiments.runs.train import train_run
from recodiff.models.base import Recommender
from recodiff.models.registry import build
from recodiff.models.saving import CONFIG, read_config
from recodiff.moved import old_names
from recodiff.runtime.run import Run

CasesByKey = Mapping[str, ResolvedCase]
"""Key of a result -> the case that it is of."""


@dataclass(frozen=True)
class Job:
    """One training and the cases that it serves.

    Args:
        cases: they differ in how lists are made, if in anything.
        seed: of the training.
        memory: whether peak memory is measured, for which the training has a process of its own.
        detailed: whether more than means is measured, see `details`.
    """

    cases: tuple[ResolvedCase, ...]
    seed: int
    memory: bool
    detailed: bool = False

    @property
    def first(self) -> ResolvedCase:
        """Any of the cases, to train by."""
        return self.cases[0]

    def keys(self, data: Dataset, device: torch.device) -> dict[str, str]:
        """The key of each case -> the name of its result.

        Args:
            data: what it runs on.
            device: where it runs; only costs depend on it.
        """
        fingerprint, memory = data.fingerprint(), memory_kind(str(device)) if self.memory else None
        return {one.case.key: result_key(one, fingerprint, self.seed, memory=memory, detailed=self.detailed) for one in self.cases}

    def folder(self, work: Path, data: Dataset) -> Path:
        """The folder in which its training is kept until it ends.

        Args:
            work: the folder of all trainings under way.
            data: what it runs on.
        """
        return work / training_name(self.first, data.fingerprint(), self.seed, own_process=self.memory)


def data_of(case: Case, data: Dataset, seed: int) -> Dataset:
    """The data that a case is trained and measured on: parts in the order of its protocol, with its share of noise.

    Args:
        case: what is run.
        data: as it was loaded.
        seed: of the noise.
    """
    ordered = in_order(data) if case.protocol == "chronological" else data
    if not case.noise:
        return ordered
    from recodiff.data.noise import corrupt

    return corrupt(ordered, share=case.noise, seed=seed)


def run_job(job: Job, wanted: CasesByKey, data: Dataset, folder: Path | None, run: Run, work: Path) -> list[Result]:
    """Train and measure a job, from where an interrupted run stopped.

    Args:
        job: the training.
        wanted: the cases to measure.
        data: to train on and to be measured on, as `data_of` gives it.
        folder: of the data, which a process of its own loads again; None for data in memory.
        run: device, threads, progress.
        work: for what only an unfinished run needs.
    """
    out = job.folder(work, data)
    mine = replace(run, seed=job.seed, out=out, resume=True)
    if not job.memory:
        return _train_and_measure(job, wanted, data, folder, mine)
    if (out / CONFIG).exists():  # trained, but the peak is lost with the process
        forget_run(out, job.first.case.model, job.first.train)
    results, peak = call_in_process(_load_train_and_measure, job, wanted, folder, mine, device=str(run.torch_device))
    return [replace(result, memory=peak.megabytes, memory_of=peak.of) for result in results]


def _load_train_and_measure(job: Job, wanted: CasesByKey, folder: Path, run: Run) -> list[Result]:
    data = data_of(job.first.case, load_dataset(folder), job.seed)
    return _train_and_measure(job, wanted, data, folder, run)


def _train_and_measure(job: Job, wanted: CasesByKey, data: Dataset, folder: Path | None, run: Run) -> list[Result]:
    assert run.out is not None
    first = job.first
    model = train_run(first.case.model, first.train, data, run, choose_on=first.case.choose_on, where=first.source)
    info = read_config(run.out)["info"]
    trainings = [info[name] for name in ("chosen", "training") if name in info]  # the first of two was not kept
    timed = all("seconds" in one for one in trainings)  # what an interrupted run took before is in them
    where = provenance(data, run) | machine(run.torch_device)
    results = []
    for key, one in wanted.items():
        ranking = _as_ranked(model, one)
        tasks = Stages(data, one.case.protocol).tasks("valid", "test")  # `data_of` has put the parts in order
        measured = measure(ranking, tasks, REPORTED_METRICS, show_progress=run.progress)
        result = Result(
            key=key,
            model=one.case.model,
            seed=run.seed,
            settings=naming(one.case.model, one.rank or one.train),
            valid={metric: measured["valid"].mean(metric) for metric in REPORTED_METRICS},
            test={metric: measured["test"].mean(metric) for metric in REPORTED_METRICS},
            seconds=sum(one["seconds"] for one in trainings) if timed else info["seconds"],
            best_epoch=trainings[0].get("best_epoch"),
            parameters=model.parameters,
            shares=trainings[-1].get("shares", {}) if trainings else {},
            provenance=where,
        )
        results.append(add_details(result, ranking, data, folder, measured["test"], run) if job.detailed else result)
    return results


def _as_ranked(model: Recommender, resolved: ResolvedCase) -> Recommender:
    """The trained model under the settings that its lists are made with."""
    if resolved.rank is None:
        return model
    again = build(resolved.case.model, resolved.rank, where=resolved.source)
    return again.restore(model.state(), model.items, str(model.device), users=model.users)


__getattr__ = old_names(__name__)
