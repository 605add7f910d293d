"""From a log to a model that was chosen, tested and trained on everything: what `recodiff auto` does.

It is put together from what `prepare`, `tune`, `compare` and `train` do. Each of these goes on where it stopped, so this does too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recodiff.data.dataset import Dataset
from recodiff.data.prepare import prepare
from recodiff.data.readers.log import Log
from recodiff.data.saving import MANIFEST, save_dataset
from recodiff.errors import CheckpointError, ConfigError, ModelError
from recodiff.evaluation.protocol import Protocol, in_order
from recodiff.experiments.allotment import LAST_TRAININGS, Clock
from recodiff.experiments.compare.comparison import Comparison, Difference, compare, over_seeds
from recodiff.experiments.compare.comparison_files import write_comparison
from recodiff.experiments.compare.studies import tune_all
from recodiff.experiments.refresh import FOUND
from recodiff.experiments.runs.cases import REPORTED_METRICS, Row
from recodiff.experiments.runs.model_card import CardFigures, CardNotes, figures_of
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.runs.protocols import SAID
from recodiff.experiments.runs.results import Result
from recodiff.experiments.runs.runner import load_complete, span
from recodiff.experiments.runs.train import settings_of, train_again
from recodiff.experiments.tuning.budget import Budget
from recodiff.models.base import Recommender
from recodiff.reports.cells import as_p, listed
from recodiff.runtime import files
from recodiff.runtime.folders import held
from recodiff.runtime.run import Run
from recodiff.runtime.sql import is_url, shown

WITH_TIME = ("popularity", "ease", "itemknn", "f-ridge", "f-diffrec", "fs-diffrec")
WITHOUT_TIME = ("popularity", "ease", "itemknn", "diffrec")
"""What is compared, by whether the data knows what came first."""
PREPARED, COMPARISON = "data", "comparison"
MOST_TRIALS = 50
"""Of a study: what Optuna itself takes is no time of the method's, and closed forms would try a thousand."""
METRIC = "recall@20"
SURE = 0.05
"""A difference is called sure where its p, corrected for all differences of the table, is below."""


@dataclass(frozen=True)
class AutoResult:
    """The choice of `auto`, and the reasons for it.

    Args:
        model: trained on everything.
        label: of the method that was chosen.
        data: that was compared on.
        comparison: of all methods.
        sentences: that say what is best, and how sure that is.
    """

    model: Recommender
    label: str
    data: Dataset
    comparison: Comparison
    sentences: tuple[str, ...]


def auto(
    source: Any,
    out: str | Path,
    minutes: float = 30.0,
    *,
    min_weight: float | None = None,
    user_core: int = 0,
    item_core: int = 0,
    seeds: int = 3,
    device: str = "auto",
    threads: int | None = None,
    say: Callable[[str], None] = print,
) -> AutoResult:
    """Choose a model for a log and train it on everything, as `recodiff auto` does; the same call goes on where it stopped.

    Example: `recodiff.auto("clicks.csv", "runs/best", minutes=30).model`

    Args:
        source: what `prepare` takes, or a dataset, or a data folder with a validation and a test part.
        out: the folder for the model, its card, the data and the comparison.
        minutes: for all of it. What would not end in time does not begin, as far as that is known; what is under way is finished.
        min_weight: as for `prepare`.
        user_core: as for `prepare`.
        item_core: as for `prepare`.
        seeds: trainings of each method at most, as far as the time goes.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`...
        threads: CPU threads for the whole process; all cores unless given.
        say: receives what is going on, a sentence at a time.

    Raises:
        DataError: the log cannot be read, or is too small to be split.
        ConfigError: a setting is out of range.
        CheckpointError: `out` holds something else.
        ModelError: no method could be trained.
        MissingExtraError: Optuna is not installed.
    """
    filters = {"min_weight": min_weight, "user_core": user_core, "item_core": item_core}
    asked = {"source": _name_of(source), **filters}

    def read() -> Dataset:
        if not isinstance(source, Dataset):
            return prepare(source, min_weight=min_weight, user_core=user_core, item_core=item_core)
        if any(filters.values()):
            raise ConfigError(f"{asked['source']} is prepared; filter its log, or leave {', '.join(filters)} out")
        return source

    options = RunOptions(seeds, device=device, threads=threads)
    return run_auto(data_folder(source, filters) or read, asked, Path(out), minutes, options, say)


def data_folder(source: Any, filters: Mapping[str, Any]) -> Path | None:
    """The source, where it is a data folder; None where it is a log.

    Args:
        source: as it was given to `auto`.
        filters: options that would filter a log -> their values; falsy where they were not given.

    Raises:
        ConfigError: it is one, and should be filtered.
    """
    if not isinstance(source, str | Path) or is_url(str(source)) or not (Path(source) / MANIFEST).exists():
        return None
    if given := [name for name, value in filters.items() if value]:
        raise ConfigError(f"'{source}' is a data folder, which was filtered when it was prepared; leave {', '.join(given)} out")
    return Path(source)


def run_auto(
    source: Path | Callable[[], Dataset],
    asked: dict[str, Any],
    out: Path,
    minutes: float,
    options: RunOptions,
    say: Callable[[str], None],
) -> AutoResult:
    """Do what `auto` does, with a log that is read only where it was not read before.

    Args:
        source: a data folder, or what reads and prepares a log.
        asked: names the source and its options, as JSON: another command with the same folder is refused.
        out: the folder.
        minutes: for all of it.
        options: seeds, device, threads.
        say: receives what is going on.

    Raises:
        ConfigError: the minutes are not more than 0, or `out` holds another command's.
    """
    if not minutes > 0:
        raise ConfigError(f"minutes = {minutes:g} leaves no time for anything; give a number above 0")
    with held(out):
        _refuse_refreshed(out)
        clock = Clock.of(out, asked, minutes)
        folder = _prepared(source, out, say)
        data = load_complete(folder)
        clock.stop()
        ordered = data.train.time_kind is not None
        names, protocol = (WITH_TIME, "chronological") if ordered else (WITHOUT_TIME, "official")
        found, share = _compared(names, protocol, data, folder, out, clock, options, say)
        label, sentences = choose(found)
        model = _trained(label, found, data, out, replace(options, longest=share), sentences)
        clock.stop()
    say(_spent(clock))
    return AutoResult(model, label, data, found, sentences)


def _refuse_refreshed(out: Path) -> None:
    """The model of an earlier day must not take the place of a refreshed one."""
    if (path := out / FOUND).exists():
        with files.reading(path, CheckpointError, "choose another folder"):
            promoted = json.loads(path.read_text("utf-8"))["promoted"]
        if promoted:
            raise CheckpointError(f"'{out}' was refreshed with newer data since; choose another folder")


def _prepared(source: Path | Callable[[], Dataset], out: Path, say: Callable[[str], None]) -> Path:
    """The folder of the data, in that of the work unless it has one: what comes later needs it again."""
    if isinstance(source, Path):
        return source
    folder = out / PREPARED
    with held(folder):  # and what a killed command has left there is finished or removed
        if (folder / MANIFEST).exists():
            say(f"the data is that of {folder}, as it was prepared before")
        else:
            save_dataset(source(), folder, overwrite=True)
    return folder


def _compared(
    names: Sequence[str],
    protocol: Protocol,
    data: Dataset,
    folder: Path,
    out: Path,
    clock: Clock,
    options: RunOptions,
    say: Callable[[str], None],
) -> tuple[Comparison, float]:
    """What was measured, and the seconds that no training by epochs exceeded."""
    allotted = clock.allot(names, data.train, Run(options.device, threads=options.threads).torch_device)
    share, left_out = allotted.share, allotted.left_out
    kept = [name for name in names if name not in left_out]
    say(
        f"{len(kept)} methods in {clock.minutes:g} minutes: {', '.join(kept)}. Each has {span(share)} to choose its "
        "settings, and no training takes longer"
    )
    for name, why in left_out.items():
        say(f"{name}: {why}")
    options = replace(options, deadline=clock.deadline(LAST_TRAININGS * share), longest=share)
    searching = replace(options, deadline=clock.deadline((LAST_TRAININGS + len(kept)) * share))
    place = out / COMPARISON
    how: dict[str, Any] = {"protocol": protocol, "left_out": left_out, "say": say}
    studies = tune_all(names, folder, place, searching, Budget(MOST_TRIALS, share, firm=True), **how)
    clock.stop()
    found = compare(studies.sources, folder, place, options, studies=studies, **how)
    clock.stop()
    if found.reference is None:
        raise ModelError(f"no method could be measured ({listed(found.missing().values())}); give more --minutes, or less data")
    write_comparison(found, place, say)
    return found, share


def choose(found: Comparison) -> tuple[str, tuple[str, ...]]:
    """The method that validation chooses, and what may be said of it.

    Args:
        found: a comparison with results, against the best by validation.

    Returns:
        Its label, and sentences.
    """
    by_valid = sorted(((row.valid(METRIC), row) for row in found.measured), key=lambda one: -(one[0].value if one[0] else 0.0))
    best = by_valid[0][1].case.label
    if len(by_valid) == 1:
        return best, (f"{best} is the only method that was measured",)
    (first, _), (second, next_best) = by_valid[:2]
    assert first is not None
    assert second is not None
    runner_up = next_best.case.label
    chosen = f"{best} is best by validation: {METRIC} {first.value:.4f}, then {runner_up} {second.value:.4f}"
    differences = {one.label: one for one in found.differences if one.metric == METRIC}
    rest = [label for label, one in differences.items() if label != runner_up and one.value > 0 and one.adjusted < SURE]
    sentences = [chosen, _said(best, differences[runner_up])]
    sentences += [f"{_said(best, differences[label])}; it was not chosen, as the test part chooses nothing" for label in rest]
    return best, tuple(sentences)


def _said(best: str, one: Difference) -> str:
    """A difference on the test part, in words."""
    more, low, high = -one.value, -one.high, -one.low
    figures = f"{more:+.4f} {METRIC}, 95 % interval {low:+.4f} to {high:+.4f}, p {as_p(one.adjusted)}"
    if one.adjusted >= SURE:
        return f"on the test part {best} and {one.label} differ by {figures}: not sure, other users could turn it round"
    side = "better" if more > 0 else "worse"
    return f"on the test part {best} is {side} than {one.label} by {figures}: this is sure"


def _trained(label: str, found: Comparison, data: Dataset, out: Path, options: RunOptions, sentences: Sequence[str]) -> Recommender:
    """The best method trained as it was compared, under the same limit of time, and then on everything for as long."""
    row = next(row for row in found.rows if row.case.label == label)
    name, settings, where = settings_of(row.source)
    ordered = in_order(data) if found.protocol == "chronological" else data
    run = Run(options.device, options.all_seeds[0], options.threads, out, longest=options.longest)
    missing = [f"{one.case.label} was {one.note}" for one in found.rows if one.note and not one.results]
    said = [*sentences, *missing, *_chosen_anew(row.results[0])]
    card = CardNotes(_figures(row, found), [f"{one[0].upper()}{one[1:]}." for one in said])
    return train_again(name, settings, ordered, run, refit="all", card=card, where=where)


def _chosen_anew(measured: Result) -> list[str]:
    """What the saved model chose once more, before it learned from everything."""
    if measured.shares:
        what = "has the shares " + ", ".join(f"{part} {share:g}" for part, share in measured.shares.items())
    elif measured.best_epoch is not None:
        what = f"was kept after epoch {measured.best_epoch}"
    else:
        return []
    return [
        f"the model that was measured (seed {measured.seed}) {what}; this one chose by the same rule, and config.json says what"
    ]


def _spent(clock: Clock) -> str:
    over = clock.seconds - 60 * clock.minutes
    said = f"{span(clock.seconds)} of the {clock.minutes:g} minutes were spent"
    return f"{said}, {span(over)} too many: what had begun was finished" if over > 1 else said


def _figures(row: Row, found: Comparison) -> list[CardFigures]:
    what = SAID[found.protocol]
    if len(row.results) == 1:
        return [figures_of(over_seeds(row), what)]
    means = {metric: mean for metric in REPORTED_METRICS if (mean := row.test(metric)) is not None}
    return [CardFigures(what, f"{len(row.results)} seeds", means)]


def _name_of(source: Any) -> str:
    """A source as messages and the folder of the work name it."""
    if isinstance(source, Dataset):
        return f"the dataset {source.name} ({source.fingerprint()})"
    if isinstance(source, str | Path):
        return shown(str(source)) if is_url(str(source)) else str(source)
    return "the frame" if not isinstance(source, Log) else source.source
