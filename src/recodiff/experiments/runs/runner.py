"""Run cases: every one with every seed, what is already measured taken as it is, and no failure hidden."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.errors import DataError, RecodiffError
from recodiff.experiments.runs import job, results
from recodiff.experiments.runs.cases import Case, ResolvedCase, Row
from recodiff.experiments.runs.job import Job
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.runs.results import Result
from recodiff.experiments.runs.run_folder import forget_run
from recodiff.moved import old_names
from recodiff.runtime import files
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.tracking.tracker import NOT_TRACKED, Tracked

Say = Callable[[str], None]
WORK = "runs"
"""The folder of results and of unfinished trainings."""


@dataclass
class CaseProgress:
    """A case and its results so far.

    Args:
        case: a row to be.
        resolved: its settings, None where it cannot be run.
        results: by seed.
        note: what is missing.
    """

    case: Case
    resolved: ResolvedCase | None = None
    results: dict[int, Result] = field(default_factory=dict)
    note: str = ""

    def row(self, seeds: Sequence[int]) -> Row:
        """The row of a table, with a note where results of some of the `seeds` are missing."""
        if self.resolved is None:
            return Row(self.case, note=self.note)
        have = tuple(self.results[seed] for seed in sorted(self.results))
        wanted = len(seeds) if self.case.seeded else 1
        note = self.note if len(have) < wanted else ""
        if note and have:
            note = f"{len(have)} of {wanted} seeds; {note}"
        return Row(self.case, self.resolved.source, self.resolved.as_preset, have, note)


def load_complete(folder: Path) -> Dataset:
    """The data of a folder, which must have something to choose by and something to report on.

    Args:
        folder: that `recodiff prepare` wrote.

    Raises:
        DataError: it has no validation or no test part, or is no data folder.
    """
    return need_complete(load_dataset(folder))


def need_complete(data: Dataset) -> Dataset:
    """The same data, which must have something to choose by and something to report on.

    Args:
        data: with its parts.

    Raises:
        DataError: it has no validation or no test part.
    """
    lacking = [name for name in ("valid", "test") if name not in data.parts()]
    if lacking:
        raise DataError(
            f"data '{data.name}' has no {' and no '.join(lacking)} part, and the paper's protocol needs both; "
            "prepare it with one (recodiff prepare --help)"
        )
    return data


def run_cases(
    cases: Sequence[CaseProgress],
    data: Dataset,
    folder: Path | None,
    out: Path,
    options: RunOptions,
    say: Say,
    *,
    memory: bool,
    detailed: bool = False,
    tracked: Tracked = NOT_TRACKED,
) -> tuple[Row, ...]:
    """Run those cases that have settings, and give a row for each case.

    Args:
        cases: each with its settings, or with a note why it cannot be run.
        data: with a validation and a test part.
        folder: of the data; None for data in memory, whose peak memory cannot be measured.
        out: results are kept in its folder `runs`, and taken from there where they are.
        options: seeds, time, device.
        say: receives a line for each run that begins.
        memory: whether each training has a process of its own, whose peak memory is reported.
        detailed: whether values per user, the lists themselves and inference time are measured, see `details`.
        tracked: where each result that is made now is shown.

    Raises:
        ConfigError: the device cannot be used.
        OSError: the results cannot be written.
    """
    run = Run(options.device, threads=options.threads, longest=options.longest)
    device = run.torch_device
    if run.threads:
        torch.set_num_threads(run.threads)
    jobs = _jobs([one.resolved for one in cases if one.resolved], options.all_seeds, memory, detailed)
    with held(out), held(out / WORK):
        _Runner(data, folder, out / WORK, options, run, device, say, tracked).run(jobs, {one.case.key: one for one in cases})
    return tuple(one.row(options.all_seeds) for one in cases)


def _jobs(cases: Sequence[ResolvedCase], seeds: Sequence[int], memory: bool, detailed: bool) -> list[Job]:
    """Trainings in order: all cases with the first seed, then with the next, so that what is cut short is even."""
    jobs = []
    for seed in seeds:
        shared: list[list[ResolvedCase]] = []
        for one in cases:
            if not one.case.seeded and seed != seeds[0]:
                continue
            same = next((group for group in shared if _training(group[0]) == _training(one)), None)
            shared.append([one]) if same is None else same.append(one)
        jobs += [Job(tuple(group), seed, memory, detailed) for group in shared]
    return jobs


def _training(one: ResolvedCase) -> object:
    return one.case.model, one.train, one.case.noise, one.case.protocol == "chronological", one.case.choose_on


class _Runner:
    """The loop over trainings, and what it knows of time."""

    def __init__(
        self,
        data: Dataset,
        folder: Path | None,
        kept: Path,
        options: RunOptions,
        run: Run,
        device: torch.device,
        say: Say,
        tracked: Tracked,
    ) -> None:
        self.tracked = tracked
        self.data, self.folder, self.kept = data, folder, kept
        self.deadline, self.base, self.device, self.say = options.deadline, run, device, say
        self.began, self.spent = time.monotonic(), list[float]()
        self.took = dict[str, float]()
        """Seconds of a case's last run, by its key."""
        self.made: tuple[tuple[bool, float, int], Dataset] | None = None

    def run(self, jobs: Sequence[Job], cases: Mapping[str, CaseProgress]) -> None:
        for number, one in enumerate(jobs):
            labels = ", ".join(resolved.case.label for resolved in one.cases)
            what = f"{number + 1}/{len(jobs)} {labels}, seed {one.seed}"
            try:
                have, note = self._job(one, what, len(jobs) - number)
            except OSError:  # a full disk will not be better for the next run
                raise
            except RecodiffError as error:
                have, note = {}, f"failed: {error}"
            except Exception as error:  # a bug in one model must not cost hours of the others; its row reports it
                have, note = {}, f"failed: {type(error).__name__}: {error} (traceback: {WORK}/{self._keep_traceback(one)})"
            if note.startswith("failed"):
                self.say(f"  {note}")
            for resolved in one.cases:
                if resolved.case.key in have:
                    cases[resolved.case.key].results[one.seed] = have[resolved.case.key]
                elif note:
                    cases[resolved.case.key].note = note

    def _job(self, one: Job, what: str, left: int) -> tuple[dict[str, Result], str]:
        """Results by case, and what is missing."""
        data = self._data(one)
        keys, case = one.keys(data, self.device), one.first.case.key
        have = {key: result for key in keys.values() if (result := results.load(self.kept, key)) is not None}
        wanted = {keys[resolved.case.key]: resolved for resolved in one.cases if keys[resolved.case.key] not in have}
        note = ""
        if not wanted:
            self._forget(one, data)  # a kill may have come between the result and this
            commits = sorted({result.provenance.get("commit") or "unknown" for result in have.values()})
            self.say(f"{what}: measured before, at commit {', '.join(commits)}")
            self.took[case] = max(result.seconds for result in have.values())
        elif self.deadline.over(self.took.get(case, 0.0)):
            note = f"not run: {self._no_time(case)}"
        else:
            self.say(f"{what} ({self._clock(left)})")
            began = time.monotonic()
            for result in job.run_job(one, wanted, data, self.folder, self.base, self.kept):
                results.save_result(self.kept, result)
                have[result.key] = result
                _track(self.tracked, wanted[result.key].case.label, result)
            self._forget(one, data)
            self.took[case] = time.monotonic() - began
            self.spent.append(self.took[case])
        return {case: have[key] for case, key in keys.items() if key in have}, note

    def _no_time(self, case: str) -> str:
        if self.deadline.over():
            return self.deadline.reason
        return f"it takes about {span(self.took[case])}, and less was left of the {self.deadline.minutes:g} minutes"

    def _forget(self, one: Job, data: Dataset) -> None:
        if (folder := one.folder(self.kept, data)).is_dir():
            forget_run(folder, one.first.case.model, one.first.train)

    def _data(self, one: Job) -> Dataset:
        case = one.first.case
        made_by = case.protocol == "chronological", case.noise, one.seed if case.noise else 0
        if self.made is None or self.made[0] != made_by:
            self.made = made_by, job.data_of(case, self.data, one.seed)
        return self.made[1]

    def _clock(self, left: int) -> str:
        elapsed = f"{span(time.monotonic() - self.began)} so far"
        return f"{elapsed}, about {span(left * sum(self.spent) / len(self.spent))} left" if self.spent else elapsed

    def _keep_traceback(self, one: Job) -> str:
        path = self.kept / f"failure-{re.sub(r'[^a-z0-9]+', '-', one.first.case.key.lower())}-seed-{one.seed}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, traceback.format_exc())
        return path.name


def _track(tracked: Tracked, label: str, result: Result) -> None:
    with tracked.child(f"{label}, seed {result.seed}") as child:
        child.parameters({"model": result.model, "seed": result.seed, **result.settings})
        for entry in result.log:
            child.curve(entry)
        parts = {"valid": result.valid, "test": result.test, "lists": result.beyond}
        child.figures({f"{part}/{metric}": value for part, figures in parts.items() for metric, value in figures.items()})
        child.figures({"seconds": result.seconds, "parameters": result.parameters, "memory MB": result.memory})


def span(seconds: float) -> str:
    """Seconds as text: `12 s`, `3 min` or `2.5 h`.

    Args:
        seconds: 0 or more.
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


__getattr__ = old_names(__name__)
