"""`recodiff evaluate`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
import polars.selectors as cs
from cyclopts import Parameter
from numpy.typing import NDArray

from recodiff.cli.catalogue import over_items_of
from recodiff.cli.like import DEFAULT_CUT, show_like, treatment_of
from recodiff.cli.output import print_json, print_table, say, warn, write_frame
from recodiff.cli.parameters import Whole, use_threads
from recodiff.data.dataset import Dataset
from recodiff.data.events import cut_note
from recodiff.data.saving import load_dataset
from recodiff.errors import ConfigError
from recodiff.evaluation.conventions import Judged, judge
from recodiff.evaluation.cutoffs import note as note_on_lengths
from recodiff.evaluation.evaluate import DEFAULT_METRICS, Evaluation, WithoutTruth, check_task, evaluate_lists
from recodiff.evaluation.evaluate import evaluate as evaluate_model
from recodiff.evaluation.given_lists import Treatment, notes_on, read_lists
from recodiff.evaluation.hit_metrics import HIT_METRICS
from recodiff.evaluation.item_facts import load_embeddings
from recodiff.evaluation.judged_metrics import JUDGED_METRICS
from recodiff.evaluation.list_metrics import LIST_METRICS
from recodiff.evaluation.metrics import FULL_RANKING, LIST_LENGTH, MetricAtK, parse_all
from recodiff.evaluation.model_lists import everyone, judged_rankings, lists_for_everyone
from recodiff.evaluation.peers import peer, sort_of
from recodiff.evaluation.protocol import HISTORY, Protocol, Task, stages
from recodiff.experiments.runs.provenance import learned_from, trained_on_other_data
from recodiff.models.base import Recommender
from recodiff.models.saving import load_model

METRICS_HELP = (
    "Separated by commas, each with a list length, such as recall@20. "
    f"Of hits: {', '.join(metric.name for metric in HIT_METRICS)}. "
    f"By ratings: {', '.join(metric.name for metric in JUDGED_METRICS if not metric.whole)}. "
    f"Of whole rankings, without a length: {', '.join(metric.name for metric in JUDGED_METRICS if metric.whole)}. "
    f"Of the lists themselves, at {LIST_LENGTH} unless given: {', '.join(metric.name for metric in LIST_METRICS)}."
)
WITHOUT_TRUTH: dict[WithoutTruth, str] = {"skip": "they are left out", "zero": "they count as 0"}


def evaluate(
    run: Path | None = None,
    /,
    *,
    data: Path,
    lists: Path | None = None,
    like: str | None = None,
    part: Literal["test", "valid"] = "test",
    protocol: Protocol = "official",
    history: Literal["train", "train+valid"] | None = None,
    metrics: Annotated[str, Parameter(help=METRICS_HELP)] = ",".join(DEFAULT_METRICS),
    users_without_truth: Literal["skip", "zero"] = "skip",
    per_user: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: Whole | None = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Measure a model, or lists of another program, on a data folder: mean and standard error over users.

    The whole catalogue is ranked for the test part from the train part, with train and valid masked (the paper's protocol).

    Examples: recodiff evaluate runs/t --data ml-1m_clean --json
              recodiff evaluate runs/t --data ml-1m_clean --metrics recall@20,coverage@20,novelty@20
              recodiff evaluate --lists theirs.csv --data ml-1m_clean --like rectools

    Parameters
    ----------
    run
        A folder that `recodiff train` wrote; left out with --lists.
    data
        A data folder.
    lists
        A .csv, .tsv or .parquet file of lists: user, item, and rank or score, ids as in the data folder.
    like
        Give the figures of another package, by its own divisors, users and names; those that need a whole ranking are made of
        the model's scores of every item, so they take longer. One of rectools, lenskit, recbole, torchmetrics,
        recpack, implicit, elliot, cornac, ranx, trec, microsoft, replay, spark, librecommender, evidently, torch-rechub,
        lightfm or warprec.
    part
        The part whose interactions are to be found.
    protocol
        official: test from train. chronological, leave-one-out, time-split (users without an earlier interaction left out) and
        time-split-all: test from train and valid. See docs/explanation/protocols.md.
    history
        What the lists are made from, in place of what the protocol says. Histories later than what is to be found are flagged.
    users_without_truth
        Leave users with nothing to be found out of the means, or count them as zero (the released program's rule).
    per_user
        Also write each user's figures to this .parquet or .csv file.
    overwrite
        Replace a file of --per-user that is already there.
    device
        auto, cpu, cuda...
    threads
        CPU threads; all cores unless given.
    trust_code
        Allow a model class from outside recodiff.
    json
        Print one flat JSON object, metric -> number; with --like also `notes`, where a figure is missing or not the package's own.

    Raises
    ------
    ConfigError
        There is neither a run nor --lists, or both.
    """
    use_threads(threads)
    if like is not None:
        peer(like)
    wanted = parse_all([name.strip() for name in metrics.split(",") if name.strip()])
    began = time.perf_counter()
    if (lists is None) == (run is None):
        raise ConfigError("give either the folder of a trained model or --lists FILE, and not both")
    source = _history(protocol, part, history)
    kinds = None if metrics == ",".join(DEFAULT_METRICS) else {sort_of(each.name.partition("@")[0]) for each in wanted}
    lengths = sorted({each.k for each in wanted if each.k < FULL_RANKING})
    if like is not None and per_user is None:  # what is shown are their figures: ours must not ask for whole rankings
        wanted = [each for each in wanted if each.k < FULL_RANKING]
    judged: Judged | None = None
    rankings: Iterable[Judged] = ()
    if run is None:
        assert lists is not None
        dataset = load_dataset(data)
        task = stages(dataset, protocol=protocol, embeddings=load_embeddings(data, dataset.items, dataset.items)).task(part, source)
        treatment = treatment_of(like, kinds) if like else Treatment(without_truth=WITHOUT_TRUTH[users_without_truth])
        evaluation, judged = _of_lists(lists, task, wanted, users_without_truth, treatment)
    else:
        model, dataset, task = _opened(run, data, device, trust_code, part, source, protocol)
        check_task(part, task, wanted)
        if like is None:
            names = [each.name for each in wanted]
            evaluation = evaluate_model(model, task, metrics=names, users_without_truth=users_without_truth, show_progress=True)
        else:
            evaluation, judged = _for_everyone(model, task, wanted, users_without_truth)
            rankings = judged_rankings(model, task)  # made only where a figure needs them
    _warn_of(evaluation, task, wanted, dataset if part == "test" else None)
    if per_user is not None:
        write_frame(_per_user(evaluation, dataset), per_user, overwrite=overwrite)
    title = f"{dataset.name}: {part}, from {source}, {len(evaluation.users)} users"
    if like is not None and judged is not None:
        show_like(like, judged, lengths, kinds, title, rankings=rankings, json=json)
    elif json:
        print_json(evaluation.flat())
    else:
        _print(evaluation, wanted, title, time.perf_counter() - began)


def _warn_of(evaluation: Evaluation, task: Task, wanted: Sequence[MetricAtK], dataset: Dataset | None) -> None:
    """Warn of figures that look ahead, lists that reach everything, and a test part (None of another) that is cut in events."""
    if evaluation.looks_ahead:
        warn(
            f"the history of {evaluation.looks_ahead} of {len(evaluation.users)} users holds interactions later than some that are "
            "to be found: these figures look into the future"
        )
    if sentence := note_on_lengths(task, [each.name for each in wanted]):
        warn(sentence)
    if dataset is not None and "events" in dataset.info and (cut := cut_note(dataset.parts())):
        warn(f"'{dataset.name}' is cut inside events: {cut}")


def _history(protocol: Protocol, part: Literal["test", "valid"], asked: str | None) -> str:
    """The parts that lists are made from: those asked for, else the protocol's; validation is ranked from train."""
    return asked or (HISTORY[protocol] if part == "test" else "train")


def _opened(
    run: Path, data: Path, device: str, trust_code: bool, part: Literal["test", "valid"], history: str, protocol: Protocol
) -> tuple[Recommender, Dataset, Task]:
    """The model, the data over its items, and what it is asked; a warning where it was trained on other data."""
    model, on_disk = load_model(run, device=device, trust_code=trust_code), load_dataset(data)
    for warning in (trained_on_other_data(run, on_disk), learned_from(run, on_disk, part)):
        if warning:
            warn(warning)
    dataset = over_items_of(model, on_disk)
    staged = stages(dataset, protocol=protocol, embeddings=load_embeddings(data, on_disk.items, dataset.items))
    return model, staged.data, staged.task(part, history)


def _of_lists(
    path: Path, task: Task, wanted: Sequence[MetricAtK], without_truth: WithoutTruth, treatment: Treatment
) -> tuple[Evaluation, Judged]:
    """Figures of lists that another program wrote; what is odd about them is warned of."""
    lists = read_lists(path, task.truth.users, task.truth.items)
    for note in (*lists.notes, *notes_on(lists, task, _longest(wanted, 1), treatment)):
        warn(note)
    users = everyone(task, lists.lengths > 0)
    judged = judge(lists.items[users], users, task.truth, task.mask, lists.lengths[users])
    return _figures(lists.items[users], users, task, wanted, without_truth, lists.lengths[users] > 0), judged


def _for_everyone(
    model: Recommender, task: Task, wanted: Sequence[MetricAtK], without_truth: WithoutTruth
) -> tuple[Evaluation, Judged]:
    """Figures of a model, and its lists for all that another package takes a mean over."""
    lists, users = lists_for_everyone(model, task, max((each.k for each in wanted), default=DEFAULT_CUT), show_progress=True)
    judged = judge(lists[:, : _longest(wanted, DEFAULT_CUT)], users, task.truth, task.mask)
    return _figures(lists, users, task, wanted, without_truth, np.ones(len(users), dtype=bool)), judged


def _longest(wanted: Sequence[MetricAtK], usual: int) -> int:
    """The longest cut that is asked for, whole rankings left out."""
    return max((each.k for each in wanted if each.k < FULL_RANKING), default=usual)


def _figures(
    lists: NDArray[np.int64],
    users: NDArray[np.int64],
    task: Task,
    wanted: Sequence[MetricAtK],
    without_truth: WithoutTruth,
    listed: NDArray[np.bool_],
) -> Evaluation:
    measured = (task.truth.lengths()[users] > 0) | ((without_truth == "zero") & listed)
    return evaluate_lists(lists[measured], users[measured], task, wanted)


def _print(evaluation: Evaluation, wanted: Sequence[MetricAtK], title: str, seconds: float) -> None:
    print_table(("metric", "mean", "standard error"), _rows(evaluation, wanted), title=title)
    for name, values in evaluation.values.items():
        if undefined := int(np.isnan(values).sum()):
            say(f"{name}: the mean of {len(values) - undefined} users; it is not defined for the other {undefined}")
    say(f"{100 * evaluation.coverage:.1f} % of the catalogue recommended; recall@K = hits / relevant; {seconds:.1f} s")


def _rows(evaluation: Evaluation, wanted: Sequence[MetricAtK]) -> list[tuple[str, float | None, float | None]]:
    """Metric, mean and standard error; None where there is none."""

    def known(figure: float) -> float | None:
        return None if np.isnan(figure) else figure

    return [(each.name, known(evaluation.mean(each.name)), known(evaluation.standard_error(each.name))) for each in wanted]


def _per_user(evaluation: Evaluation, dataset: Dataset) -> pl.DataFrame:
    return pl.DataFrame({"user": dataset.users.externals(evaluation.users), **evaluation.values}).with_columns(
        cs.float().fill_nan(None)
    )
