"""Runs cases: every one with every seed, what is already measured taken as it is, and no failure hidden."""

from __future__ import annotations

import re
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from recodiff.data.dataset import Dataset
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError, DataError, RecodiffError
from recodiff.experiments.runs import job, results
from recodiff.experiments.runs.cases import Case, Row, Settled
from recodiff.experiments.runs.job import Group
from recodiff.experiments.runs.results import Result
from recodiff.runtime import files
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run

Say = Callable[[str], None]
WORK = "runs"
"""The folder of results and of unfinished trainings."""
SEEDS = 3


@dataclass(frozen=True)
class Asked:
    """How much of an experiment is to be run.

    Args:
        seeds: how many, counted from 1; 3 unless given, 1 in a quick pass.
        quick: one seed, fewer points, a few epochs.
        minutes: after which no run and no trial of a study is begun, counted from when this was made.
        device: `auto`, `cpu`, `cuda`...
        threads: CPU threads; as torch has it unless given.

    Raises:
        ConfigError: there are no seeds, or the time is negative.
    """

    seeds: int | None = None
    quick: bool = False
    minutes: float | None = None
    device: str = "auto"
    threads: int | None = None
    began: float = field(default_factory=lambda: time.monotonic(), compare=False)

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise ConfigError(f"seeds = {self.seeds} gives no figures; give 1 or more")
        if self.minutes is not None and not self.minutes >= 0:
            raise ConfigError(f"minutes = {self.minutes:g} cannot be used; give 0 or more, or leave it out to run to the end")

    def over(self) -> bool:
        """Whether the minutes are over."""
        return self.minutes is not None and time.monotonic() - self.began >= 60 * self.minutes

    @property
    def not_begun(self) -> str:
        """Why something was not, in words."""
        return f"the {self.minutes:g} minutes were over" if self.minutes else "--minutes 0 asks for what there is"

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds themselves."""
        return tuple(range(1, 1 + (self.seeds or (1 if self.quick else SEEDS))))


@dataclass
class Found:
    """What is known of a case so far.

    Args:
        case: a row to be.
        settled: its settings, None where it cannot be run.
        results: by seed.
        note: what is missing.
    """

    case: Case
    settled: Settled | None = None
    results: dict[int, Result] = field(default_factory=dict)
    note: str = ""


def load_complete(folder: Path) -> Dataset:
    """The data, which must have something to choose by and something to report on.

    Raises:
        DataError: it has no validation or no test part, or is no data folder.
    """
    data = load_dataset(folder)
    lacking = [name for name in ("valid", "test") if name not in data.parts()]
    if lacking:
        raise DataError(
            f"data '{data.name}' has no {' and no '.join(lacking)} part, and the paper's protocol needs both; "
            "prepare it with one (recodiff prepare --help)"
        )
    return data


def run_cases(
    found: Sequence[Found], data: Dataset, folder: Path, out: Path, asked: Asked, say: Say, *, memory: bool, closely: bool = False
) -> tuple[Row, ...]:
    """Runs those cases that have settings, and gives a row for each case.

    Args:
        found: cases, each with its settings or a note why it cannot be run.
        data: of `folder`, as `load_complete` gives it.
        folder: where the data stands.
        out: results are kept in its folder `runs`, and taken from there where they are.
        asked: seeds, time, device.
        say: is told which run is going on.
        memory: whether each training has a process of its own, whose peak memory is told.
        closely: whether values per user, the lists themselves and inference time are looked at, see `closer`.

    Raises:
        ConfigError: the device cannot be used.
        OSError: the results cannot be written.
    """
    run = Run(asked.device, threads=asked.threads)
    device = run.torch_device
    if run.threads:
        torch.set_num_threads(run.threads)
    groups = _groups([one.settled for one in found if one.settled], asked.all_seeds, memory, closely)
    with held(out):
        _Runner(data, folder, out / WORK, asked, run, device, say).run(groups, {one.case.key: one for one in found})
    return tuple(_row(one, asked.all_seeds) for one in found)


def _groups(settled: Sequence[Settled], seeds: Sequence[int], memory: bool, closely: bool) -> list[Group]:
    """Trainings in order: all cases with the first seed, then with the next, so that what is cut short is even."""
    groups = []
    for seed in seeds:
        shared: list[list[Settled]] = []
        for one in settled:
            if not one.case.seeded and seed != seeds[0]:
                continue
            same = (mine for mine in shared if _training(mine[0]) == _training(one))
            mine = next(same, None)
            shared.append([one]) if mine is None else mine.append(one)
        groups += [Group(tuple(mine), seed, memory, closely) for mine in shared]
    return groups


def _training(one: Settled) -> object:
    return one.case.model, one.train, one.case.noise, one.case.protocol == "chronological", one.case.choose_on


def _row(found: Found, seeds: Sequence[int]) -> Row:
    case = found.case
    if found.settled is None:
        return Row(case, note=found.note)
    have = tuple(found.results[seed] for seed in sorted(found.results))
    wanted = len(seeds) if case.seeded else 1
    note = found.note if len(have) < wanted else ""
    if note and have:
        note = f"{len(have)} of {wanted} seeds; {note}"
    return Row(case, found.settled.source, found.settled.as_preset, have, note)


class _Runner:
    """The loop over trainings, and what it knows of time."""

    def __init__(self, data: Dataset, folder: Path, kept: Path, asked: Asked, run: Run, device: torch.device, say: Say) -> None:
        self.data, self.folder, self.kept = data, folder, kept
        self.asked, self.base, self.device, self.say = asked, run, device, say
        self.began, self.spent = time.monotonic(), list[float]()
        self.made: tuple[tuple[bool, float, int], Dataset] | None = None

    def run(self, groups: Sequence[Group], found: dict[str, Found]) -> None:
        for number, group in enumerate(groups):
            titles = ", ".join(one.case.label for one in group.settled)
            what = f"{number + 1}/{len(groups)} {titles}, seed {group.seed}"
            try:
                have, note = self._group(group, what, len(groups) - number)
            except OSError:  # a full disk will not be better for the next run
                raise
            except RecodiffError as error:
                have, note = {}, f"failed: {error}"
            except Exception as error:  # a bug in one model must not cost hours of the others; it is told in its row
                have, note = {}, f"failed: {type(error).__name__}: {error} (traceback: {WORK}/{self._keep_traceback(group)})"
            if note.startswith("failed"):
                self.say(f"  {note}")
            for one in group.settled:
                if one.case.key in have:
                    found[one.case.key].results[group.seed] = have[one.case.key]
                elif note:
                    found[one.case.key].note = note

    def _group(self, group: Group, what: str, left: int) -> tuple[dict[str, Result], str]:
        """Results by case, and what is missing."""
        data = self._data(group)
        keys = group.keys(data, self.device)
        have = {key: result for key in keys.values() if (result := results.load(self.kept, key)) is not None}
        wanted = {keys[one.case.key]: one for one in group.settled if keys[one.case.key] not in have}
        note = ""
        if not wanted:
            commits = sorted({result.provenance.get("commit") or "unknown" for result in have.values()})
            self.say(f"{what}: measured before, at commit {', '.join(commits)}")
        elif self.asked.over():
            note = f"not run: {self.asked.not_begun}"
        else:
            self.say(f"{what} ({self._clock(left)})")
            began = time.monotonic()
            for result in job.results_of(group, wanted, data, self.folder, self.base, self.kept):
                results.save(self.kept, result)
                have[result.key] = result
            shutil.rmtree(group.folder(self.kept, data), ignore_errors=True)
            self.spent.append(time.monotonic() - began)
        return {case: have[key] for case, key in keys.items() if key in have}, note

    def _data(self, group: Group) -> Dataset:
        case = group.first.case
        made_by = case.protocol == "chronological", case.noise, group.seed if case.noise else 0
        if self.made is None or self.made[0] != made_by:
            self.made = made_by, job.data_of(case, self.data, group.seed)
        return self.made[1]

    def _clock(self, left: int) -> str:
        elapsed = f"{span(time.monotonic() - self.began)} so far"
        return f"{elapsed}, about {span(left * sum(self.spent) / len(self.spent))} left" if self.spent else elapsed

    def _keep_traceback(self, group: Group) -> str:
        path = self.kept / f"failure-{re.sub(r'[^a-z0-9]+', '-', group.first.case.key.lower())}-seed-{group.seed}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, traceback.format_exc())
        return path.name


def span(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
