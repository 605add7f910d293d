"""What was compared and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recodiff.data.dataset import Dataset
from recodiff.data.events import inner_note
from recodiff.errors import ConfigError, DataError
from recodiff.evaluation.cutoffs import note
from recodiff.evaluation.evaluate import Evaluation
from recodiff.evaluation.protocol import ChooseOn, Protocol, not_cut_so, stages
from recodiff.evaluation.significance import Test, compare_pairs
from recodiff.experiments.compare.contenders import read_contenders
from recodiff.experiments.compare.studies import COMPARISON_PAGES, NONE_LEFT_OUT, Studies
from recodiff.experiments.runs.cases import REPORTED_METRICS, TESTED_METRICS, Row
from recodiff.experiments.runs.options import RunOptions
from recodiff.experiments.runs.results import earlier
from recodiff.experiments.runs.runner import Say, load_complete, need_complete, run_cases
from recodiff.tracking.tracker import NOT_TRACKED, Tracked

CHOSEN_BY = "recall@20"
"""Of the validation part: names the reference unless one is given."""


@dataclass(frozen=True)
class Difference:
    """A method minus the reference on the test part.

    Args:
        label: of the method.
        metric: one of TESTED_METRICS.
        value: mean over users of the values averaged over seeds.
        low: lower end of its 95 % interval.
        high: its upper end.
        p: of the paired test.
        adjusted: `p` after Holm's correction over all differences.
    """

    label: str
    metric: str
    value: float
    low: float
    high: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class Comparison:
    """Methods on one data set.

    Args:
        data: what they ran on.
        rows: in the order given.
        seeds: that were asked for.
        reference: label of the row that the others are tested against; None where no row has results.
        differences: of all others that have results.
        test: where the p-values come from.
        memory: whether peak memory was asked for.
        protocol: how the parts of the data were used.
        choose_on: what ended the trainings, see `runs.train.train_run`.
        studies: that chose the settings, None where they were given.
    """

    data: Dataset
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    reference: str | None
    differences: tuple[Difference, ...]
    test: Test
    memory: bool
    protocol: Protocol = "official"
    choose_on: ChooseOn = "valid"
    studies: Studies | None = None

    @property
    def blocks(self) -> dict[str, list[Row]]:
        """Rows in two blocks: methods that use the order of events, and those that do not."""
        blind = [row for row in self.rows if not row.case.needs_order]
        aware = [row for row in self.rows if row.case.needs_order]
        named = {"Without the order of events": blind, "With the order of events": aware}
        return {name: rows for name, rows in named.items() if rows}

    @property
    def measured(self) -> list[Row]:
        """Rows with results, in the order of the blocks."""
        return [row for rows in self.blocks.values() for row in rows if row.results]

    def missing(self) -> dict[str, str]:
        """Label -> what is missing there."""
        return {row.case.label: row.note for row in self.rows if row.note}


def compare(
    sources: Sequence[str | Path],
    data: Dataset | str | Path,
    out: str | Path,
    options: RunOptions | None = None,
    *,
    reference: str | None = None,
    test: Test = "bootstrap",
    memory: bool = False,
    protocol: Protocol = "official",
    choose_on: ChooseOn = "valid",
    studies: Studies | None = None,
    left_out: Mapping[str, str] = NONE_LEFT_OUT,
    tracked: Tracked = NOT_TRACKED,
    say: Say = print,
) -> Comparison:
    """Train any methods on one dataset and measure them side by side; what is already measured in `out` is taken as it is.

    Example: `recodiff.compare(["popularity", "ease"], "data/clicks", "compared", recodiff.RunOptions(seeds=1))`

    Args:
        sources: TOML files, presets or models.
        data: a dataset or a data folder, with a validation and a test part.
        out: the folder for the runs.
        options: seeds, time, device; three seeds on the best device unless given.
        reference: label of the one to test against; the best by validation unless given.
        test: where the p-values come from.
        memory: whether each training has a process of its own, whose peak memory is reported; that takes a data folder.
        protocol: how the parts of the data are used, see `evaluation.protocol`.
        choose_on: what ends each training: `inner` is the end of the training histories, see `runs.train.train_run`.
        studies: that `sources` come from, for the page to name.
        left_out: labels of methods that are named and not run -> why.
        tracked: where each run that is made now is shown, see `tracking.tracker.open_tracked`.
        say: receives a line for each run that begins.

    Raises:
        ConfigError: settings, names, the reference or the device cannot be used, or `out` holds a comparison on other data.
        DataError: the data has no validation or no test part, parts that are not the protocol's, or no order to choose on the end
            of train by; or it is no data folder.
        OSError: the results cannot be written.
    """
    options = options or RunOptions()
    contenders = read_contenders(sources, reference)
    folder, out = None if isinstance(data, Dataset) else Path(data), Path(out)
    if memory and folder is None:
        raise ConfigError("peak memory is measured in a process that loads the data again; save it and give its folder")
    data = need_complete(data) if isinstance(data, Dataset) else load_complete(Path(data))
    if why := not_cut_so(protocol, data):
        raise DataError(why)
    earlier(out, COMPARISON_PAGES, data, "a comparison")
    if choose_on == "inner":
        say(inner_note(data.inner().info))  # refuses data that has none before anything is trained
    progress = [one.progress(data, protocol, choose_on, left_out.get(one.label, "")) for one in contenders]
    if sentence := note(stages(data).valid, REPORTED_METRICS):
        say(sentence)
    rows = run_cases(progress, data, folder, out, options, say, memory=memory, detailed=True, tracked=tracked)
    against = reference or best(rows)
    differences = _differences(rows, against, test)
    return Comparison(data, rows, options.all_seeds, against, differences, test, memory, protocol, choose_on, studies)


def best(rows: Sequence[Row]) -> str | None:
    """Label of the best on the validation part, None where nothing has results.

    Args:
        rows: one of each method.
    """
    by_label = {row.case.label: mean.value for row in rows if (mean := row.valid(CHOSEN_BY)) is not None}
    return max(by_label, key=by_label.__getitem__, default=None)


def _differences(rows: Sequence[Row], reference: str | None, test: Test) -> tuple[Difference, ...]:
    values = {row.case.label: over_seeds(row) for row in rows if row.results}
    others = [label for label in values if label != reference]
    if reference not in values or not others:
        return ()
    base = values[reference]
    pairs = [(label, metric) for label in others for metric in TESTED_METRICS]
    columns = [values[label].values[metric] - base.values[metric] for label, metric in pairs]
    found = compare_pairs(np.stack(columns, axis=1), test=test)
    figures = np.stack([found.mean, found.low, found.high, found.p, found.adjusted], axis=1).tolist()
    return tuple(Difference(label, metric, *five) for (label, metric), five in zip(pairs, figures, strict=True))


def over_seeds(row: Row) -> Evaluation:
    """Values of each user of the test part, averaged over the seeds that there are.

    Args:
        row: of a method that has results.
    """
    first = row.results[0].per_user

    def averaged(name: str) -> NDArray[np.float64]:
        return np.mean([result.per_user[name] for result in row.results], axis=0)

    coverage = float(np.mean([result.beyond["coverage"] for result in row.results]))
    return Evaluation({metric: averaged(metric) for metric in REPORTED_METRICS}, first["users"], coverage, 0)
