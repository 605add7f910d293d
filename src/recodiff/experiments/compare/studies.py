"""Studies before a comparison: the same budget for every method that has anything to search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from recodiff.data.dataset import Dataset
from recodiff.errors import DataError, ModelError
from recodiff.evaluation.protocol import Protocol, in_order
from recodiff.experiments.compare.contenders import Contender, read_contenders
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.runs.protocols import refusal
from recodiff.experiments.runs.results import earlier
from recodiff.experiments.runs.runner import Say, load_complete
from recodiff.experiments.tuning.budget import Budget
from recodiff.experiments.tuning.spaces import SPACES
from recodiff.experiments.tuning.tune import track_study, tune_settings
from recodiff.experiments.tuning.tuning_result import BEST, TuningResult, refuse_foreign_settings
from recodiff.runtime import files
from recodiff.runtime.run import Run
from recodiff.tracking.tracker import NOT_TRACKED, Tracked

NAME = "compare"
"""Of the files that a comparison leaves."""
COMPARISON_PAGES = tuple(f"{NAME}.{ending}" for ending in ("json", "md", "csv", "html"))
"""The files."""
STUDIES, TUNED = "studies", "tuned"
OVERRUN = 1.25
"""Times its budget of seconds, from which on a study is said to have taken more."""
NO_AGES = "weightings by recency are not searched: this data has no time"
NONE_LEFT_OUT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Studies:
    """The studies before a comparison.

    Args:
        budget: of each method.
        sources: for `compare`, in the order given: the file of the best settings, or what was given where there is none.
        found: label -> what its study found.
        notes: label -> why it was not tuned, or what its study lacks.
    """

    budget: Budget
    sources: tuple[str, ...]
    found: Mapping[str, TuningResult]
    notes: Mapping[str, str]

    @property
    def beyond(self) -> list[str]:
        """Studies that took clearly more seconds than their budget."""
        most = self.budget.seconds
        return [] if most is None else [label for label, one in self.found.items() if one.seconds > OVERRUN * most]


def tune_all(
    sources: Sequence[str | Path],
    folder: Path,
    out: Path,
    options: RunOptions,
    budget: Budget,
    *,
    recency: bool = False,
    protocol: Protocol = "official",
    reference: str | None = None,
    left_out: Mapping[str, str] = NONE_LEFT_OUT,
    tracked: Tracked = NOT_TRACKED,
    say: Say = print,
) -> Studies:
    """Run a study for each method; called again, it goes on where it stood.

    A method keeps the settings given where there is nothing to search, no order to search by, or every trial failed.

    Args:
        sources: as for `compare`: where the searches begin.
        folder: the data; its test part is not read.
        out: studies go to its folder `studies`, the settings found to `tuned`.
        options: device, threads, and the deadline after which no trial begins.
        budget: of each method.
        recency: whether weightings by recency are searched for every method that does not know the order already.
        protocol: which part is chosen on.
        reference: checked to be among them, before hours are spent.
        left_out: labels of methods that are not tuned -> why.
        tracked: where each study and its trials are shown.
        say: receives the name of the study that is going on.

    Raises:
        CheckpointError: a study there is of another space, seed or data.
    """
    contenders = read_contenders(sources, reference)
    data = load_complete(folder)
    earlier(out, COMPARISON_PAGES, data, "a comparison")  # before hours are spent
    if why := refusal(protocol, data):
        return Studies(budget, tuple(one.source for one in contenders), {}, {one.label: f"not tuned: {why}" for one in contenders})
    data = in_order(data) if protocol == "chronological" else data
    files_of, found, notes = dict[str, str](), dict[str, TuningResult](), dict[str, str]()
    for number, one in enumerate(contenders, 1):
        if one.label in left_out:
            notes[one.label] = left_out[one.label]
            continue
        study, kept = out / STUDIES / one.label, out / TUNED / f"{one.label}.toml"
        refuse_foreign_settings(kept)
        say(f"study {number}/{len(contenders)}: {one.label}")
        try:
            best = _study(one, data, study, options, budget, recency=recency, tracked=tracked)
        except _NotTuned as why:
            notes[one.label] = f"not tuned: {why}"
            say(f"  {notes[one.label]}")
            continue
        found[one.label] = best
        files_of[one.label] = str(_keep(study / BEST, kept))
        if note := _note(best, budget) or (recency and data.train.time_kind is None and NO_AGES):
            notes[one.label] = note
            say(f"  {note}")
    return Studies(budget, tuple(files_of.get(one.label, one.source) for one in contenders), found, notes)


class _NotTuned(Exception):  # noqa: N818 (a reason, and no error)
    """A method keeps the settings given."""


def _study(
    one: Contender, data: Dataset, study: Path, options: RunOptions, budget: Budget, *, recency: bool, tracked: Tracked
) -> TuningResult:
    name, ages = one.model.registered, recency and not one.model.traits.order_aware and data.train.time_kind is not None
    if name not in SPACES and not ages:
        raise _NotTuned("nothing is declared to search")
    if options.deadline.over() and not (study / BEST).exists():
        raise _NotTuned(options.deadline.reason)
    run = Run(options.device, threads=options.threads, out=study, longest=options.longest)
    settings = one.model.config.model_dump()
    try:
        if one.model.traits.order_aware:
            data.train.need_order(one.label)
        how: dict[str, Any] = {"recency": ages, "where": one.source, "over": options.deadline.over}
        with tracked.child(f"study of {one.label}") as child:
            found = tune_settings(name, settings, data, run, budget, **how, tracked=child)
            track_study(child, found, study)
        return found
    except (DataError, ModelError) as error:
        raise _NotTuned(str(error)) from None


def _note(found: TuningResult, budget: Budget) -> str:
    """How a study differs from its budget, in words; empty where it does not."""
    made = len(found.counted)
    if budget.trials is not None and made > budget.trials:
        return f"its study holds {made} trials of an earlier call, more than the {budget.trials} asked for now"
    return "" if found.finished else "its study is not finished; the same command goes on with it"


def _keep(best: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, best.read_text("utf-8"))
    return path
